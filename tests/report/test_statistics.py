"""Means and intervals, against scipy and by hand."""

import pytest
from scipy import stats

from auxrnn.report.statistics import Spread, apart, spread


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
