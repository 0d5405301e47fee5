"""Times of every kind as numbers that order the rows."""

from decimal import Decimal

import pytest

from auxrnn.errors import InputError
from auxrnn.sources.clock import Clock


def read(*cells, decimal="."):
    clock = Clock(decimal)
    return [clock.read(cell, row, lambda row: f"row {row}") for row, cell in enumerate(cells, 1)]


def test_since_the_first():
    assert read("5", "7", "4.5") == [0, 2, -0.5]
    assert read("0.25", "1e3") == [0.25, 1000]
    assert read(5, 7.5) == [0, 2.5]
    assert read(Decimal("0.500"), Decimal("1")) == [0.5, 1]
    assert read("1,5", "2", decimal=",") == [1.5, 2]


def test_nanoseconds_of_numbers_and_dates():
    assert read("1700000000000000000", "1700000000000000001") == [0, 1]
    assert read("2024-01-01 00:00:00.000000000", "2024-01-01 00:00:00.000000100", "2024-01-01T00:00:00.0000002Z") == [
        0,
        100,
        200,
    ]
    assert read("2024-01-01T00:00:00,123456789+01:00", "2024-01-01T00:00:01,123456788+01:00") == [0, 999_999_999]
    assert read("2024-01-31", "2024-02-01") == [0, 86400e9]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (("1", "2024-01-01"), "row 2: expected a number as time as in row 1, got a date"),
        (("2024-01-01", "1"), "row 2: expected a date as time as in row 1, got a number"),
        (("1_0",), "row 1: expected a time as a number or as 2024"),
        (("１",), "row 1: expected a time as a number"),
        (("",), "row 1: expected a time"),
        (("1,5",), "got '1,5'. If , is the decimal mark, say so with --decimal"),
        (("inf",), "row 1: expected a finite time"),
        ((True,), "row 1: expected a time"),
        ((1, 10**400), "row 2: expected a finite time"),
    ],
)
def test_what_is_no_time(cells, told):
    with pytest.raises(InputError, match=told):
        read(*cells)
