"""Tests, effects and corrections, against scipy, an obvious loop and by hand."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from auxrnn.report.comparisons import (
    compare,
    compare_all,
    compare_published,
    holm,
    least_p,
    paired_effect,
    permutation_p,
    reach_note,
    reach_of,
)
from auxrnn.report.statistics import Interval


@pytest.mark.parametrize(
    "differences", [[0.1, 0.2], [0.3, -0.1, 0.2, 0.25], [0.1] * 5, [0.0, 0.0, 0.0], [-0.4, 0.1, -0.2, 0.0, 0.05, 0.3]]
)
def test_the_exact_test_against_a_loop_and_scipy(differences):
    found = permutation_p(differences)
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in product((1, -1), repeat=len(differences))]  # fmt: skip
    assert found == np.mean([total >= abs(sum(differences)) - 1e-12 for total in sums])
    zeros = [0.0] * len(differences)
    expected = stats.permutation_test(
        (differences, zeros), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert found == pytest.approx(expected.pvalue)


def test_many_pairs_are_sampled_near_the_exact_p():
    """Seventeen pairs, one more than are enumerated; the exact p is counted here over all 2^17 signs."""
    differences = np.random.default_rng(0).normal(0.3, 1.0, 17)
    signs = 1 - 2 * ((np.arange(2**17)[:, None] >> np.arange(17)) & 1)
    exact = float(np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12))
    found = permutation_p(list(differences))
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 99_999))
    assert found == permutation_p(list(differences))
    assert permutation_p(list(differences), seed=1) != found
    assert permutation_p([1.0] * 40, resamples=99) == 1 / 100  # the data themselves are one draw: never 0


def test_the_smallest_p_is_reached_and_told():
    for count in (2, 3, 6):
        assert permutation_p([1.0 + index for index in range(count)]) == least_p(count) == 2 / 2**count
    assert least_p(3, 8) == 1.0
    assert permutation_p([0.1]) is None
    assert reach_note(1) == "One seed shows no spread: no interval and no test."
    assert "is 0.25: it cannot fall below 0.05, whatever the difference. 6 seeds could." in reach_note(3)
    assert reach_note(6) == "With 6 seeds the smallest two-sided p of the paired permutation test is 0.031."
    assert "among 4 comparisons is 1: it cannot" in reach_note(3, 4)
    assert "8 seeds could" in reach_note(3, 4)  # 4 * 2 / 2^8 = 0.031, 4 * 2 / 2^7 = 0.063


def test_effect_by_hand():
    """Differences 1, 2, 3: mean 2, deviation 1, n - 1 = 2: (1 - 3 / 7) * 2 = 8 / 7."""
    assert paired_effect([1.0, 2.0, 3.0]) == pytest.approx(8 / 7)
    assert paired_effect([-1.0, -2.0, -3.0]) == pytest.approx(-8 / 7)
    assert paired_effect([0.1, 0.3]) is None  # 1 - 3 / 3 leaves nothing of it
    assert paired_effect([0.1]) is None
    assert paired_effect([0.3, 0.3, 0.1 + 0.2]) is None


def test_holm_by_hand():
    """0.01 * 4 = 0.04; 0.02 * 3 = 0.06; 0.03 * 2 = 0.06; 0.9."""
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.4, 0.3]) == pytest.approx([0.6, 0.6])
    assert holm([0.5, 0.6, 0.7]) == [1.0, 1.0, 1.0]
    assert holm([]) == []


def test_compare():
    ours, baseline = [0.5, 0.6, 0.7], [0.4, 0.4, 0.4]
    found = compare(ours, baseline)
    low, high = stats.t.interval(0.95, 2, loc=0.2, scale=stats.sem([0.1, 0.2, 0.3]))
    assert found.count == 3
    assert found.difference == pytest.approx(0.2)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert (found.bootstrap.low, found.bootstrap.high) == pytest.approx((0.1, 0.3))
    assert found.effect == pytest.approx(8 / 7)
    assert found.p == found.p_corrected == 0.25
    assert found.apart is False  # 60.0 ± 24.8 reaches down to 35.2
    assert found.real == "unknown"  # three pairs cannot tell
    assert str(found) == "+20.0 (p 0.25)"


def test_six_pairs_can_tell():
    rising = [0.1, 0.11, 0.12, 0.13, 0.14, 0.15]
    assert compare(rising, [0.0] * 6).real == "yes"
    assert compare(rising, [0.2, 0.0] * 3).real == "no"


def test_one_pair_tells_the_difference_alone():
    found = compare([0.5], [0.4])
    assert (found.interval, found.bootstrap, found.effect, found.p, found.apart) == (None,) * 5
    assert found.real == "unknown"
    assert str(found) == "+10.0 (one pair)"


@pytest.mark.parametrize(("ours", "baseline"), [([], []), ([0.1], [0.1, 0.2])])
def test_pairs_that_are_none(ours, baseline):
    with pytest.raises(ValueError, match="as many runs"):
        compare(ours, baseline)


def test_arms_are_paired_by_seed_and_corrected_together():
    base = dict(enumerate([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]))
    better = {seed: value + 0.1 + 0.01 * seed for seed, value in base.items()}
    arms = {
        "better": dict(reversed(better.items())),  # its seeds in another order
        "base": base,
        "same": {seed: value + (0.01 if seed % 2 else -0.01) for seed, value in base.items()},
        "once": {3: 0.5},
        "elsewhere": {99: 0.5},
    }
    found = compare_all(arms, "base")
    assert list(found) == ["better", "same", "once"]
    assert found["better"].p == 2 / 2**8
    assert found["better"].p_corrected == 2 * found["better"].p == found["better"].least_p
    assert found["better"].real == "yes"
    assert found["same"].p_corrected == found["same"].p == 1.0
    assert found["same"].real == "no"
    assert found["once"].count == 1
    assert found["once"].difference == pytest.approx(0.1)
    assert found["once"].p_corrected is None


def test_a_published_number():
    inside, outside = compare_published([0.6, 0.7, 0.8], 0.5), compare_published([0.6, 0.7, 0.8], 0.45)
    assert inside.real == "no"  # 70.0 ± 24.8
    assert outside.real == "yes"
    assert outside.difference == pytest.approx(0.25)
    assert compare_published([0.6], 0.1).real == "unknown"
    assert outside.own.interval == Interval(pytest.approx(0.451586, abs=1e-6), pytest.approx(0.948414, abs=1e-6))


def test_what_a_table_can_show_counts_what_was_tested():
    """Six arms of one seed have no p, and cost the seventh nothing."""
    seeds = {seed: 0.1 * seed for seed in range(7)}
    arms = {"base": seeds, "own": {seed: value + 1 + seed for seed, value in seeds.items()}}
    found = compare_all(arms | {f"other {n}": {0: 0.5} for n in range(6)}, "base")
    assert reach_of(found.values()) == reach_note(7)
    assert found["own"].p_corrected == pytest.approx(2 / 2**7)
    assert reach_of([]) == reach_note(1)
