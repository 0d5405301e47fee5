"""Cells as numbers and splits."""

import math

import pytest

from auxrnn.errors import InputError
from auxrnn.sources.splits import split_of
from auxrnn.storage.numbers import number_of


@pytest.mark.parametrize("cell", ["", " ", "?", "NaN", "NA", "null", None, float("nan")])
def test_gaps_are_nan(cell):
    assert math.isnan(number_of(cell, "here", "value"))


def test_numbers():
    assert number_of(" -1.5e3 ", "here", "value") == -1500
    assert number_of(7, "here", "value") == 7


@pytest.mark.parametrize(("cell", "told"), [("inf", "finite"), ("abc", "a number as speed"), ("-Infinity", "finite")])
def test_other_cells_are_refused_with_their_place(cell, told):
    with pytest.raises(InputError, match=rf"a\.csv, row 3: .*{told}"):
        number_of(cell, "a.csv, row 3", "speed")


def test_splits():
    assert [split_of(word, "") for word in ("Train", "val", " TEST ")] == ["train", "validation", "test"]
    with pytest.raises(InputError, match="row 9: expected train, validation or test"):
        split_of("other", "row 9")
