"""Label cells of tables, by the kind of target."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.label_columns import label_columns
from auxrnn.sources.tables import open_table
from auxrnn.sources.texts import find_text_reader
from own_files import write_csv


def read(folder, *lines, **options):
    """The labels of all rows, with the columns found."""
    settings = ReadingOptions(**options)
    table = open_table(write_csv(folder / "a.csv", *lines), settings)
    columns = label_columns(table, settings)
    return columns, [columns.label(cells, f"row {number}") for number, cells in table.rows()]


def test_the_only_column_left_is_the_label(tmp_path):
    table = open_table(write_csv(tmp_path / "a.csv", "words,kind", "a,b"), ReadingOptions())
    assert label_columns(table, ReadingOptions(), used=["words"]).names == ("kind",)
    with pytest.raises(InputError, match=r"expected --label COLUMN.*words, kind"):
        label_columns(table, ReadingOptions())


def test_several_classes_in_one_cell(tmp_path):
    columns, labels = read(tmp_path, "x,label", "1,red|round", "2,red ; small", "3,", "4,red|red", target="classes")
    assert labels == [("red", "round"), ("red", "small"), (), ("red",)]
    assert columns.values == ()


def test_several_classes_in_columns_of_0_and_1(tmp_path):
    lines = ["x,red,round", "1,1,0", "2,yes,TRUE", "3,0,no"]
    columns, labels = read(tmp_path, *lines, target="classes", label="red, round")
    assert labels == [("red",), ("red", "round"), ()]
    assert columns.values == ("red", "round")
    with pytest.raises(InputError, match="row 2: expected 0 or 1 in 'red', got '2'"):
        read(tmp_path, "x,red,round", "1,2,0", target="classes", label="red,round")


def test_values(tmp_path):
    columns, labels = read(tmp_path, "x,mass,age", "1,2.5,-3", "2,,4", target="value", label="mass,age")
    assert labels == [(2.5, -3.0), None]
    assert columns.values == ("mass", "age")
    with pytest.raises(InputError, match="row 2: expected a number as mass, got 'heavy'"):
        read(tmp_path, "x,mass", "1,heavy", target="value", label="mass")


def test_several_columns_ask_what_they_are(tmp_path):
    with pytest.raises(InputError, match=r"got mass, age. Say what they are: --target classes .* or --target value"):
        read(tmp_path, "x,mass,age", "1,2,3", label="mass,age")


def test_a_column_with_a_comma_in_its_name(tmp_path):
    columns, labels = read(tmp_path, 'x,"a,b"', "1,yes", label="a,b")
    assert (columns.names, labels) == (("a,b",), ["yes"])


def test_cells_of_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    def labels(kind, cells):
        path = tmp_path / "a.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"text": ["a b"] * len(cells), "label": cells}), path)
        options = ReadingOptions(target=kind)
        return [row.label for row in find_text_reader(open_table(path, options), options).examples()]

    assert labels("classes", [["red"], ["red", "round", "red"], [], None]) == [("red",), ("red", "round"), (), ()]
    assert labels("class", [True, None]) == ["True", None]
    with pytest.raises(InputError, match=r"row 2: expected a text or a whole number as label, got list .*several"):
        labels("class", [None, ["red"]])
    for kind in ("class", "classes"):
        with pytest.raises(InputError, match="row 1: expected a text or a whole number as label, got bytes b'red'"):
            labels(kind, [b"red"])
