"""Stems: a raw sequence cut into tokens, and each token turned into features. Knows nothing of cores or losses.

A stem turns `stride` raw steps into one token. Token t is a function of the `window` raw steps that end with step
`(t + 1) * stride - 1`: causal, with zeros before the beginning and behind the end of a sequence. So T raw steps have
ceil(T / stride) tokens. Everything above a stem counts tokens.

Cutting copies nothing but the padded raw steps: tokens are views into them, in their compact type, and become floats
only in the chunk or window at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.batch import InputSpec, SequenceBatch

NO_CHARACTER = -1
"""Stands before and behind a text; its embedding is zero."""


def no_step(spec: InputSpec) -> int:
    """What stands where there is no raw step."""
    return NO_CHARACTER if spec.kind == "characters" else 0


@dataclass(frozen=True)
class TokenGrid:
    """How raw steps are cut: `stride` raw steps a token, of which each token sees the last `window`."""

    stride: int
    window: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise ValueError(f"Expected 1 <= stride <= window, got {self.stride} and {self.window}.")

    @property
    def context(self) -> int:
        """Raw steps before its own that a token sees."""
        return self.window - self.stride

    def count(self, lengths: Tensor) -> Tensor:
        """Tokens of sequences of so many raw steps."""
        return (lengths + self.stride - 1) // self.stride

    def cut(self, batch: SequenceBatch, spec: InputSpec) -> SequenceBatch:
        """The batch as tokens: inputs (B, N, C, window), or (B, N, window) characters; lengths in tokens.

        What auxiliary losses reproduce, the raw steps of each token, lies beside them as `batch.own`.
        """
        raw, empty = batch.inputs, no_step(spec)
        inside = torch.arange(raw.shape[1]) < batch.lengths.unsqueeze(1)
        if not bool(inside.all()):
            outside = ~inside.view(*inside.shape, *[1] * (raw.dim() - 2)).to(raw.device)
            raw = raw.masked_fill(outside, empty)
        behind = -raw.shape[1] % self.stride
        sides = (0, 0) * (raw.dim() - 2)
        padded = functional.pad(raw, (*sides, self.context, behind), value=empty)
        own = padded[:, self.context :].unflatten(1, (-1, self.stride))  # (B, N, stride, ...)
        own = own.flatten(2) if spec.kind != "characters" or self.stride > 1 else own.squeeze(2)
        tokens = padded.unfold(1, self.window, self.stride)
        return replace(batch, inputs=tokens, lengths=self.count(batch.lengths), own=own)

    def before(self, token: Tensor, spec: InputSpec) -> Tensor:
        """What stands for the last `window - 1` raw steps where there are none yet, (B, window - 1, ...), of sequences
        with tokens like token (B, ..., window).
        """
        return token.new_full((len(token), self.window - 1, *token.shape[1:-1]), no_step(spec))

    def finished(self, raw: Tensor, begun: int) -> Tensor:
        """The tokens (B, n, ..., window) that raw steps (B, window - 1 + t, ...) finish: the last `window - 1` of those
        that were read before, of which the last `begun` belong to an unfinished token, and t more.
        """
        number = (raw.shape[1] - self.window + 1 + begun) // self.stride
        if number == 0:
            return raw.new_empty(len(raw), 0, *raw.shape[2:], self.window)
        return raw[:, self.stride - 1 - begun :].unfold(1, self.window, self.stride)

    def completed(self, raw: Tensor, begun: int, spec: InputSpec) -> Tensor:
        """The unfinished token (B, 1, ..., window) behind the last `window - 1` raw steps, `begun` of them its own."""
        own = raw[:, self.stride - 1 - begun :]
        sides = (0, 0) * (raw.dim() - 2)
        return functional.pad(own, (*sides, 0, self.stride - begun), value=no_step(spec)).movedim(1, -1).unsqueeze(1)


class ConvStem(nn.Module):
    """A strided convolution over raw steps, layer norm, GELU: `window` raw steps -> `size` features a token.

    Layer norm, for batch norm misleads where batches are made of sequences of like length. Characters are embedded
    first.

    Parameters
    ----------
    spec : InputSpec
        What a raw step is. Pixels are scaled to 0..1.
    size : int
        Features of a token.
    stride : int
        Raw steps a token.
    kernel : int
        Width of the convolution in strides, at least 1: a token sees `kernel * stride` raw steps.
    embedding_size : int
        Features of an embedded character.
    """

    divisible = True  # each row by itself

    def __init__(self, spec: InputSpec, size: int, *, stride: int, kernel: int = 4, embedding_size: int = 16) -> None:
        super().__init__()
        self.spec, self.size = spec, size
        self.grid = TokenGrid(stride, kernel * stride)
        self.embedding = nn.Embedding(spec.size, embedding_size) if spec.kind == "characters" else None
        channels = embedding_size if self.embedding is not None else spec.size
        self.convolution = nn.Linear(channels * self.grid.window, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens (B, N, C, window), or (B, N, window) characters -> features (B, N, size)."""
        weight = self.convolution.weight
        if self.embedding is not None:
            known = (tokens != NO_CHARACTER).unsqueeze(-1)
            raw = self.embedding(tokens.clamp(min=0).long()) * known  # (B, N, window, E)
            raw = raw.transpose(-1, -2)
        else:
            raw = tokens.to(weight.dtype)
            if self.spec.kind == "pixels":
                raw = raw / (self.spec.levels - 1)
        return functional.gelu(self.norm(self.convolution(raw.flatten(2))))
