"""Nodes and constants of an ONNX graph in the making."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor, nn

END = np.iinfo(np.int64).max
"""As the end of a slice: all the rest."""


class Graph:
    """Nodes and constants in the making; every result has a name, which begins with `prefix`."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        name = out or f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def nodes_out(self, operator: str, inputs: list[str], number: int, **attributes: Any) -> list[str]:
        """Add a node of several outputs and return their names."""
        names = [f"{self.prefix}{operator.lower()}_{len(self.nodes)}_{index}" for index in range(number)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names

    def constant(self, values: Tensor | Sequence[float] | float, dtype: Any = np.float32) -> str:
        array = np.asarray(values.numpy() if isinstance(values, Tensor) else values, dtype=dtype)
        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def whole(self, *numbers: int) -> str:
        """A constant of whole numbers, (n,)."""
        return self.constant(numbers, np.int64)

    def slice(self, tensor: str, first: str, end: str, axis: int) -> str:
        """The stretch from `first` to before `end`, names of one number (1,) each."""
        return self.node("Slice", tensor, first, end, self.whole(axis))

    def at(self, index: int, tensor: str) -> str:
        """The part of the first dimension at an index, which may count from the end."""
        return self.node("Squeeze", self.node("Gather", tensor, self.whole(index), axis=0), self.whole(0))

    def linear(self, inputs: str, weight: Tensor, bias: Tensor) -> str:
        """inputs (..., F), of any number of dimensions."""
        return self.node("Add", self.node("MatMul", inputs, self.constant(weight.T)), self.constant(bias))


def layer_norm(graph: Graph, norm: nn.LayerNorm, inputs: str) -> str:
    """Over the last dimension."""
    scale, bias = graph.constant(norm.weight.detach()), graph.constant(norm.bias.detach())
    return graph.node("LayerNormalization", inputs, scale, bias, axis=-1, epsilon=norm.eps)


def gelu(graph: Graph, inputs: str) -> str:
    half = graph.node("Mul", inputs, graph.constant(0.5))
    error = graph.node("Erf", graph.node("Mul", inputs, graph.constant(math.sqrt(0.5))))
    return graph.node("Mul", half, graph.node("Add", error, graph.constant(1.0)))
