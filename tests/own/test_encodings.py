"""The mark at the start of a file against what Python itself writes there."""

import pytest

from auxrnn.errors import InputError
from auxrnn.own.encodings import encoding_hint
from auxrnn.own.importing import read_source
from auxrnn.reading import ReadingOptions

TEXT = "text,label\nnaïve,x\nold,y\nnew,x\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_mark_names_the_encoding(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_text(TEXT, encoding=encoding)
    assert encoding_hint(path).endswith(f"say --encoding {encoding}.")


def test_without_a_mark_there_is_an_example(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT, encoding="latin-1")
    assert encoding_hint(tmp_path / "a.csv").endswith(
        "for example --encoding cp1252 (as Excel writes) or --encoding latin-1."
    )


def test_what_is_said_can_be_done(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TEXT, encoding="utf-16")
    with pytest.raises(InputError, match="say --encoding utf-16"):
        read_source(path, ReadingOptions())
    path.write_text(TEXT + "old,y\n", encoding="utf-16")
    assert len(read_source(path, ReadingOptions(encoding="utf-16"))) == 4
