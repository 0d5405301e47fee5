"""How text files with a mark between the cells are written."""

import gzip

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.tables import open_table
from own_files import write_csv


def read(path, **given):
    table = open_table(path, ReadingOptions(**given))
    return table.columns, [list(cells) for _, cells in table.rows()]


def test_a_line_of_excel_names_the_delimiter(tmp_path):
    path = write_csv(tmp_path / "a.csv", "sep=;", "id;a,b", "1;2,5")
    assert read(path) == (("id", "a,b"), [["1", "2,5"]])
    assert next(open_table(path, ReadingOptions()).rows())[0] == 3


def test_the_mark_that_parts_all_rows_alike(tmp_path):
    path = write_csv(tmp_path / "a.csv", "0;1,5;a", "1;2;b", "2;3,5;a")
    assert read(path)[1] == [["0", "1,5", "a"], ["1", "2", "b"], ["2", "3,5", "a"]]
    numbers = write_csv(tmp_path / "c.csv", "0,5;1,5;2,5", "1,5;2,5;3,5")
    assert read(numbers)[1] == [["0,5", "1,5", "2,5"], ["1,5", "2,5", "3,5"]]
    texts = write_csv(tmp_path / "b.csv", "text,label", "good; better; best,x", "bad,y")
    assert read(texts) == (("text", "label"), [["good; better; best", "x"], ["bad", "y"]])


def test_blanks_before_quoted_cells(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id, text, label", '0, "hello, you", "a"', '1, "x ""y""", "b"')
    assert read(path) == (("id", "text", "label"), [["0", "hello, you", "a"], ["1", 'x "y"', "b"]])
    kept = write_csv(tmp_path / "b.csv", "text,label", '" ""so"" they say",x', " blank before,y")
    assert read(kept)[1] == [[' "so" they say', "x"], [" blank before", "y"]]


def test_tabs_without_quoting(tmp_path):
    path = write_csv(tmp_path / "a.tsv", "text\tlabel", 'a "bore"\tneg', '"Great" film\tpos', '"odd\tneg')
    columns, rows = read(path)
    assert (columns, rows) == (("text", "label"), [['a "bore"', "neg"], ['"Great" film', "pos"], ['"odd', "neg"]])
    assert open_table(path, ReadingOptions()).notes == (
        "Quotes in a.tsv are read as they stand: not all of them hold a cell.",
    )
    quoted = write_csv(tmp_path / "b.tsv", "text\tlabel", '"a\tb"\tneg')
    assert read(quoted)[1] == [["a\tb", "neg"]]
    assert open_table(quoted, ReadingOptions()).notes == ()


@pytest.mark.parametrize(
    ("lines", "columns", "rows"),
    [
        (["id,a,", "1,2,", "2,3,"], ("id", "a"), [["1", "2"], ["2", "3"]]),
        (["id,a", "1,2,", "2,3,"], ("id", "a"), [["1", "2"], ["2", "3"]]),
        (["id,a,,", "1,2,,", "2,3,,"], ("id", "a"), [["1", "2"], ["2", "3"]]),
        (["id,a,", "1,2,x", "2,3,y"], ("1", "2", "3"), [["id", "a", ""], ["1", "2", "x"], ["2", "3", "y"]]),
        (["id,a", "1,7,2", "2,8,3"], ("", "id", "a"), [["1", "7", "2"], ["2", "8", "3"]]),  # as R writes it
    ],
)
def test_commas_at_the_end_and_names_of_rows(tmp_path, lines, columns, rows):
    found = read(write_csv(tmp_path / "a.csv", *lines), **({"header": "no"} if columns[0] == "1" else {}))
    assert found == (columns, rows)


def test_lines_before_the_table_that_were_filled_up(tmp_path):
    path = write_csv(tmp_path / "a.csv", "Device X,,", "Date,today,", "id,a,b", "1,2,3", "2,3,4")
    with pytest.raises(InputError, match=r"got 1 and 3\. If there are lines before the table, say so with --skip 2;"):
        read(path)
    assert read(path, skip=2)[0] == ("id", "a", "b")


def test_many_lines_before_the_table(tmp_path):
    path = write_csv(tmp_path / "a.csv", *(f"line {number}" for number in range(30)), "id,a,b", "1,2,3")
    with pytest.raises(InputError, match=r"row 31: expected 1 cells .* or a line before the table \(--skip N\)\?"):
        read(path)


def test_lines_before_the_table(tmp_path):
    path = write_csv(tmp_path / "a.csv", "Device: X", "Date: today", "", "id,a,b", "1,2,3", "2,3,4", "2,3,4")
    with pytest.raises(InputError, match=r"got 1 and 3\. If there are lines before the table, say so with --skip 3;"):
        read(path)
    assert read(path, skip=3) == (("id", "a", "b"), [["1", "2", "3"], ["2", "3", "4"], ["2", "3", "4"]])
    assert next(open_table(path, ReadingOptions(skip=3)).rows())[0] == 5  # the line in the file


def test_columns_set_apart_by_blanks(tmp_path):
    path = write_csv(tmp_path / "a.txt", "  1.0e+00  0.5   -2", "  2.0e+00  1.5    3")
    assert read(path) == (("1", "2", "3"), [["1.0e+00", "0.5", "-2"], ["2.0e+00", "1.5", "3"]])


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_compressed(tmp_path, suffix):
    import bz2
    import lzma

    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    path = tmp_path / f"a.csv{suffix}"
    content = b"\xef\xbb\xbftext,label\r\na,x\r\n"
    path.write_bytes(pack(content))
    assert read(path) == (("text", "label"), [["a", "x"]])
    path.write_bytes(pack(content * 1000)[:-9])
    with pytest.raises(InputError, match=r"a\.csv.*: expected a (whole compressed file|file that can be read)"):
        read(path)


def test_compressed_content_that_swells(tmp_path, monkeypatch):
    monkeypatch.setattr("auxrnn.sources.encodings.ALWAYS_ALLOWED", 10_000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"a,x\n" * 1_000_000))
    with pytest.raises(InputError, match=r"a\.csv\.gz: expected content of at most 200 times its compressed size"):
        read(path)


def test_the_mark_that_parts_most_rows_alike(tmp_path):
    """A text that was broken in two is told as such, not as a fault of commas."""
    lines = ["ham\tWell, yes", *["spam\tWin, win, win"] * 4, "ham\tnot he", "re though, no", "ham\tno"]
    path = write_csv(tmp_path / "a.txt", *lines)
    table = open_table(path, ReadingOptions())
    assert len(table.columns) == 2
    with pytest.raises(
        InputError, match=r"row 7: expected 2 cells .*, got 1\. Is there a '\\t', or an end of line, in"
    ):
        list(table.rows())
