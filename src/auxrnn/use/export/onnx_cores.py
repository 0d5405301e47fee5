"""Recurrent cores as ONNX nodes: torch's cells have operators of their own, the others are a Scan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, ValueInfoProto, helper
from torch import Tensor, nn

from auxrnn.core.baselines.urnn import SMALLEST, UnitaryRNN
from auxrnn.core.cells.lru import LRU, LRULayer
from auxrnn.core.cells.mingru import MinGRU
from auxrnn.core.cells.ur_lstm import URLSTM
from auxrnn.core.encoder import Encoder
from auxrnn.use.export.onnx_nodes import Graph, gelu, layer_norm
from auxrnn.use.export.served import layers_of, unitary_of

OPERATORS = {"LSTM": "LSTM", "GRU": "GRU", "RNN_TANH": "RNN", "RNN_RELU": "RNN"}
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,), "RNN_RELU": (0,)}
"""Which of torch's gates stand where in ONNX: input, output, forget, cell; and update, reset, new."""


class CoreNodes(ABC):
    """A core whose weights are constants of a graph; it may run there more than once."""

    @abstractmethod
    def run(self, steps: str, state: list[str]) -> tuple[list[str], str]:
        """Over steps (T, B, F), T >= 1, from a state: the state behind them, and the outputs (T, B, H)."""


def core_nodes(graph: Graph, encoder: Encoder) -> CoreNodes:
    """The core of an encoder, its projection multiplied into it; InputError for one of a person's own."""
    kinds = {UnitaryRNN: _Unitary, LRU: _LRU, MinGRU: _MinGRU, URLSTM: _URLSTM}
    return kinds.get(type(encoder.core), _Cells)(graph, encoder)  # type: ignore[abstract]


def scan(
    graph: Graph,
    step: Callable[[Graph, list[str], list[str]], list[str]],
    state: list[str],
    steps: list[str],
    sizes: list[int],
) -> tuple[list[str], list[str]]:
    """Run `step` over the first dimension of `steps`, (T, B, n) each, from `state`, (B, n) each.

    step: adds the nodes of one step to a graph of its own, from names of the state and of what the step reads, and
    returns those of the next state. sizes: numbers of one row of each state and then of each of the steps.

    Returns the last state, and all states (T, B, n).
    """
    own = f"scan_{len(graph.nodes)}_"  # begins the names of the step, which no other may have
    inner = Graph(own)
    taken = [f"{own}taken_{index}" for index in range(len(sizes))]
    after = step(inner, taken[: len(state)], taken[len(state) :])
    left = [inner.node("Identity", name, out=f"{own}left_{index}") for index, name in enumerate([*after, *after])]

    def told(name: str, size: int) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])

    body = helper.make_graph(
        inner.nodes,
        "step",
        [told(name, size) for name, size in zip(taken, sizes, strict=True)],
        [told(name, size) for name, size in zip(left, 2 * sizes[: len(state)], strict=True)],
        inner.constants,
    )
    found = graph.nodes_out("Scan", [*state, *steps], 2 * len(state), body=body, num_scan_inputs=len(steps))
    return found[: len(state)], found[len(state) :]


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
        last, outputs = scan(self.graph, self._step, state, [given], [2 * self.units] * 2)
        return last, outputs[0]

    def _step(self, step: Graph, before: list[str], given: list[str]) -> list[str]:
        turned = step.node("Add", given[0], step.node("MatMul", before[0], self.matrix))
        parts = step.node("Reshape", turned, self.apart)  # (B, 2, H)
        modulus = step.node("ReduceL2", parts, axes=[1], keepdims=1)
        kept = step.node("Relu", step.node("Add", modulus, self.bias))
        factor = step.node("Div", kept, step.node("Add", modulus, self.small))
        return [step.node("Reshape", step.node("Mul", parts, factor), self.together)]


class _Layered(CoreNodes):
    """A core of layers whose state is (layers, B, n) tensors; the projection is a layer before the first."""

    def __init__(self, graph: Graph, encoder: Encoder) -> None:
        self.graph, self.core, self.projection = graph, encoder.core, encoder.projection

    @abstractmethod
    def layer(self, index: int, steps: str, before: list[str]) -> tuple[list[str], str]:
        """Over steps (T, B, F) from states (B, n): the states behind them, and the outputs (T, B, H)."""

    def into(self, steps: str) -> str:
        """What the first layer reads."""
        return steps if self.projection is None else self.linear(self.projection, steps)

    def linear(self, layer: nn.Linear, inputs: str) -> str:
        bias = torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias
        return self.graph.linear(inputs, layer.weight.detach(), bias.detach())

    def run(self, steps: str, state: list[str]) -> tuple[list[str], str]:
        graph, after = self.graph, []
        steps = self.into(steps)
        for index in range(int(self.core.num_layers)):  # type: ignore[arg-type]
            before = [graph.at(index, part) for part in state]
            last, steps = self.layer(index, steps, before)
            after.append([graph.node("Unsqueeze", part, graph.whole(0)) for part in last])
        return [graph.node("Concat", *parts, axis=0) for parts in zip(*after, strict=True)], steps


class _MinGRU(_Layered):
    core: MinGRU

    def layer(self, index: int, steps: str, before: list[str]) -> tuple[list[str], str]:
        graph, size = self.graph, self.core.hidden_size
        found = self.linear(self.core.maps[index], steps)  # type: ignore[arg-type]
        gate, candidate = graph.nodes_out("Split", [found], 2, axis=-1)
        keep = graph.node("Sigmoid", graph.node("Neg", gate))
        given = graph.node("Mul", graph.node("Sigmoid", gate), candidate)

        def step(inner: Graph, state: list[str], taken: list[str]) -> list[str]:
            return [inner.node("Add", inner.node("Mul", taken[0], state[0]), taken[1])]

        last, outputs = scan(graph, step, before, [keep, given], [size] * 3)
        return last, outputs[0]


class _LRU(_Layered):
    core: LRU

    def into(self, steps: str) -> str:
        return self.linear(self.core.first, super().into(steps))

    def layer(self, index: int, steps: str, before: list[str]) -> tuple[list[str], str]:
        graph, own = self.graph, self.core.layers[index]
        assert isinstance(own, LRULayer)
        given = graph.node("MatMul", steps, graph.constant(own.input_map().detach().T))  # (T, B, 2H)
        factors = torch.view_as_real(own.factors().detach())  # (H, 2)
        straight = graph.constant(factors[:, :1].expand(-1, 2).flatten())
        across = graph.constant(torch.stack([-factors[:, 1], factors[:, 1]], dim=1).flatten())
        swapped = graph.constant(torch.arange(2 * own.size).view(-1, 2).flip(1).flatten(), np.int64)

        def step(inner: Graph, state: list[str], taken: list[str]) -> list[str]:
            other = inner.node("Mul", inner.node("Gather", state[0], swapped, axis=1), across)
            turned = inner.node("Add", inner.node("Mul", state[0], straight), other)
            return [inner.node("Add", turned, taken[0])]

        last, states = scan(graph, step, before, [given], [2 * own.size] * 2)
        direct = graph.node("Mul", steps, graph.constant(own.skip.detach()))
        found = gelu(graph, graph.node("Add", self.linear(own.out_of, states[0]), direct))
        value, gate = graph.nodes_out("Split", [self.linear(own.gate, found)], 2, axis=-1)
        gated = graph.node("Mul", value, graph.node("Sigmoid", gate))
        return last, layer_norm(graph, own.norm, graph.node("Add", steps, gated))


class _URLSTM(_Layered):
    core: URLSTM

    def layer(self, index: int, steps: str, before: list[str]) -> tuple[list[str], str]:
        graph, size, linear = self.graph, self.core.hidden_size, self.core.maps[index]
        assert isinstance(linear, nn.Linear)
        own, recurrent = linear.weight.detach().split([linear.in_features - size, size], dim=1)
        given, turned = graph.linear(steps, own, linear.bias.detach()), graph.constant(recurrent.T)

        def step(inner: Graph, state: list[str], taken: list[str]) -> list[str]:
            gates = inner.node("Add", taken[0], inner.node("MatMul", state[0], turned))
            parts = inner.nodes_out("Split", [gates], 4, axis=-1)
            forget, refine, output = (inner.node("Sigmoid", parts[at]) for at in (0, 1, 3))
            update = inner.node("Tanh", parts[2])
            square = inner.node("Mul", forget, forget)
            more = inner.node("Mul", refine, inner.node("Sub", forget, square))
            keep = inner.node("Add", square, inner.node("Add", more, more))
            change = inner.node("Mul", keep, inner.node("Sub", state[1], update))
            cell = inner.node("Add", update, change)
            return [inner.node("Mul", output, inner.node("Tanh", cell)), cell]

        last, states = scan(graph, step, before, [given], [size, size, 4 * size])
        return last, states[0]
