"""The difference of two scores on the same sequences, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from auxrnn.targets import Target
from auxrnn.verdict.bootstrap import bootstrap_score

FEWEST = 6
"""With fewer pairs no difference is one at 5 %: five that all say the same come by chance with 2 / 2**5."""


@dataclass(frozen=True)
class Difference:
    """One score less another, with its 95 % interval, `low` to `high`; both None where too few pairs tell."""

    value: float
    low: float | None
    high: float | None

    @property
    def known(self) -> bool:
        return self.low is not None

    @property
    def above(self) -> bool:
        """Whether the first is better beyond chance."""
        return self.low is not None and self.low > 0

    @property
    def below(self) -> bool:
        """Whether the second is better beyond chance."""
        return self.high is not None and self.high < 0


def paired_difference(target: Target, ours: Tensor, theirs: Tensor, by: str | None = None) -> Difference:
    """Of the target's first score, or the one called `by`, from the tallies (N, sums) of two models on N sequences.

    Accuracy of one class a sequence: the exact test of McNemar (1947) turned into an interval. Of the sequences that
    one of both has right and the other has not, the share that is ours is a binomial one; its Clopper-Pearson interval
    becomes one of the difference. Everything else: bootstrap over the sequences, both answers of each drawn together.
    """
    score = by or target.score
    value = float(target.rate(score, ours.sum(0)) - target.rate(score, theirs.sum(0)))
    if len(ours) < FEWEST:
        return Difference(value, None, None)
    if target.one_class and score == target.score:
        from scipy.stats import binomtest

        right, other = (tallies[:, -target.size :].sum(1) > 0 for tallies in (ours, theirs))
        won, apart = int((right & ~other).sum()), int((right != other).sum())
        if not apart:
            return Difference(value, 0.0, 0.0)
        share = binomtest(won, apart).proportion_ci(0.95, "exact")
        low, high = ((2 * end - 1) * apart / len(ours) for end in share)
        return Difference(value, float(low), float(high))

    def differences(sums: npt.NDArray[Any]) -> npt.NDArray[Any]:
        first, second = torch.from_numpy(sums).chunk(2, dim=1)
        return (target.rate(score, first) - target.rate(score, second)).numpy()

    found = bootstrap_score(torch.cat([ours, theirs], dim=1).numpy(), differences)
    assert found is not None
    return Difference(value, found.low, found.high)
