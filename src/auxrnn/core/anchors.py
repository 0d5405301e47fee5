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
    """Anchors, and the segments `[start, start + length)` that they are trained on.

    Attributes
    ----------
    anchor, start, length : Tensor
        (B, n) int64. Anchor a means "after a steps": its state has read the steps 0..a-1.
    """

    anchor: Tensor
    start: Tensor
    length: Tensor

    def of(self, sequences: slice) -> Segments:
        """Those of some of the sequences."""
        return Segments(self.anchor[sequences], self.start[sequences], self.length[sequences])


def step_generator(*key: int) -> torch.Generator:
    """Make a generator that is a function of its key alone.

    Parameters
    ----------
    *key : int
        For example (seed, phase, step, rank).

    Returns
    -------
    torch.Generator
        On the CPU.
    """
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
    """Draw anchors, each with a segment wholly before or wholly behind it.

    Parameters
    ----------
    lengths : Tensor
        Steps of each sequence, (B,) integers, at least 1.
    num_anchors : int
        Anchors of each sequence (n), at least 1.
    segment_length : int
        Steps of a segment (l), at least 1. A segment that does not fit is shortened to T steps ("past") or T - 1
        ("future").
    generator : torch.Generator
        On the CPU.
    placement : {"near", "distant"}
        The segment touches its anchor, or starts anywhere that fits on its side, each place as likely.
    direction : {"past", "future"}
        The segment lies before its anchor, which is in `l..T`, or behind it, with the anchor in `1..T-l`: a state that
        has read nothing holds nothing.
    anchors : {"uniform", "end", "late", "stratified"}
        How anchors spread over the positions that fit: evenly; all at the last; with a density that rises linearly from
        0, so that three in four lie in the later half; or one in each of n equal stretches.

    Returns
    -------
    Segments
        All (B, n).

    Raises
    ------
    ValueError
        For values outside these ranges or names.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), section 3. The paper is silent on the distribution of anchors and segments; we chose
    uniform anchors and segments that touch them.
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
    """Draw anchors, each with a segment that begins there and has one more step behind it to predict.

    The anchor lies in `0..T-1-l`. A segment that does not fit is shortened to T - 1 steps, which is 0, nothing to
    predict, in a sequence of one step.

    Parameters
    ----------
    lengths, num_anchors, segment_length, generator, anchors
        As for `reconstruction_segments`.

    Returns
    -------
    Segments
        All (B, n); start equals anchor.

    Raises
    ------
    ValueError
        For values outside these ranges or names.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), section 3. The paper is silent on the distribution of anchors; we chose uniform.
    """
    _check(lengths, num_anchors, segment_length)
    length = (lengths - 1).clamp(max=segment_length).unsqueeze(1).expand(-1, num_anchors)  # (B, n)
    anchor = _anchors(lengths.unsqueeze(1) - length, generator, anchors)
    return Segments(anchor, anchor, length)


def _anchors(bound: Tensor, generator: torch.Generator, anchors: Anchors) -> Tensor:
    """Draw n integers in 0..bound-1 for each sequence, bound (B, n); see `reconstruction_segments`."""
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
