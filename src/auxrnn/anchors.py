"""Where auxiliary losses look: anchors and segments, as integers drawn from a generator. Knows nothing of networks.

A position p means "after p steps", so the state at anchor a has read the steps 0..a-1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from auxrnn.config.choices import Anchors, Direction, Placement


@dataclass(frozen=True)
class Segments:
    """Anchors and the segments they are trained on, all (B, n) int64: the segment is `[start, start + length)`."""

    anchor: Tensor
    start: Tensor
    length: Tensor

    def of(self, sequences: slice) -> Segments:
        """Those of some of the sequences."""
        return Segments(self.anchor[sequences], self.start[sequences], self.length[sequences])


def step_generator(*key: int) -> torch.Generator:
    """A generator that is a function of its key alone, for example (seed, phase, step, rank)."""
    digest = hashlib.blake2b(repr(tuple(map(int, key))).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def reconstruction_segments(
    lengths: Tensor,
    num_anchors: int,
    segment_length: int,
    generator: torch.Generator,
    placement: Placement = "near",
    *,
    direction: Direction = "past",
    anchors: Anchors = "uniform",
) -> Segments:
    """Segments that lie wholly before their anchor, or wholly behind it, for sequences of `lengths` (B,).

    "past": the anchor lies in `l..T`, and a segment longer than its sequence is shortened to it. "future": in
    `1..T-l`, for a state that has read nothing holds nothing, and a segment is shortened to T - 1. "near": the segment
    touches its anchor; "distant": its start is uniform over all that fits on its side. anchors: how they are spread
    over the positions that fit, see `_anchors`. The paper is silent on the distribution of both.
    """
    _check(lengths, num_anchors, segment_length)
    for name, value, allowed in (("placement", placement, Placement), ("direction", direction, Direction)):
        if value not in get_args(allowed):
            first, second = get_args(allowed)
            raise ValueError(f"Expected a {name} {first!r} or {second!r}, got {value!r}.")
    future = direction == "future"
    length = (lengths - int(future)).clamp(max=segment_length).unsqueeze(1).expand(-1, num_anchors)  # (B, n)
    free = lengths.unsqueeze(1) - length  # steps that the segment leaves
    anchor = 1 + _anchors(free, generator, anchors) if future else length + _anchors(free + 1, generator, anchors)
    if placement == "near":
        start = anchor if future else anchor - length
    else:
        start = anchor + _below(free - anchor + 1, generator) if future else _below(anchor - length + 1, generator)
    return Segments(anchor, start, length)


def prediction_segments(
    lengths: Tensor,
    num_anchors: int,
    segment_length: int,
    generator: torch.Generator,
    *,
    anchors: Anchors = "uniform",
) -> Segments:
    """Segments that begin at their anchor, with one more step behind them to predict, for sequences of `lengths` (B,).

    The anchor lies in `0..T-1-l`; a segment that does not fit is shortened to T - 1 (which is 0, nothing to predict, in
    a sequence of one step). anchors: how they are spread over the positions that fit, see `_anchors`.
    """
    _check(lengths, num_anchors, segment_length)
    length = (lengths - 1).clamp(max=segment_length).unsqueeze(1).expand(-1, num_anchors)  # (B, n)
    anchor = _anchors(lengths.unsqueeze(1) - length, generator, anchors)
    return Segments(anchor, anchor, length)


def _anchors(bound: Tensor, generator: torch.Generator, anchors: Anchors) -> Tensor:
    """n integers in 0..bound-1 for each sequence, bound (B, n).

    "uniform": evenly. "end": the last. "late": with a density that rises linearly from 0, so that three in four lie in
    the later half. "stratified": the i-th evenly within the i-th of n equal stretches.
    """
    if anchors not in get_args(Anchors):
        raise ValueError(f"Expected anchors of {', '.join(get_args(Anchors))}, got {anchors!r}.")
    if anchors == "end":
        return bound - 1
    draw = torch.rand(bound.shape, generator=generator, dtype=torch.float64)
    if anchors == "late":
        draw = draw.sqrt()
    if anchors == "stratified":
        draw = (torch.arange(bound.shape[1]) + draw) / bound.shape[1]
    return _scaled(draw, bound)


def _below(bound: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform integers in 0..bound-1, one an element."""
    return _scaled(torch.rand(bound.shape, generator=generator, dtype=torch.float64), bound)


def _scaled(draw: Tensor, bound: Tensor) -> Tensor:
    """Shares in [0, 1) as integers in 0..bound-1; float64 keeps every bound below 2**53 exact."""
    return (draw * bound).long().clamp(max=bound - 1)


def _check(lengths: Tensor, num_anchors: int, segment_length: int) -> None:
    if num_anchors < 1 or segment_length < 1:
        raise ValueError(
            f"Expected at least one anchor and one step a segment, got {num_anchors} and {segment_length}."
        )
    if lengths.dim() != 1 or lengths.is_floating_point() or int(lengths.min()) < 1:
        raise ValueError(f"Expected lengths of shape (B,), integers of at least 1, got {lengths}.")
