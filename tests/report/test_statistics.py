"""Means and intervals, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from auxrnn.report.statistics import Interval, Spread, apart, bootstrap_interval, spread


def test_by_hand():
    """Mean 0.7, deviation 0.1; t(0.975, 2) = 4.302653 (any printed table); 4.302653 * 0.1 / sqrt(3) = 0.248414."""
    found = spread([0.6, 0.7, 0.8])
    assert found.count == 3
    assert found.mean == pytest.approx(0.7)
    assert found.deviation == pytest.approx(0.1)
    assert found.half_width == pytest.approx(0.248414, abs=1e-6)
    assert str(found) == "70.0 ± 24.8"


@pytest.mark.parametrize("values", [[0.1, 0.4], [0.2, 0.25, 0.9, 0.3], [1.0, 2.0, 4.0, 8.0, 16.0]])
def test_against_scipy(values):
    found = spread(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=found.mean, scale=stats.sem(values))
    assert found.mean - found.half_width == pytest.approx(low)
    assert found.mean + found.half_width == pytest.approx(high)


def test_a_single_run_has_no_interval():
    assert spread([0.661]) == Spread(1, 0.661, None, None)
    assert str(spread([0.661])) == "66.1"


def test_equal_runs_have_an_interval_of_nothing():
    assert str(spread([0.5, 0.5, 0.5])) == "50.0 ± 0.0"


def test_no_value():
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_apart():
    low, high = Spread(3, 0.2, 0.1, 0.1), Spread(3, 0.5, 0.1, 0.19)
    assert apart(low, high) is True
    assert apart(high, low) is True
    assert apart(low, Spread(3, 0.5, 0.1, 0.25)) is False
    assert apart(Spread(2, 0.0, 0.0, 0.25), Spread(2, 0.5, 0.0, 0.25)) is False  # they touch
    assert apart(low, low) is False
    assert apart(low, spread([0.9])) is None
    assert apart(spread([0.9]), low) is None


def test_the_interval_of_a_spread():
    found = Spread(3, 0.5, 0.1, 0.2).interval
    assert found == Interval(0.3, 0.7)
    assert 0.3 in found
    assert 0.7 in found
    assert 0.71 not in found
    assert str(found) == "30.0 to 70.0"
    assert spread([0.5]).interval is None


@pytest.mark.parametrize("values", [[0.1, 0.4], [0.2, 0.25, 0.9, 0.3], [1.0, 2.0, 4.0, 8.0, 16.0]])
@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_bootstrap_against_scipy(values, confidence):
    found = bootstrap_interval(values, confidence=confidence, resamples=2000, seed=5)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", confidence_level=confidence,
        rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_bootstrap_of_two_values_by_hand():
    """Of two values the four equally likely resamples have means 0, 1/2, 1/2, 1: 95 % reach from one to the other."""
    assert bootstrap_interval([0.0, 1.0]) == Interval(0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], confidence=0.4) == Interval(0.5, 0.5)


def test_the_seed_of_the_bootstrap_matters_and_is_fixed_by_default():
    values = [0.1, 0.15, 0.4, 0.9, 0.7]
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, resamples=50, seed=1) != bootstrap_interval(values, resamples=50, seed=2)


def test_one_value_has_no_bootstrap_and_none_is_refused():
    assert bootstrap_interval([0.5]) is None
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([])
