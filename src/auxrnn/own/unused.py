"""Options of reading that a recognised source has no use for are refused: whoever gives one expects something of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.encodings import inner_suffix
from auxrnn.own.file_lists import FileReader
from auxrnn.own.images import Images
from auxrnn.own.joined import JoinedReader
from auxrnn.own.longform import LongFormReader
from auxrnn.own.media import Documents
from auxrnn.own.recorded import StepTables
from auxrnn.own.rows import Reader
from auxrnn.own.series import SeriesReader
from auxrnn.own.sounds import Recordings
from auxrnn.own.tables import Table, is_written
from auxrnn.own.texts import TextReader
from auxrnn.reading import ReadingOptions

EVERYWHERE = frozenset({"target", "missing", "no_label", "label_type", "test_fraction"})
WRITTEN = ("header", "encoding", "delimiter", "skip")
"""Of text files with marks between the cells."""
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
        return _of_table(reader.table) | {"id", "time", "features", "window"}
    if isinstance(reader, SeriesReader):
        return _of_table(reader.table) | {"features"}
    if isinstance(reader, FileReader):
        listed = EVERYWHERE if reader.table is None else _of_table(reader.table)
        size = {"size"} if isinstance(reader.medium, Images) else set()
        rate = {"rate"} if isinstance(reader.medium, Recordings) else set()
        steps = {"time", "features", *WRITTEN, "decimal"} if isinstance(reader.medium, StepTables) else set()
        return listed | size | rate | steps | ({"encoding"} if isinstance(reader.medium, Documents) else set())
    return EVERYWHERE | ({"encoding"} if any(path.suffix.lower() == ".ts" for path in reader.files) else set())


def _of_table(table: Table) -> frozenset[str]:
    encoded = () if inner_suffix(table.path) == ".parquet" else ("encoding",)
    return EVERYWHERE | {"label", "split", "rows", "decimal", *(WRITTEN if is_written(table) else encoded)}
