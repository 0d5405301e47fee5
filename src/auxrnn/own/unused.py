"""Options of reading that a recognised source has no use for are refused: whoever gives one expects something of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.files import FileReader
from auxrnn.own.joined import JoinedReader
from auxrnn.own.longform import LongFormReader
from auxrnn.own.media import Documents, Images
from auxrnn.own.rows import Reader
from auxrnn.own.tables import Table
from auxrnn.own.texts import TextReader
from auxrnn.reading import ReadingOptions

EVERYWHERE = frozenset({"target", "missing", "label_type", "test_fraction"})
STORED = frozenset({"target", "test_fraction"})
"""Of a stored set; all else was settled by its import."""


def check_used(path: Path, reader: Reader, options: ReadingOptions) -> None:
    """InputError for an option that means nothing for what `reader` reads."""
    used = _used(reader)
    for name in options.given:
        if name not in used:
            known = ", ".join(f"--{item.name}" for item in fields(options) if item.name in used)
            raise InputError(
                f"{path}: expected no --{name} for {reader.form.description}; leave it out. What counts here: {known}."
            )


def check_used_of_set(path: Path, options: ReadingOptions) -> None:
    """InputError for an option that a set has been imported with, or without."""
    for name in options.given:
        if name not in STORED:
            raise InputError(f"{path}: expected no --{name} for an imported set; import it again with --{name}.")


def _used(reader: Reader) -> frozenset[str]:
    if isinstance(reader, JoinedReader):
        return frozenset().union(*map(_used, reader.readers))
    if isinstance(reader, TextReader):
        return _of_table(reader.table) | {"text"}
    if isinstance(reader, LongFormReader):
        return _of_table(reader.table) | {"id", "time", "features"}
    if isinstance(reader, FileReader):
        listed = EVERYWHERE if reader.table is None else _of_table(reader.table)
        size = {"size"} if isinstance(reader.medium, Images) else set()
        return listed | size | ({"encoding"} if isinstance(reader.medium, Documents) else set())
    return EVERYWHERE | ({"encoding"} if any(path.suffix.lower() == ".ts" for path in reader.files) else set())


def _of_table(table: Table) -> frozenset[str]:
    written = () if table.path.suffix.lower() == ".parquet" else ("header", "encoding", "delimiter")
    return EVERYWHERE | {"label", "split", *written}
