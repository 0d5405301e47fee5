"""How a score varies with the sequences that it is measured on. A function of numbers, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 1_999  # each costs a pass over the set
BLOCK = 2**22  # counts that are held at once
SEED = 20_180_301


class Ends(NamedTuple):
    """Of an interval, both included."""

    low: float
    high: float


def bootstrap_score(
    parts: npt.NDArray[Any],
    score: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Ends | None:
    """Percentile bootstrap (Efron 1979) of a score that follows from sums over the N items of a set.

    parts: what each item adds to the sums, (N, sums). score: of sums (R, sums), (R,). The items are drawn again with
    replacement, each draw N of them; what is said is how the score varies with the items, the answers being as they
    are. A function of its arguments alone; None for fewer than two items.
    """
    from scipy.stats import bootstrap

    number = len(parts)
    if number < 2:
        return None

    def scores(drawn: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        counts = np.stack([np.bincount(places, minlength=number) for places in drawn])
        return score(counts.astype(np.float64) @ parts)

    drawn = bootstrap(
        (np.arange(number),), scores, n_resamples=resamples, batch=max(BLOCK // number, 1), vectorized=True,
        confidence_level=confidence, method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Ends(*map(float, drawn.confidence_interval))
