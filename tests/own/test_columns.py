"""Guesses are made only where one thing can be meant."""

import pytest

from auxrnn.own.columns import label_cell, named, numeric_columns, split_column
from auxrnn.own.tables import open_table
from auxrnn.reading import ReadingOptions
from own_files import write_csv


def table_of(folder, *lines):
    return open_table(write_csv(folder / "a.csv", *lines), ReadingOptions())


def test_names_in_any_case_but_not_two(tmp_path):
    assert named(table_of(tmp_path, "Label,x", "a,b"), ("label", "class")) == "Label"
    assert named(table_of(tmp_path, "label,class", "a,b"), ("label", "class")) is None


def test_a_split_needs_name_and_content(tmp_path):
    assert split_column(table_of(tmp_path, "x,split", "a,train", "b,TEST"), None) == "split"
    assert split_column(table_of(tmp_path, "x,split", "a,left", "b,right"), None) is None
    assert split_column(table_of(tmp_path, "x,half", "a,train", "b,test"), "half") == "half"


def test_numeric_columns(tmp_path):
    table = table_of(tmp_path, "id,a,b,c,d", "1,0.5,x,,", "2,,3,4,")
    assert numeric_columns(table, used=["id"]) == ("a", "c")


@pytest.mark.parametrize(
    ("cell", "label"),
    [(" x ", "x"), ("", None), (None, None), (float("nan"), None), (3.0, "3"), (3, "3"), (True, "True")],
)
def test_label_cells(cell, label):
    assert label_cell(cell) == label
