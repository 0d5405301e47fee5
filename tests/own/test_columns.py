"""Guesses are made only where one thing can be meant."""

import pytest

from auxrnn.errors import InputError
from auxrnn.own.columns import header_notes, label_cell, label_named, named, numeric_columns, split_column
from auxrnn.own.tables import open_table
from auxrnn.reading import ReadingOptions
from own_files import write_csv


def table_of(folder, *lines):
    return open_table(write_csv(folder / "a.csv", *lines), ReadingOptions())


def test_names_in_any_case_but_not_two(tmp_path):
    assert named(table_of(tmp_path, "Label,x", "a,b"), ("label", "class")) == "Label"
    assert named(table_of(tmp_path, "label,class", "a,b"), ("label", "class")) is None


def test_y_beside_x_is_a_place(tmp_path):
    assert label_named(table_of(tmp_path, "x,y,z,label", "1,2,3,a")) == "label"
    assert label_named(table_of(tmp_path, "x,y", "1,2")) is None
    assert label_named(table_of(tmp_path, "x,y", "words,a")) == "y"
    assert label_named(table_of(tmp_path, "y,label", "1,a")) is None


def test_a_split_needs_name_and_content(tmp_path):
    """One word that is known tells what the column is, so that another is a fault to be told."""
    assert split_column(table_of(tmp_path, "x,split", "a,train", "b,hold"), None) == "split"
    assert split_column(table_of(tmp_path, "x,split", "a,train", "b,TEST"), None) == "split"
    assert split_column(table_of(tmp_path, "x,split", "a,left", "b,right"), None) is None
    assert split_column(table_of(tmp_path, "x,half", "a,train", "b,test"), "half") == "half"


def test_numeric_columns(tmp_path):
    table = table_of(tmp_path, "id,a,b,c,d", "1,0.5,x,,", "2,,3,4,")
    assert numeric_columns(table, used=["id"]) == ("a", "c")


def test_a_column_of_numbers_with_a_fault_is_one(tmp_path):
    table = table_of(tmp_path, "id,a,b", "1,0.5,x", "2,fast,y", "3,1,4")
    assert numeric_columns(table, used=["id"]) == ("a",)


def test_a_first_row_that_may_be_data(tmp_path):
    options = ReadingOptions()
    (note,) = header_notes(table_of(tmp_path, "good film,a", "bad film,b"), options)
    assert note == "The first row of a.csv is taken for names of columns (good film, a); if it is data: --header no."
    assert header_notes(table_of(tmp_path, "words,Label", "bad film,b"), options) == ()
    table = table_of(tmp_path, "words,kind", "bad film,b")
    assert header_notes(table, ReadingOptions(text="words")) == header_notes(table, ReadingOptions(header="yes")) == ()
    assert header_notes(table_of(tmp_path, "1,b", "2,c"), options) == ()


@pytest.mark.parametrize(
    ("cell", "label"),
    [(" x ", "x"), ("", None), (None, None), (float("nan"), None), (3.0, "3"), (3, "3"), (True, "True")],
)
def test_label_cells(cell, label):
    assert label_cell(cell) == label


@pytest.mark.parametrize(
    "cell",
    ["5%", "$5.20", "1 000", "1\u00a0000", "1'000.5", "1.000.000", "\u22121.5", "٣", "１２", "1.5D+01", '"1,000.5"'],
)
def test_numbers_written_otherwise_are_asked_about(tmp_path, cell):
    """None of them is a number to CSV tools, and no column of numbers may go with a note alone."""
    with pytest.raises(InputError, match=r"expected plain numbers with a point in 'a', got .* with --features"):
        numeric_columns(table_of(tmp_path, "a,b", f"{cell},1", f"{cell},2"), used=frozenset())


@pytest.mark.parametrize("cell", ["3_1", "0x10", "1.2.3", "2024-01-31", "10:30", "m1", "1/2", "A5", "12d5", "5 m"])
def test_what_is_no_number_in_any_writing(tmp_path, cell):
    assert numeric_columns(table_of(tmp_path, "a,b", f"{cell},1", f"{cell},2"), used=frozenset()) == ("b",)


@pytest.mark.parametrize("name", ["split", "Fold", "is_train"])
def test_a_part_in_numbers_is_no_channel(tmp_path, name):
    assert numeric_columns(table_of(tmp_path, f"a,{name}", "1,0", "2,1"), used=frozenset()) == ("a",)
