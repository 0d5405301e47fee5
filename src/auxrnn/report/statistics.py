"""Statistics of repeated runs: functions of numbers, nothing else."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The mean of `count` runs, their standard deviation and the half-width of the mean's 95 % interval.

    The latter two are None for a single run: one number has no spread.
    """

    count: int
    mean: float
    deviation: float | None
    half_width: float | None

    def __str__(self) -> str:
        """In percent: `66.1 ± 8.3`, or `66.1` for a single run."""
        own = f"{100 * self.mean:.1f}"
        return own if self.half_width is None else f"{own} ± {100 * self.half_width:.1f}"


def spread(values: Sequence[float]) -> Spread:
    """Mean and 95 % interval by Student's t with n - 1 degrees of freedom, of at least one value."""
    if not values:
        raise ValueError("Expected at least one value, got none.")
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Spread(1, mean, None, None)
    from scipy.stats import t

    deviation = statistics.stdev(values)
    return Spread(
        len(values), mean, deviation, float(t.ppf(0.975, len(values) - 1)) * deviation / math.sqrt(len(values))
    )


def apart(first: Spread, second: Spread) -> bool | None:
    """Whether two intervals do not touch; None where one of them has no interval."""
    if first.half_width is None or second.half_width is None:
        return None
    return abs(first.mean - second.mean) > first.half_width + second.half_width
