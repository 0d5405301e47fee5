"""Simple statistics of equal stretches of sequences of any length, in bounded memory.

Letters: B sequences, T steps, C channels, S stretches. Every sequence is cut into S stretches of as many steps as can
be, wherever it ends; one shorter than S has stretches that share a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.sources.dataset import SequenceData

Array = npt.NDArray[Any]

PIECE = 2**18
"""Numbers that are held at once."""

LEAST_ROWS = 256
"""Sequences of one batch of stretches, where there are as many."""

MOST_CHANNELS = 256
"""More are mixed down to so many by fixed random signs."""


@dataclass(frozen=True)
class Stretches:
    """Sums over stretches of B sequences, (B, S, C) each, from which those of longer stretches follow.

    jumps: sums of squared differences from the step before. count: steps, (B, S, 1). steps: of the sequences, (B,).
    """

    total: Array
    squares: Array
    jumps: Array
    least: Array
    greatest: Array
    count: Array
    steps: Array

    def merged(self, stretches: int) -> Stretches:
        """The same sequences in fewer stretches, of which S is a multiple."""

        def apart(part: Array) -> Array:
            return part.reshape(len(part), stretches, -1, part.shape[2])

        return Stretches(
            apart(self.total).sum(2),
            apart(self.squares).sum(2),
            apart(self.jumps).sum(2),
            apart(self.least).min(2),
            apart(self.greatest).max(2),
            apart(self.count).sum(2),
            self.steps,
        )

    @property
    def mean(self) -> Array:
        return self.total / self.count

    @property
    def deviation(self) -> Array:
        return np.sqrt(np.maximum(self.squares / self.count - self.mean**2, 0.0))

    @property
    def roughness(self) -> Array:
        """Root of the mean squared difference from the step before."""
        return np.sqrt(self.jumps / self.count)


def read_stretches(data: SequenceData, stretches: int) -> Iterator[Stretches]:
    """All sequences of `data` in order, a batch at a time; of values or pixels."""
    waiting: list[Stretches] = []
    for block in _blocks(data):
        waiting.append(cut(block, stretches))
        if sum(len(part.steps) for part in waiting) >= LEAST_ROWS:
            yield _together(waiting)
            waiting = []
    if waiting:
        yield _together(waiting)


def cut(block: Array, stretches: int) -> Stretches:
    """The stretches of sequences of one length, (B, T, C)."""
    rows, steps = block.shape[:2]
    edges = np.arange(stretches) * steps // stretches
    at_once = stretches if steps < stretches else max(stretches * PIECE // max(block.size, 1), 1)
    parts = [
        _sums(block, edges[first : first + at_once], _start(edges, first + at_once, steps))
        for first in range(0, stretches, at_once)
    ]
    total, squares, jumps, least, greatest = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    count = np.maximum(np.diff(edges, append=steps), 1).astype(np.float64)
    count = np.broadcast_to(count[None, :, None], (rows, stretches, 1))
    return Stretches(total, squares, jumps, least, greatest, count, np.full(rows, steps))


def _start(edges: Array, index: int, steps: int) -> int:
    return int(edges[index]) if index < len(edges) else steps


def _sums(block: Array, edges: Array, stop: int) -> tuple[Array, ...]:
    """Of the stretches that begin at `edges`, the last of which ends before `stop`."""
    first = int(edges[0])
    part = block[:, first:stop].astype(np.float64)
    if part.shape[2] > MOST_CHANNELS:
        part = part @ _signs(part.shape[2])
    before = part[:, :1] if first == 0 else block[:, first - 1 : first].astype(np.float64)
    if before.shape[2] > MOST_CHANNELS:
        before = before @ _signs(before.shape[2])
    places = edges - first
    jumps = np.diff(part, axis=1, prepend=before)
    return (
        np.add.reduceat(part, places, axis=1),
        np.add.reduceat(part**2, places, axis=1),
        np.add.reduceat(jumps**2, places, axis=1),
        np.minimum.reduceat(part, places, axis=1),
        np.maximum.reduceat(part, places, axis=1),
    )


def _signs(channels: int) -> Array:
    signs = np.random.default_rng(0).integers(0, 2, (channels, MOST_CHANNELS)) * 2.0 - 1.0
    return signs / np.sqrt(channels)


def _blocks(data: SequenceData) -> Iterator[Array]:
    """The sequences as arrays (B, T, C) of one length, not more of them than a piece holds."""
    if isinstance(data.inputs, torch.Tensor):
        each = max(PIECE // max(data.inputs[0].numel(), 1), 1)
        for start in range(0, len(data), each):
            yield _numbers(data.inputs[start : start + each])
    else:
        for sequence in data.inputs:
            yield _numbers(sequence.unsqueeze(0))


def _numbers(steps: torch.Tensor) -> Array:
    return (steps if steps.dtype in (torch.uint8, torch.float64) else steps.float()).numpy()


def _together(parts: list[Stretches]) -> Stretches:
    if len(parts) == 1:
        return parts[0]
    names = ("total", "squares", "jumps", "least", "greatest", "count", "steps")
    return Stretches(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
