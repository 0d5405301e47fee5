"""The mark at the start of a file against what Python itself writes there."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources import encodings
from auxrnn.sources.encodings import encoding_hint
from auxrnn.sources.importing import read_source
from auxrnn.sources.tables import open_table

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


def test_what_is_no_text_is_named(tmp_path):
    table = tmp_path / "a.csv"
    with zipfile.ZipFile(table, "w") as workbook:
        workbook.writestr("xl/workbook.xml", "<workbook/>")
    assert encoding_hint(table).startswith("It begins as a zip archive or an Excel workbook does: ")
    table.write_bytes(gzip.compress(TEXT.encode()))
    assert encoding_hint(table) == "It begins as a gzip file does: let its name end in .gz."
    with pytest.raises(InputError, match=r"a\.csv.*found (a zero byte|other bytes).* let its name end in \.gz\.$"):
        read_source(table, ReadingOptions())


def test_what_is_said_can_be_done(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TEXT, encoding="utf-16")
    with pytest.raises(InputError, match="say --encoding utf-16"):
        read_source(path, ReadingOptions())
    path.write_text(TEXT + "old,y\n", encoding="utf-16")
    assert len(read_source(path, ReadingOptions(encoding="utf-16"))) == 4


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
@pytest.mark.parametrize(("name", "start"), [("a.csv", "text,label\n"), ("a.jsonl", '{"text": "')])
def test_a_line_without_an_end_is_read_once_and_only_in_part(tmp_path, monkeypatch, name, start, suffix):
    """Of a cell of zeros that packs well; how a file is written is not looked for in what no dialect reads."""
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(pack(f"{start}{'0' * 10_000_000},a\n".encode()))
    seen = []

    class Counted(io.TextIOWrapper):
        def readline(self, *given):
            line = super().readline(*given)
            seen.append(len(line))
            return line

        def __next__(self):
            return self.readline() or next(iter(()))

    monkeypatch.setattr(encodings, "LONGEST_LINE", 100_000)
    monkeypatch.setattr(io, "TextIOWrapper", Counted)
    with pytest.raises(InputError, match=r"row [12]: expected lines of at most 100,000 characters, found a longer one"):
        open_table(path, ReadingOptions())
    assert max(seen) == sum(length > 1000 for length in seen) * 100_001 == 100_001


def test_the_longest_line(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "LONGEST_LINE", 20)
    (tmp_path / "a.csv").write_text(f"text,label\n{'x' * 17},a\n")
    assert [len(line) for line in encodings.text_lines(tmp_path / "a.csv", "utf-8")] == [11, 20]
    (tmp_path / "a.csv").write_text(f"text,label\n{'x' * 18},a\n")
    with pytest.raises(InputError, match="row 2: expected lines of at most 20 characters"):
        list(encodings.text_lines(tmp_path / "a.csv", "utf-8"))
