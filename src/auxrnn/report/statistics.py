"""Statistics of repeated runs: scores with their intervals. Functions of numbers, nothing else.

Two intervals of a mean are offered, both 95 %. Student's t assumes a normal spread and is honest from two runs on; the
bootstrap assumes nothing, but with a handful of runs it is too narrow, for it never sees a value that did not occur.
Judgements are made with the former, the latter stands beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 9_999
SEED = 20_180_301


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """In percent: `61.0 to 70.2`."""
        return f"{100 * self.low:.1f} to {100 * self.high:.1f}"


@dataclass(frozen=True)
class Spread:
    """The mean of `count` runs, their standard deviation and the half-width of the mean's 95 % interval.

    The latter two are None for a single run: one number has no spread.
    """

    count: int
    mean: float
    deviation: float | None
    half_width: float | None

    @property
    def interval(self) -> Interval | None:
        """Student's interval of the mean; None for a single run."""
        return None if self.half_width is None else Interval(self.mean - self.half_width, self.mean + self.half_width)

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


def bootstrap_interval(
    values: Sequence[float], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval | None:
    """Percentile bootstrap of the mean (Efron 1979), a function of its arguments alone; None for a single value."""
    import numpy as np
    from scipy.stats import bootstrap

    if not values:
        raise ValueError("Expected at least one value, got none.")
    if len(values) < 2:
        return None
    drawn = bootstrap(
        (values,), np.mean, n_resamples=resamples, confidence_level=confidence, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Interval(*map(float, drawn.confidence_interval))


def apart(first: Spread, second: Spread) -> bool | None:
    """Whether two intervals do not touch; None where one of them has no interval."""
    if first.half_width is None or second.half_width is None:
        return None
    return abs(first.mean - second.mean) > first.half_width + second.half_width
