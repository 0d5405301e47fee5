"""Whether one model is better than another, or differs from a published number: functions of numbers, nothing else.

Runs are paired by their seed: two models with one seed share their split of the data. A difference counts as real where
p, corrected for the number of comparisons, is below 0.05; and as unknown where so few seeds could never show it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from auxrnn.report.statistics import SEED, Interval, Spread, apart, bootstrap_interval, spread

Real = Literal["yes", "no", "unknown"]

LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Ours minus the baseline over `count` pairs.

    interval: Student's 95 % interval of the mean difference; bootstrap: the same by the bootstrap; effect: Hedges'
    paired g; p: of the paired permutation test, two-sided; p_corrected: after Holm's correction; least_p: the smallest
    p_corrected that `count` pairs can reach at all; apart: whether the intervals of the two means do not touch. None
    where too few pairs, or pairs that do not differ, cannot tell.
    """

    count: int
    difference: float
    interval: Interval | None
    bootstrap: Interval | None
    effect: float | None
    p: float | None
    p_corrected: float | None
    least_p: float
    apart: bool | None

    @property
    def real(self) -> Real:
        """Whether the difference is real by p_corrected; "unknown" where no difference could be shown."""
        if self.p_corrected is None or self.least_p >= LEVEL:
            return "unknown"
        return "yes" if self.p_corrected < LEVEL else "no"

    def __str__(self) -> str:
        """In points: `+3.2 (p 0.25)`."""
        told = "one pair" if self.p_corrected is None else f"p {_p_text(self.p_corrected)}"
        return f"{100 * self.difference:+.1f} ({told})"


@dataclass(frozen=True)
class PublishedComparison:
    """Our mean minus a published number without a spread of its own; `real`: it lies outside our 95 % interval."""

    difference: float
    own: Spread
    real: Real


def compare(ours: Sequence[float], baseline: Sequence[float]) -> Comparison:
    """One comparison of runs paired in their order; `compare_all` for several."""
    if len(ours) != len(baseline) or not ours:
        raise ValueError(f"Expected as many runs of both, at least one, got {len(ours)} and {len(baseline)}.")
    differences = [own - other for own, other in zip(ours, baseline, strict=True)]
    p = permutation_p(differences)
    return Comparison(
        len(differences),
        statistics.fmean(differences),
        spread(differences).interval,
        bootstrap_interval(differences),
        paired_effect(differences),
        p,
        p,
        least_p(len(differences)),
        apart(spread(ours), spread(baseline)),
    )


def compare_all(arms: Mapping[str, Mapping[int, float]], baseline: str) -> dict[str, Comparison]:
    """Every other arm against `arms[baseline]`, Holm-corrected for their number; an arm is a value by seed.

    Only the seeds that both have are compared; an arm that shares none with the baseline is left out.
    """
    base = arms[baseline]
    found = {}
    for name, own in arms.items():
        seeds = sorted(own.keys() & base.keys())
        if name != baseline and seeds:
            found[name] = compare([own[seed] for seed in seeds], [base[seed] for seed in seeds])
    tested = {name: one.p for name, one in found.items() if one.p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {
        name: replace(one, p_corrected=corrected.get(name), least_p=least_p(one.count, max(len(tested), 1)))
        for name, one in found.items()
    }


def compare_published(values: Sequence[float], published: float) -> PublishedComparison:
    """Our runs against one number, in the same unit; a single run tells nothing."""
    own = spread(values)
    real: Real = "unknown" if own.interval is None else "no" if published in own.interval else "yes"
    return PublishedComparison(own.mean - published, own, real)


def permutation_p(differences: Sequence[float], *, resamples: int = 99_999, seed: int = SEED) -> float | None:
    """Two-sided p of the mean of paired differences, whose signs are exchangeable where there is no effect.

    Exact over all 2^n signs where these are at most `resamples` (n = 16), else a seeded sample in which the data count
    as one draw. None for one pair.
    """
    import numpy as np
    from scipy.stats import permutation_test

    if len(differences) < 2:
        return None
    tested = permutation_test(
        (differences,), lambda signed, axis: np.abs(np.sum(signed, axis=axis)), permutation_type="samples",
        vectorized=True, alternative="greater", n_resamples=resamples, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(tested.pvalue)


def least_p(count: int, comparisons: int = 1) -> float:
    """The smallest p of `permutation_p` on `count` pairs: 2 / 2^n, times the comparisons that Holm corrects for."""
    return min(1.0, comparisons * 2.0 ** (1 - count))


def reach_of(found: Collection[Comparison]) -> str:
    """What the comparisons of one table can show at best, for its reader."""
    tested = sum(one.p is not None for one in found)
    return reach_note(max((one.count for one in found), default=1), max(tested, 1))


def reach_note(count: int, comparisons: int = 1) -> str:
    """What `count` seeds can show at best, in a sentence or two for the reader of a table."""
    if count < 2:
        return "One seed shows no spread: no interval and no test."
    among = f" among {comparisons} comparisons" if comparisons > 1 else ""
    least = least_p(count, comparisons)
    first = f"With {count} seeds the smallest two-sided p of the paired permutation test{among} is {_p_text(least)}"
    if least < LEVEL:
        return f"{first}."
    needed = next(n for n in range(2, 64) if least_p(n, comparisons) < LEVEL)
    return f"{first}: it cannot fall below {LEVEL}, whatever the difference. {needed} seeds could."


def paired_effect(differences: Sequence[float]) -> float | None:
    """Hedges' paired g: the mean difference in standard deviations of the differences, corrected for few pairs.

    `(1 - 3 / (4 (n - 1) - 1)) * mean / deviation` (Hedges 1981). None for fewer than three pairs, where the correction
    leaves nothing, and for equal differences.
    """
    if len(differences) < 3:
        return None
    deviation = statistics.stdev(differences)
    mean = statistics.fmean(differences)
    if deviation <= 1e-12 * max(abs(mean), math.ulp(1.0)):
        return None
    return (1 - 3 / (4 * (len(differences) - 1) - 1)) * mean / deviation


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979) of p values for their number, in their own order."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def _p_text(p: float) -> str:
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"
