"""What a core reads, as ONNX nodes: features of raw steps, or tokens of a stem from raw steps and those before them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from auxrnn.core.model import SequenceClassifier
from auxrnn.core.stems import QUIET, ConvStem, LogMelStem, Stem
from auxrnn.errors import InputError
from auxrnn.use.export.onnx_nodes import END, Graph, gelu, layer_norm
from auxrnn.use.export.served import INPUTS, Served


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
    if stride == 1:
        return Tokens(_features(graph, stem, _floats(graph, served, raw, _with_nothing(stem)), behind=0))
    read = graph.node("Reshape", graph.slice("steps", graph.whole(0), graph.whole(1), 0), graph.whole(1))
    begun = graph.node("Mod", read, graph.whole(stride))  # raw steps of the unfinished token
    raw = graph.slice(raw, graph.node("Sub", graph.whole(stride - 1), begun), graph.whole(END), 1)
    own = graph.node("Add", graph.node("Sub", steps, graph.whole(window - 1)), begun)  # (1,) raw steps of tokens here
    number, left = graph.node("Div", own, graph.whole(stride)), graph.node("Mod", own, graph.whole(stride))
    tokens = _features(graph, stem, _floats(graph, served, raw, _with_nothing(stem)), behind=stride)  # number + 1
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


def _with_nothing(stem: Stem) -> Tensor | None:
    """The embeddings of a stem, with zeros as the last, which is what index -1 gives: no character."""
    if not isinstance(stem, ConvStem) or stem.embedding is None:
        return None
    weight = stem.embedding.weight.detach()
    return torch.cat([weight, torch.zeros_like(weight[:1])])


def _features(graph: Graph, stem: Stem, steps: str, *, behind: int) -> str:
    """Tokens (N, B, F) of steps (B, t, C) and so many zeros behind them."""
    linear = {ConvStem: _convolved, LogMelStem: _log_mel}.get(type(stem))
    if linear is None:
        raise InputError(f"Expected a stem of conv or logmel for ONNX, got {type(stem).__name__}.")
    channels_first = graph.node("Transpose", steps, perm=[0, 2, 1])
    options = {"strides": [stem.grid.stride], "pads": [0, behind], "kernel_shape": [stem.grid.window]}
    found = linear(graph, stem, channels_first, options)
    return gelu(graph, layer_norm(graph, stem.norm, found) if isinstance(stem.norm, nn.LayerNorm) else found)


def _convolved(graph: Graph, stem: Stem, steps: str, options: dict[str, Any]) -> str:
    """(N, B, F) of steps (B, C, t)."""
    weight = graph.constant(stem.convolution.weight.detach().view(stem.size, -1, stem.grid.window))
    found = graph.node("Conv", steps, weight, graph.constant(stem.convolution.bias.detach()), **options)  # (B, F, N)
    return graph.node("Transpose", found, perm=[2, 0, 1])


def _log_mel(graph: Graph, stem: Stem, steps: str, options: dict[str, Any]) -> str:
    """(N, B, F) of steps (B, C, t): the Fourier transform of each frame as a convolution with cosines and sines."""
    assert isinstance(stem, LogMelStem)
    channels, window = stem.spec.size, stem.grid.window
    angles = torch.outer(torch.arange(window // 2 + 1), torch.arange(window)).double() * (2 * math.pi / window)
    waves = (torch.cat([angles.cos(), angles.sin()]) * stem.window.double()).unsqueeze(1)  # (2 bins, 1, window)
    weight = graph.constant(waves.repeat(channels, 1, 1))
    found = graph.node("Conv", steps, weight, group=channels, **options)  # (B, C * 2 bins, N)
    found = graph.node("Reshape", found, graph.whole(0, channels, len(waves), -1))
    found = graph.node("Transpose", found, perm=[3, 0, 1, 2])
    power = graph.node("Mul", found, found)  # (N, B, C, 2 bins), of cosines and of sines
    bands = graph.node("MatMul", power, graph.constant(torch.cat([stem.filters, stem.filters], dim=1).T))
    bands = graph.node("Log", graph.node("Add", bands, graph.constant(QUIET)))
    numbers = graph.node("Reshape", bands, graph.whole(0, 0, -1))
    return graph.linear(numbers, stem.convolution.weight.detach(), stem.convolution.bias.detach())
