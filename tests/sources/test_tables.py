"""Rows and columns against hand-written files; hostile files are refused with their row."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.tables import open_table
from own_files import write_csv


def rows_of(path, **options):
    return list(open_table(path, ReadingOptions(**options)).rows())


def test_header_quotes_and_line_numbers(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label", '"one, ""two""', 'three",x', "", "four,y")
    table = open_table(path, ReadingOptions())
    assert table.columns == ("text", "label")
    assert list(table.rows()) == [(2, ['one, "two"\nthree', "x"]), (5, ["four", "y"])]


def test_no_header_where_the_first_row_holds_a_number(tmp_path):
    path = write_csv(tmp_path / "a.csv", "1,some words", "2,others")
    assert open_table(path, ReadingOptions()).columns == ("1", "2")
    assert len(rows_of(path)) == 2
    assert open_table(path, ReadingOptions(header="yes")).columns == ("1", "some words")


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ";"), ("a.tsv", "\t"), ("a.csv", "|"), ("a.csv", "\t")])
def test_delimiters_are_found(tmp_path, name, mark):
    path = write_csv(tmp_path / name, f"text{mark}label", f"a, b{mark}x")
    assert rows_of(path) == [(2, ["a, b", "x"])]


def test_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label", "a,x", encoding="utf-8-sig")
    assert open_table(path, ReadingOptions()).columns == ("text", "label")


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["a", None], "label": [1, 2]}), path)
    assert open_table(path, ReadingOptions()).columns == ("text", "label")
    assert rows_of(path) == [(1, ("a", 1)), (2, (None, 2))]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["text,label", "a,x", "b"], "row 3: expected 2 cells"),
        (["text,label", "a,x,y"], "row 2: expected 2 cells.*unquoted"),
        (["text,label", 'a,"x'], "row 2: .*Unclosed quote"),
        (["text,text", "a,x"], "'text' twice"),
        (["text,label", "a\0,x"], "row 2: expected text, found a zero byte"),
        ([], "found an empty file"),
        (["", ""], "found an empty file"),
    ],
)
def test_broken_tables(tmp_path, lines, told):
    path = write_csv(tmp_path / "a.csv", *lines)
    with pytest.raises(InputError, match=rf"a\.csv.*{told}"):
        rows_of(path)


def test_wrong_encoding_names_the_option(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nnaïve,x\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"expected text in utf-8.*--encoding latin-1"):
        rows_of(path)
    assert rows_of(path, encoding="latin-1") == [(2, ["naïve", "x"])]


def test_enormous_cells_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("auxrnn.sources.delimited.LARGEST_CELL", 100)
    path = write_csv(tmp_path / "a.csv", "text,label", "a" * 101 + ",x")
    with pytest.raises(InputError, match=r"row 2: .*field larger than"):
        rows_of(path)


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"", b"\0" * 100])
def test_damaged_parquet(tmp_path, content):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet: expected Parquet"):
        rows_of(path)


def test_a_missing_column_names_those_there_are(tmp_path):
    table = open_table(write_csv(tmp_path / "a.csv", "body,label", "a,x"), ReadingOptions())
    with pytest.raises(InputError, match=r"--text to be one of its columns \(body, label\), got 'bodi'.*'body'"):
        table.place("bodi", "text")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_delimiters_between_quotes_are_found(tmp_path, mark):
    path = write_csv(tmp_path / "a.csv", f'"text"{mark}"label"', f'"a, b"{mark}"x"')
    assert rows_of(path) == [(2, ["a, b", "x"])]


def test_a_first_column_without_a_name_as_pandas_writes_it(tmp_path):
    path = write_csv(tmp_path / "a.csv", ",id,time,u,label", "0,1,1,5,x", "1,1,2,6,x")
    assert open_table(path, ReadingOptions()).columns == ("", "id", "time", "u", "label")
