"""Readouts as ONNX nodes: sums over finished tokens that go from chunk to chunk, and what a head reads of them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from torch import nn

from auxrnn.core.readouts import LEAST_VARIANCE, Readout
from auxrnn.use.export.onnx_nodes import Graph, layer_norm

SUMS = ("total", "squares", "greatest")


def sums_with(graph: Graph, sums: dict[str, str], outputs: str, there: str | None = None) -> dict[str, str]:
    """The sums with further outputs (N, B, H), N >= 1, where `there` (1,) says that they count."""
    exact, steps = graph.node("Cast", outputs, to=TensorProto.DOUBLE), graph.whole(0)
    further = {
        "total": graph.node("ReduceSum", exact, steps, keepdims=0),
        "squares": graph.node("ReduceSum", graph.node("Mul", exact, exact), steps, keepdims=0),
    }
    found = {name: graph.node("Add", sums[name], further[name]) for name in further}
    if "greatest" in sums:
        found["greatest"] = graph.node("Max", sums["greatest"], graph.node("ReduceMax", outputs, axes=[0], keepdims=0))
    if there is None:
        return found
    return {name: graph.node("Where", there, found[name], sums[name]) for name in found}


def readout_nodes(graph: Graph, readout: Readout, sums: dict[str, str], tokens: str) -> str:
    """What the head reads, (B, size), of the sums over `tokens` (B, 1) int64 each."""
    count = graph.node("Cast", tokens, to=TensorProto.DOUBLE)
    mean, square = (graph.node("Div", sums[name], count) for name in ("total", "squares"))
    variance = graph.node("Sub", square, graph.node("Mul", mean, mean))
    least = graph.constant(LEAST_VARIANCE, np.float64)
    deviation = graph.node("Sqrt", graph.node("Max", variance, least))
    parts = [graph.node("Cast", part, to=TensorProto.FLOAT) for part in (mean, deviation)]
    if "greatest" in sums:
        parts.append(sums["greatest"])
    assert isinstance(readout.norm, nn.LayerNorm)
    return layer_norm(graph, readout.norm, graph.node("Concat", *parts, axis=1))
