"""Mean and standard deviation of numbers, computed stably however many and however far from zero they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.errors import InputError

Array = npt.NDArray[Any]

ROUNDING = 2
"""Spacings of a type, at a channel's largest size, that rounding alone may put between two values of a constant."""

MOST_STEPS = 2**18
"""Steps that are copied to float64 at a time."""

FAR = 100.0
"""Deviations from zero beyond which float32 leaves fewer than 5 of its 7 digits for what changes."""


def channel_moments(blocks: Callable[[], Iterable[Array]], where: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all steps, in two passes over the blocks (steps, C).

    A channel that never changes, up to the rounding of its type, gets a deviation of 1. The deviation is taken about
    the mean and corrected for the rounding of the mean itself. Raises InputError for values too large to be squared
    and summed.

    References
    ----------
    Chan, Golub, LeVeque: Algorithms for computing the sample variance. The American Statistician 37 (1983).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        count, spacing = 0, 0.0
        total, least, greatest = np.zeros(()), np.array(np.inf), np.array(-np.inf)
        for block in _pieces(blocks()):
            count += len(block)
            total = total + block.sum(0, dtype=np.float64)
            least = np.minimum(least, block.min(0).astype(np.float64))
            greatest = np.maximum(greatest, block.max(0).astype(np.float64))
            if block.dtype.kind == "f":
                spacing = max(spacing, float(np.finfo(block.dtype).eps), float(np.finfo(np.float64).eps))
        centre = total / count
        first, second = np.zeros(()), np.zeros(())
        for block in _pieces(blocks()):
            apart = block - centre
            first = first + apart.sum(0, dtype=np.float64)
            second = second + np.square(apart).sum(0, dtype=np.float64)
        mean = centre + first / count
        deviation = np.sqrt(np.maximum(second / count - np.square(first / count), 0.0))
        largest = np.maximum(np.abs(least), np.abs(greatest))
        constant = greatest - least <= ROUNDING * spacing * largest
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        raise InputError(
            f"{where}: expected finite values that can be squared and summed, got some too large. Scale them first."
        )
    mean = np.where(constant, least, mean)
    scale = np.where(constant | (deviation == 0), 1.0, deviation)
    return tuple(mean.tolist()), tuple(scale.tolist())


def _pieces(blocks: Iterable[Array]) -> Iterator[Array]:
    """Cut blocks so that their float64 copies stay small beside the data."""
    for block in blocks:
        for first in range(0, len(block), MOST_STEPS):
            yield block[first : first + MOST_STEPS]


def is_far(mean: Sequence[float], scale: Sequence[float]) -> bool:
    """Whether one of several numbers, by their means and deviations, lies `FAR` deviations from zero or farther."""
    return any(abs(one) >= FAR * deviation for one, deviation in zip(mean, scale, strict=True))
