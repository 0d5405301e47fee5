"""What a core reads, as ONNX nodes: features of raw steps, or tokens of a stem from raw steps and those before them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from auxrnn.export.onnx_nodes import END, Graph
from auxrnn.export.served import INPUTS, Served
from auxrnn.model import SequenceClassifier
from auxrnn.stems import QUIET, ConvStem, LogMelStem, Stem


@dataclass(frozen=True)
class Tokens:
    """What the core reads of a chunk, as names.

    features: (N, B, F), of the finished tokens. number: of those, (1,); rest: the token behind them (1, B, F), which is
    unfinished where `unfinished` (1,) says so. The last three are None where every raw step finishes a token; else
    `features` holds at least one token, which does not count where `number` is 0.
    """

    features: str
    number: str | None = None
    rest: str | None = None
    unfinished: str | None = None


def token_nodes(graph: Graph, served: Served) -> Tokens:
    """The tokens of a chunk; under a stem the last raw steps go out as the next ones' `recent`."""
    assert isinstance(served.network, SequenceClassifier)
    stem = served.network.encoder.features
    raw = _standardised(graph, served) if served.spec.kind == "values" else INPUTS
    if not isinstance(stem, Stem):
        return Tokens(graph.node("Transpose", _floats(graph, served, raw, stem.embedding), perm=[1, 0, 2]))
    stride, window = stem.grid.stride, stem.grid.window
    raw = graph.node("Concat", "recent", raw, axis=1)  # (B, window - 1 + t, ...)
    steps = graph.slice(graph.node("Shape", raw), graph.whole(1), graph.whole(2), 0)
    graph.node("Slice", raw, graph.node("Sub", steps, graph.whole(window - 1)), graph.whole(END), graph.whole(1),
               out="next_recent")  # fmt: skip
    table = _with_nothing(stem.embedding) if isinstance(stem, ConvStem) else None
    if stride == 1:
        return Tokens(_features(graph, stem, _floats(graph, served, raw, table), behind=0))
    read = graph.node("Reshape", graph.slice("steps", graph.whole(0), graph.whole(1), 0), graph.whole(1))
    begun = graph.node("Mod", read, graph.whole(stride))  # raw steps of the unfinished token
    raw = graph.slice(raw, graph.node("Sub", graph.whole(stride - 1), begun), graph.whole(END), 1)
    own = graph.node("Add", graph.node("Sub", steps, graph.whole(window - 1)), begun)  # (1,) raw steps of tokens here
    number, left = graph.node("Div", own, graph.whole(stride)), graph.node("Mod", own, graph.whole(stride))
    tokens = _features(graph, stem, _floats(graph, served, raw, table), behind=stride)  # number + 1
    finished = graph.slice(tokens, graph.whole(0), graph.node("Max", number, graph.whole(1)), 0)
    rest = graph.slice(tokens, number, graph.whole(END), 0)
    return Tokens(finished, number, rest, graph.node("Greater", left, graph.whole(0)))


def _standardised(graph: Graph, served: Served) -> str:
    """Values less the mean and divided by the scale of training, computed in float64."""
    if served.mean is None or served.scale is None:
        return graph.node("Identity", INPUTS)
    values = graph.node("Cast", INPUTS, to=TensorProto.DOUBLE)
    values = graph.node("Sub", values, graph.constant(served.mean, np.float64))
    values = graph.node("Div", values, graph.constant(served.scale, np.float64))
    return graph.node("Cast", values, to=TensorProto.FLOAT)


def _floats(graph: Graph, served: Served, raw: str, embedding: nn.Embedding | Tensor | None) -> str:
    """Raw steps as (B, t, C) float32: scaled pixels, values as they are, embedded characters."""
    if embedding is not None:
        table = embedding.weight if isinstance(embedding, nn.Embedding) else embedding
        return graph.node("Gather", graph.constant(table.detach()), raw)
    if served.spec.kind == "pixels":
        scaled = graph.node("Cast", raw, to=TensorProto.FLOAT)
        return graph.node("Div", scaled, graph.constant(float(served.spec.levels - 1)))
    return raw


def _with_nothing(embedding: nn.Embedding | None) -> Tensor | None:
    """The embeddings of characters, with zeros as the last, which is what index -1 gives: no character."""
    if embedding is None:
        return None
    weight = embedding.weight.detach()
    return torch.cat([weight, torch.zeros_like(weight[:1])])


def _features(graph: Graph, stem: Stem, steps: str, *, behind: int) -> str:
    """Tokens (N, B, F) of steps (B, t, C) and so many zeros behind them."""
    steps = graph.node("Transpose", steps, perm=[0, 2, 1])  # (B, C, t)
    options: dict[str, Any] = {"strides": [stem.grid.stride], "pads": [0, behind], "kernel_shape": [stem.grid.window]}
    if isinstance(stem, LogMelStem):
        found = _mel_bands(graph, stem, steps, options)
    else:
        weight = stem.convolution.weight.detach().view(stem.size, -1, stem.grid.window)
        given = [steps, graph.constant(weight), graph.constant(stem.convolution.bias.detach())]
        found = graph.node("Transpose", graph.node("Conv", *given, **options), perm=[2, 0, 1])  # (N, B, F)
    found = layer_norm(graph, stem.norm, found)
    half = graph.node("Mul", found, graph.constant(0.5))
    error = graph.node("Erf", graph.node("Mul", found, graph.constant(math.sqrt(0.5))))
    return graph.node("Mul", half, graph.node("Add", error, graph.constant(1.0)))  # GELU


def _mel_bands(graph: Graph, stem: LogMelStem, steps: str, options: dict[str, Any]) -> str:
    """What the norm reads of mel bands, (N, B, F): frames by a convolution with waves under the window, a bin each."""
    channels, window = stem.spec.size, stem.grid.window
    bins = window // 2 + 1
    turns = 2 * math.pi * torch.outer(torch.arange(bins), torch.arange(window)) / window
    waves = torch.cat([turns.double().cos(), turns.double().sin()]) * stem.window.double()  # (2 * bins, window)
    found = graph.node("Conv", steps, graph.constant(waves.repeat(channels, 1)[:, None]), group=channels, **options)
    parts = graph.node("Reshape", found, graph.whole(0, channels, 2, bins, -1))
    power = graph.node("ReduceSum", graph.node("Mul", parts, parts), graph.whole(2), keepdims=0)  # (B, C, bins, N)
    power = graph.node("MatMul", graph.node("Transpose", power, perm=[3, 0, 1, 2]), graph.constant(stem.filters.T))
    bands = graph.node("Log", graph.node("Add", power, graph.constant(QUIET)))  # (N, B, C, bands)
    bands = graph.node("Reshape", bands, graph.whole(0, 0, -1))
    return graph.linear(bands, stem.convolution.weight.detach(), stem.convolution.bias.detach())


def layer_norm(graph: Graph, norm: nn.LayerNorm, inputs: str) -> str:
    """Over the last dimension."""
    scale, bias = graph.constant(norm.weight.detach()), graph.constant(norm.bias.detach())
    return graph.node("LayerNormalization", inputs, scale, bias, axis=-1, epsilon=norm.eps)
