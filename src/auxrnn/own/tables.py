"""Rows and columns of CSV, TSV and Parquet files, read from top to bottom in bounded memory.

Cells of CSV are texts, cells of Parquet what they are there. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError, did_you_mean
from auxrnn.own.encodings import codec, encoding_hint
from auxrnn.reading import ReadingOptions

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
LARGEST_CELL = 2**28  # characters; more is a quote that was never closed
SAMPLE = 200  # rows that guesses look at


@dataclass(frozen=True)
class Table:
    """A file of rows. columns: their names, or "1", "2", ... where the file has no header; header: whether it has."""

    path: Path
    columns: tuple[str, ...]
    header: bool
    delimiter: str = ","
    encoding: str = "utf-8"

    def rows(self, skip: int = 0) -> Iterator[tuple[int, Sequence[Any]]]:
        """(row number, cells) of each row, as many cells as columns; InputError where a row has others."""
        numbered = _parquet_rows(self.path) if self.path.suffix.lower() == ".parquet" else self._csv_rows()
        for index, (number, cells) in enumerate(numbered):
            if index < skip:
                continue
            if len(cells) != len(self.columns):
                raise InputError(
                    f"{self.path}, row {number}: expected {len(self.columns)} cells ({', '.join(self.columns[:6])}), "
                    f"got {len(cells)}. Is there a {self.delimiter!r} in an unquoted text?"
                )
            yield number, cells

    def sample(self) -> list[Sequence[Any]]:
        """The first rows."""
        found = []
        for _, cells in self.rows():
            found.append(cells)
            if len(found) == SAMPLE:
                break
        return found

    def place(self, name: str, option: str | None) -> int:
        """Where the column `name` stands; InputError naming the columns there are.

        option: the one that named it; None where the training file did.
        """
        if name not in self.columns:
            columns = ", ".join(self.columns[:20])
            if option is None:
                raise InputError(
                    f"{self.path}: expected a column {name!r} as in training, found {columns}."
                    f"{did_you_mean(name, self.columns)}"
                )
            raise InputError(
                f"{self.path}: expected --{option} to be one of its columns ({columns}), "
                f"got {name!r}.{did_you_mean(name, self.columns)}"
            )
        return self.columns.index(name)

    def _csv_rows(self) -> Iterator[tuple[int, list[str]]]:
        rows = csv_rows(self.path, self.delimiter, self.encoding)
        if self.header:
            next(rows, None)
        return rows


def open_table(path: Path, options: ReadingOptions) -> Table:
    """Find the columns of a table; InputError for an empty or unreadable one."""
    if path.suffix.lower() == ".parquet":
        return Table(path, _parquet_columns(path), header=False)
    delimiter = options.delimiter or _delimiter(path, options.encoding)
    first = next(csv_rows(path, delimiter, options.encoding), None)
    if first is None:
        raise InputError(f"{path}: expected a table, found an empty file.")
    cells = [cell.strip() for cell in first[1]]
    header = options.header == "yes" or (options.header == "auto" and _is_header(cells))
    if header and len(set(cells)) < len(cells):
        twice = next(cell for cell in cells if cells.count(cell) > 1)
        raise InputError(f"{path}: expected different names of columns, got {twice!r} twice. No header: --header no.")
    columns = tuple(cells) if header else tuple(str(number) for number in range(1, len(cells) + 1))
    return Table(path, columns, header, delimiter, options.encoding)


def csv_rows(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """(line number at its start, cells) of each row that is not blank."""
    csv.field_size_limit(LARGEST_CELL)
    number = 0
    try:
        with open(path, newline="", encoding=codec(encoding)) as file:
            reader = csv.reader(_without_nul(file, path), delimiter=delimiter, strict=True)
            while True:
                number = reader.line_num + 1
                cells = next(reader, None)
                if cells is None:
                    return
                if cells:
                    yield number, cells
    except csv.Error as error:
        raise InputError(f"{path}, row {number}: expected a row of a table, found: {error}. Unclosed quote?") from error
    except UnicodeError as error:
        raise InputError(
            f"{path}, row {number} or soon after: expected text in {encoding}, found other bytes ({error.args[-1]}). "
            f"{encoding_hint(path)}"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error


def _without_nul(lines: Iterator[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise InputError(f"{path}, row {number}: expected text, found a zero byte. Is it a table at all?")
        yield line


def _delimiter(path: Path, encoding: str) -> str:
    """A comma where it parts the first row, else what parts it into most cells."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    found = {mark: _cells_of_first_row(path, mark, encoding) for mark in (",", ";", "\t", "|")}
    return "," if found[","] > 1 else max(found, key=found.__getitem__)


def _cells_of_first_row(path: Path, delimiter: str, encoding: str) -> int:
    """0 where it cannot be read so: what is wrong with it is told when it is read for good."""
    try:
        return len(next(csv_rows(path, delimiter, encoding), (0, []))[1])
    except InputError:
        return 0


def _is_header(cells: list[str]) -> bool:
    """Names are short words, none a number and none empty but the first, as pandas leaves that of its index."""
    named = cells[1:] if len(cells) > 1 and not cells[0] else cells
    return all(0 < len(cell) <= 60 and not _is_number(cell) for cell in named)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parquet_columns(path: Path) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in _parquet(path).schema_arrow.names)
    if not columns or len(set(columns)) < len(columns):
        raise InputError(f"{path}: expected different names of columns, got {', '.join(columns) or 'none'}.")
    return columns


def _parquet_rows(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    number = 0
    try:
        for batch in _parquet(path).iter_batches(batch_size=1024):
            for cells in zip(*map(_cells, batch.columns), strict=True):
                number += 1
                yield number, cells
    except Exception as error:  # of a damaged file the reader raises whatever happens to it
        raise InputError(f"{path}, after row {number}: expected Parquet, found: {error}.") from error


def _cells(column: Any) -> list[Any]:
    """The cells of a column; nanoseconds, which Python's dates do not have, as whole numbers since 1970."""
    if str(column.type).startswith("timestamp[ns"):
        column = column.cast("int64")
    return column.to_pylist()


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{path}: expected pyarrow for Parquet. Install it: pip install 'auxrnn[tabular]'") from error
    try:
        return pyarrow.parquet.ParquetFile(path)
    except Exception as error:
        raise InputError(f"{path}: expected Parquet, found: {error}.") from error
