"""Guesses are made only where one thing can be meant."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.columns import header_notes, label_named, named, numeric_columns, split_column
from auxrnn.sources.importing import read_source
from auxrnn.sources.tables import open_table
from auxrnn.targets.labelling import label_cell
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
    options = ReadingOptions()
    assert split_column(table_of(tmp_path, "x,split", "a,train", "b,hold"), options) == "split"
    assert split_column(table_of(tmp_path, "x,split", "a,train", "b,TEST"), options) == "split"
    assert split_column(table_of(tmp_path, "x,split", "a,left", "b,right"), options) is None
    assert split_column(table_of(tmp_path, "x,half", "a,train", "b,test"), ReadingOptions(split="half")) == "half"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("Usage", ["Training", "PublicTest", "PrivateTest"]),
        ("Usage", ["Training"]),
        ("the phase", ["train", "", "test"]),
        ("fold", ["dev", "train"]),
    ],
)
def test_words_for_splits_under_another_name_are_asked_about(tmp_path, column, words):
    table = table_of(tmp_path, f"x,{column}", *(f"a,{word}" for word in words * 2))
    with pytest.raises(InputError, match=rf"to be told what '{column}' is.*--split .*{column}.*--split none\.$"):
        split_column(table, ReadingOptions())
    assert split_column(table, ReadingOptions(split=column)) == column
    assert split_column(table, ReadingOptions(split="none")) is None
    assert split_column(table, ReadingOptions(label=column)) is None


@pytest.mark.parametrize("cells", [["train", "bus"], ["train_1", "test_2"], ["", ""], ["1", "2"], ["a test", "train"]])
def test_other_words_are_not_asked_about(tmp_path, cells):
    assert split_column(table_of(tmp_path, "x,mode", *(f"a,{cell}" for cell in cells)), ReadingOptions()) is None


def test_a_split_of_words_in_tables_of_every_kind(tmp_path):
    steps = [f"{i},{t},{i + t},{i % 2},{'Training' if i < 4 else 'PrivateTest'}" for i in range(8) for t in range(3)]
    long = write_csv(tmp_path / "long.csv", "id,time,a,label,Usage", *steps)
    ends = [f"{i % 2},{'train' if i < 4 else 'test'}" for i in range(8)]
    texts = write_csv(tmp_path / "texts.csv", "text,label,Usage", *(f"a b,{end}" for end in ends))
    series = write_csv(tmp_path / "series.csv", "t0,t1,label,Usage", *(f"1,2,{end}" for end in ends))
    for path, rows in ((long, "steps"), (texts, "texts"), (series, "series")):
        with pytest.raises(InputError, match="--split Usage"):
            read_source(path, ReadingOptions(rows=rows))
        assert read_source(path, ReadingOptions(rows=rows, split="Usage")).splits.tolist() == [1] * 4 + [2] * 4
        assert read_source(path, ReadingOptions(rows=rows, split="none")).splits.tolist() == [0] * 8


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
