"""The grammar of numbers, against pandas' words and by hand."""

import math

import pytest

from auxrnn.storage.numbers import (
    are_counted,
    are_numbers,
    as_number,
    is_missing,
    is_number,
    listed_cells,
    parse_number,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), (" -1.5e3 ", -1500), ("+.5", 0.5), ("5.", 5), ("1E2", 100), ("inf", math.inf), ("-Infinity", -math.inf)],
)
def test_numbers(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["3_1", "１２", "٣", "0x1f", "1,5", "1e", "", "nan", "1 2", "1e1_0", "²", "true"])
def test_what_python_or_nobody_reads_is_no_number(text):
    with pytest.raises(ValueError, match="no number"):
        parse_number(text)
    assert not is_number(text)


def test_a_comma_before_the_fraction():
    assert parse_number("-1,25", ",") == -1.25
    assert parse_number("7", ",") == 7
    for text in ("1.25", "1,2,3", "1_2"):
        with pytest.raises(ValueError, match="no number"):
            parse_number(text, ",")


PANDAS = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""The words of pandas' read_csv, as its documentation has them."""


@pytest.mark.parametrize(
    "word", [*PANDAS, "", " ", "?", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", None]
)
def test_words_for_missing(word):
    assert is_missing(word)
    assert math.isnan(as_number(word))
    assert not is_number(word)


def test_cells_that_are_no_texts():
    assert as_number(3) == 3
    assert as_number(2.5) == 2.5
    assert not is_number(True)
    assert not is_number([1])


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("1", "1"),
        ("+1", "1"),
        ("-0", "0"),
        ("-2.0", "-2"),
        ("1.", "1"),
        ("1.0000000e+00", "1"),
        ("12e1", "120"),
        ("01", "01"),
        ("1.5", None),
        ("15e-1", None),
        ("1_0", None),
        ("１", None),
        ("1e999999999", None),
        ("x", None),
    ],
)
def test_whole_numbers_as_labels(text, digits):
    assert whole_number(text) == digits


def test_cells_that_count():
    assert are_counted(["0", "1", " 2"])
    assert are_counted([7, 8])
    for cells in (["0"], ["0", "2"], ["a", "b"], ["1", "1_2"], [True, 2], ["1", "２"], [0.5, 1.5]):
        assert not are_counted(cells)


@pytest.mark.parametrize(
    ("text", "decimal", "cells"),
    [
        ("1 2 3", ".", ["1", "2", "3"]),
        ("[1.5, -2, nan]", ".", ["1.5", "-2", "nan"]),
        ("1,5; 2", ",", ["1.5", "2"]),
        ("1|2", ".", ["1", "2"]),
        ("7", ".", None),
        ("1,5", ",", None),
        ("two 2", ".", None),
        ("[[1, 2], [3, 4]]", ".", None),
        ("2024-01-31 12:00", ".", None),
        ("NA", ".", None),
        ("", ".", None),
    ],
)
def test_lists_that_are_texts(text, decimal, cells):
    assert are_numbers(text, decimal) is (cells is not None)
    if cells:
        assert listed_cells(text, decimal) == cells


def test_whole_numbers_beyond_any_float():
    assert (as_number(10**400), as_number(-(10**400))) == (math.inf, -math.inf)
    assert is_number(10**400)
