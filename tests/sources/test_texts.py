"""Tables of texts."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.recognise import recognise
from auxrnn.sources.tables import open_table
from auxrnn.sources.texts import find_text_reader
from own_files import write_csv


def reader_of(path, **given):
    options = ReadingOptions(**given)
    return find_text_reader(open_table(path, options), options)


def test_named_columns_and_a_split(tmp_path):
    path = write_csv(tmp_path / "a.csv", "label,split,text", "x,train,one two", "y,test,three")
    found = [(row.sequence, row.label, row.split) for row in reader_of(path).examples()]
    assert found == [("one two", "x", "train"), ("three", "y", "test")]
    assert [row.where for row in reader_of(path).examples()][1:] == [f"{path}, row 3"]


def test_two_columns_of_which_one_holds_texts(tmp_path):
    reader = reader_of(write_csv(tmp_path / "a.csv", "mood,words", "x,one two", "y,three four"))
    assert (reader.schema.columns["text"], reader.schema.columns["label"]) == ("words", "mood")


def test_without_a_header(tmp_path):
    path = write_csv(tmp_path / "a.csv", "3,title,some long text", "4,title,some other text")
    assert [row.label for row in reader_of(path, text="3", label="1").examples()] == ["3", "4"]


@pytest.mark.parametrize(
    ("lines", "given", "told"),
    [
        (["a,b,c", "one two,three four,x"], {}, "expected --text COLUMN.*a, b, c"),
        (["a,b,c", "one two,three four,x"], {"text": "a"}, "expected --label COLUMN"),
        (["text,label", "a,x"], {"text": "label", "label": "label"}, "different columns"),
        (["text,label", "a,x"], {"text": "txet"}, "Did you mean 'text'"),
    ],
)
def test_what_cannot_be_known_is_asked_for(tmp_path, lines, given, told):
    with pytest.raises(InputError, match=told):
        reader_of(write_csv(tmp_path / "a.csv", *lines), **given)


def test_numbers_in_parquet_are_no_texts(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"text": [1, 2], "label": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 1: expected a text in 'text', got int"):
        list(reader_of(tmp_path / "a.parquet").examples())


def test_numbers_are_texts_where_nothing_else_can_be_meant(tmp_path):
    reader = reader_of(write_csv(tmp_path / "a.csv", "text,label", "12,x", "7,y"))
    assert [row.sequence for row in reader.examples()] == ["12", "7"]
    with pytest.raises(InputError, match="expected --text COLUMN"):
        reader_of(write_csv(tmp_path / "b.csv", "text,load,label", "12,1,x", "7,2,y"))


@pytest.mark.parametrize("cells", [("1 2 3", "4 5 6"), ("[1, 2]", "[3.5, 4]")])
def test_lists_of_numbers_are_asked_about(tmp_path, cells):
    for name in ("pixels", "sequence"):
        path = write_csv(tmp_path / "a.csv", f"{name},label", *(f'"{cell}",x' for cell in cells))
        with pytest.raises(InputError, match=r"expected --text COLUMN.*or --rows series"):
            recognise(path, ReadingOptions())
    assert [row.sequence for row in reader_of(path, text="sequence").examples()] == list(cells)


def test_dates_are_no_texts(tmp_path):
    path = write_csv(tmp_path / "a.csv", "made,words", "2024-01-31 12:00:00,up", "2024-02-01 12:00:00,down")
    with pytest.raises(InputError, match="expected --text COLUMN"):
        reader_of(path)


def test_ends_of_lines_are_those_of_files_of_texts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,label\r\n"a\r\nb\rc\n",x\r\n')
    assert [row.sequence for row in reader_of(path).examples()] == ["a\nb\nc\n"]
