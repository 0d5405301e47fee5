"""Moments against exact fractions, on channels that never change and on channels far from zero."""

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.targets.moments import channel_moments


def moments(values: Any, blocks: int = 3) -> tuple[float, float]:
    """Of one channel, its steps in several blocks."""
    parts = np.array_split(np.asarray(values)[:, None], blocks)
    (mean,), (scale,) = channel_moments(lambda: parts, "X")
    return mean, scale


def exact(values: Any) -> tuple[float, float]:
    numbers = [Fraction(float(value)) for value in values]
    mean = sum(numbers) / len(numbers)
    return float(mean), sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("value", [0.1, 37.2, -37.2, 0.0, 1e8 / 3])
@pytest.mark.parametrize("steps", [3, 100_000])
def test_a_channel_that_never_changes_has_a_scale_of_1_however_long(dtype: str, value: float, steps: int) -> None:
    if dtype == "float16" and value > 1e4:
        value = 333.3
    values = np.full(steps, value, dtype)
    assert moments(values) == (float(values[0]), 1.0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rounding_of_the_type_is_no_change(dtype: str) -> None:
    sums = np.array([0.1, 0.2, 0.3], dtype)
    values = [sums.sum(), sums[::-1].sum(), np.nextafter(sums.sum(), sums.dtype.type(9))]
    assert len(set(values)) > 1
    assert moments(values * 50)[1] == 1.0


@pytest.mark.parametrize("offset", [0.0, 37.2, 1e8, 1.7e9, -1e12])
def test_a_channel_far_from_zero(offset: float) -> None:
    values = offset + np.random.default_rng(0).normal(0, 3, 5000)
    mean, scale = exact(values)
    assert moments(values) == (pytest.approx(mean, rel=1e-15), pytest.approx(scale, rel=1e-9))


def test_small_changes_of_a_small_channel_are_changes() -> None:
    values = np.array([1.0, 1.0 + 1e-12, 1.0 - 1e-12])
    assert moments(values)[1] == pytest.approx(exact(values)[1], rel=1e-9)


def test_whole_numbers_are_exact() -> None:
    values = np.array([2**40, 2**40 + 1])
    assert moments(values, 1) == (2**40 + 0.5, 0.5)
    assert moments(values[:1].repeat(7)) == (2**40, 1.0)


def test_numbers_that_cannot_be_squared_are_refused() -> None:
    with pytest.raises(InputError, match="X: expected finite values that can be squared and summed"):
        moments([1e300, -1e300, 0.0])
