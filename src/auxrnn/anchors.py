"""Where auxiliary losses look: anchors and segments, as integers drawn from a generator. Knows nothing of networks.

A position p means "after p steps", so the state at anchor a has read the steps 0..a-1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Placement = Literal["near", "distant"]


@dataclass(frozen=True)
class Segments:
    """Anchors and the segments they are trained on, all (B, n) int64: the segment is `[start, start + length)`."""

    anchor: Tensor
    start: Tensor
    length: Tensor


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
) -> Segments:
    """Segments that lie wholly before their anchor, for sequences of `lengths` (B,).

    The anchor is uniform over the positions that fit, `l..T`. "near": the segment ends at the anchor; "distant": its
    start is uniform over `0..a-l`, anywhere before. A segment longer than its sequence is shortened to it. The paper is
    silent on the distribution of both.
    """
    _check(lengths, num_anchors, segment_length)
    length = lengths.clamp(max=segment_length).unsqueeze(1).expand(-1, num_anchors)  # (B, n)
    anchor = length + _below(lengths.unsqueeze(1) - length + 1, generator)
    start = anchor - length
    if placement == "distant":
        start = _below(start + 1, generator)
    elif placement != "near":
        raise ValueError(f"Expected a placement 'near' or 'distant', got {placement!r}.")
    return Segments(anchor, start, length)


def prediction_segments(lengths: Tensor, num_anchors: int, segment_length: int, generator: torch.Generator) -> Segments:
    """Segments that begin at their anchor, with one more step behind them to predict, for sequences of `lengths` (B,).

    The anchor is uniform over the positions that fit, `0..T-1-l`; a segment that does not fit is shortened to T - 1
    (which is 0, nothing to predict, in a sequence of one step).
    """
    _check(lengths, num_anchors, segment_length)
    length = (lengths - 1).clamp(max=segment_length).unsqueeze(1).expand(-1, num_anchors)  # (B, n)
    anchor = _below(lengths.unsqueeze(1) - length, generator)
    return Segments(anchor, anchor, length)


def _below(bound: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform integers in 0..bound-1, one an element; float64 keeps every bound below 2**53 exact."""
    draw = torch.rand(bound.shape, generator=generator, dtype=torch.float64)
    return (draw * bound).long().clamp(max=bound - 1)


def _check(lengths: Tensor, num_anchors: int, segment_length: int) -> None:
    if num_anchors < 1 or segment_length < 1:
        raise ValueError(
            f"Expected at least one anchor and one step a segment, got {num_anchors} and {segment_length}."
        )
    if lengths.dim() != 1 or lengths.is_floating_point() or int(lengths.min()) < 1:
        raise ValueError(f"Expected lengths of shape (B,), integers of at least 1, got {lengths}.")
