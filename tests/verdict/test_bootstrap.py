"""How a score varies with the sequences, against drawing them one by one."""

import numpy as np
import pytest

from auxrnn.report.statistics import bootstrap_interval
from auxrnn.verdict import bootstrap
from auxrnn.verdict.bootstrap import bootstrap_score


def ratio(sums):
    return sums[:, 0] / sums[:, 1]


@pytest.mark.parametrize("block", [1, 100, 2**22])
def test_bootstrap_of_a_score_is_that_of_the_items_drawn_one_by_one(monkeypatch, block):
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    parts = np.random.default_rng(1).uniform(1, 2, (30, 2))
    generator = np.random.default_rng(7)
    scores = []
    for _ in range(200):
        drawn = parts[generator.integers(0, 30, 30)]
        scores.append(drawn[:, 0].sum() / drawn[:, 1].sum())
    found = bootstrap_score(parts, ratio, resamples=200, seed=7, confidence=0.9)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(scores, [5, 95])))


def test_bootstrap_of_a_score_that_is_a_mean_is_the_bootstrap_of_the_mean():
    values = [0.2, 0.25, 0.9, 0.3]
    parts = np.column_stack([values, np.ones(4)])
    found, expected = bootstrap_score(parts, ratio, seed=3), bootstrap_interval(values, resamples=1_999, seed=3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_seed_of_the_bootstrap_of_a_score_is_fixed_and_matters():
    parts = np.random.default_rng(0).uniform(1, 2, (20, 2))
    assert bootstrap_score(parts, ratio) == bootstrap_score(parts, ratio)
    assert bootstrap_score(parts, ratio) != bootstrap_score(parts, ratio, seed=1)
    assert bootstrap_score(parts[:1], ratio) is None


def test_the_interval_of_a_share_is_near_wilsons():
    """Wilson for 700 of 1,000: 0.6709 to 0.7276 (by his formula); the two agree for large N in the middle."""
    parts = np.column_stack([np.arange(1000) < 700, np.ones(1000)])
    found = bootstrap_score(parts, ratio)
    assert (found.low, found.high) == pytest.approx((0.6709, 0.7276), abs=0.004)
