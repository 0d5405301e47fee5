"""Recurrent cores as ONNX nodes: torch's cells have operators of their own, a uRNN is a Scan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from onnx import TensorProto, ValueInfoProto, helper
from torch import Tensor, nn

from auxrnn.core.baselines.urnn import SMALLEST, UnitaryRNN
from auxrnn.core.encoder import Encoder
from auxrnn.use.export.onnx_nodes import Graph
from auxrnn.use.export.served import layers_of, unitary_of

OPERATORS = {"LSTM": "LSTM", "GRU": "GRU", "RNN_TANH": "RNN", "RNN_RELU": "RNN"}
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,), "RNN_RELU": (0,)}
"""Which of torch's gates stand where in ONNX: input, output, forget, cell; and update, reset, new."""


class CoreNodes(ABC):
    """A core whose weights are constants of a graph; it may run there more than once."""

    @abstractmethod
    def run(self, steps: str, state: list[str]) -> tuple[list[str], str]:
        """Over steps (T, B, F), T >= 1, from a state: the state behind them, and the outputs (T, B, H)."""

    @abstractmethod
    def output(self, state: list[str]) -> str:
        """The last output (B, H), of which the state holds a copy."""


def core_nodes(graph: Graph, encoder: Encoder) -> CoreNodes:
    """The core of an encoder, its projection multiplied into it; InputError for one of a person's own."""
    return _Unitary(graph, encoder) if isinstance(encoder.core, UnitaryRNN) else _Cells(graph, encoder)


class _Cells(CoreNodes):
    """One operator a layer."""

    def __init__(self, graph: Graph, encoder: Encoder) -> None:
        layers, core = layers_of(encoder), encoder.core
        assert isinstance(core, nn.RNNBase)
        self.graph, self.operator = graph, OPERATORS[core.mode]
        self.options: dict[str, Any] = {"hidden_size": core.hidden_size}
        if core.mode == "GRU":
            self.options["linear_before_reset"] = 1  # torch's form of the reset gate
        if core.mode == "RNN_RELU":
            self.options["activations"] = ["Relu"]
        self.weights = []
        for layer in layers:
            weights = [graph.constant(_ordered(part, core.mode)[None]) for part in (layer.inputs, layer.hidden)]
            both = torch.cat([_ordered(layer.inputs_bias, core.mode), _ordered(layer.hidden_bias, core.mode)])
            self.weights.append([*weights, graph.constant(both[None])])

    def run(self, steps: str, state: list[str]) -> tuple[list[str], str]:
        graph = self.graph
        after: list[list[str]] = [[] for _ in state]
        for index, weights in enumerate(self.weights):
            before = [graph.slice(part, graph.whole(index), graph.whole(index + 1), 0) for part in state]  # (1, B, H)
            given = [steps, *weights, "", *before]
            outputs, *last = graph.nodes_out(self.operator, given, 1 + len(state), **self.options)  # (T, 1, B, H)
            for parts, found in zip(after, last, strict=True):
                parts.append(found)
            steps = graph.node("Squeeze", outputs, graph.whole(1))
        return [graph.node("Concat", *parts, axis=0) for parts in after], steps

    def output(self, state: list[str]) -> str:
        top = self.graph.slice(state[0], self.graph.whole(-1), self.graph.whole(len(self.weights)), 0)
        return self.graph.node("Squeeze", top, self.graph.whole(0))


def _ordered(weight: Tensor, mode: str) -> Tensor:
    """A weight (gates * H, ...) with its gates in the order of ONNX."""
    gates = weight.unflatten(0, (len(GATES[mode]), -1))
    return gates[list(GATES[mode])].flatten(0, 1)


class _Unitary(CoreNodes):
    """A Scan over the steps of a uRNN: `modReLU(given + state @ W)`."""

    def __init__(self, graph: Graph, encoder: Encoder) -> None:
        weights = unitary_of(encoder)
        self.graph, self.units = graph, len(weights.bias)
        self.input_map, self.input_bias = graph.constant(weights.input_map), graph.constant(weights.input_bias)
        self.matrix, self.bias = graph.constant(weights.matrix), graph.constant(weights.bias)
        self.small = graph.constant(SMALLEST)
        self.apart, self.together = graph.whole(0, 2, self.units), graph.whole(0, 2 * self.units)

    def run(self, steps: str, state: list[str]) -> tuple[list[str], str]:
        given = self.graph.node("MatMul", steps, self.input_map)
        given = self.graph.node("Add", given, self.input_bias)  # (T, B, 2H)
        own = f"step_{len(self.graph.nodes)}_"  # names of the step, which no other may have
        step = Graph()
        turned = step.node("MatMul", f"{own}before", self.matrix, out=f"{own}turned")
        turned = step.node("Add", f"{own}given", turned, out=f"{own}sum")
        parts = step.node("Reshape", turned, self.apart, out=f"{own}parts")  # (B, 2, H)
        modulus = step.node("ReduceL2", parts, axes=[1], keepdims=1, out=f"{own}modulus")
        kept = step.node("Relu", step.node("Add", modulus, self.bias, out=f"{own}biased"), out=f"{own}kept")
        safe = step.node("Add", modulus, self.small, out=f"{own}safe")
        factor = step.node("Div", kept, safe, out=f"{own}factor")
        shrunk = step.node("Mul", parts, factor, out=f"{own}shrunk")
        step.node("Reshape", shrunk, self.together, out=f"{own}after")
        step.node("Identity", f"{own}after", out=f"{own}said")
        taken, left = (
            [self._value(f"{own}{name}") for name in ("before", "given")],
            [self._value(f"{own}{name}") for name in ("after", "said")],
        )
        body = helper.make_graph(step.nodes, "step", taken, left)
        last, outputs = self.graph.nodes_out("Scan", [state[0], given], 2, body=body, num_scan_inputs=1)
        return [last], outputs

    def output(self, state: list[str]) -> str:
        return state[0]

    def _value(self, name: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2 * self.units])
