"""Nodes and constants of an ONNX graph in the making."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor

END = np.iinfo(np.int64).max
"""As the end of a slice: all the rest."""


class Graph:
    """Nodes and constants in the making; every result has a name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        name = out or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def nodes_out(self, operator: str, inputs: list[str], number: int, **attributes: Any) -> list[str]:
        """Add a node of several outputs and return their names."""
        names = [f"{operator.lower()}_{len(self.nodes)}_{index}" for index in range(number)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names

    def constant(self, values: Tensor | Sequence[float] | float, dtype: Any = np.float32) -> str:
        array = np.asarray(values.numpy() if isinstance(values, Tensor) else values, dtype=dtype)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def whole(self, *numbers: int) -> str:
        """A constant of whole numbers, (n,)."""
        return self.constant(numbers, np.int64)

    def slice(self, tensor: str, first: str, end: str, axis: int) -> str:
        """The stretch from `first` to before `end`, names of one number (1,) each."""
        return self.node("Slice", tensor, first, end, self.whole(axis))

    def linear(self, inputs: str, weight: Tensor, bias: Tensor) -> str:
        """inputs (..., F), of any number of dimensions."""
        return self.node("Add", self.node("MatMul", inputs, self.constant(weight.T)), self.constant(bias))
