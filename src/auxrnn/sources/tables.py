"""Rows and columns of a table in any of its forms, read from top to bottom in bounded memory.

Cells of text files are texts, those of Parquet and JSON what they are there. Knows nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError, did_you_mean
from auxrnn.sources.arff import open_arff
from auxrnn.sources.columnar import open_json_lines, open_parquet
from auxrnn.sources.delimited import open_delimited
from auxrnn.sources.encodings import inner_suffix

WRITTEN_SUFFIXES = (".csv", ".tsv", ".txt")
WRITTEN_OPTIONS = ("header", "encoding", "delimiter", "skip")
"""Of text files with marks between the cells."""
JSON_SUFFIXES = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (".csv", ".tsv", *JSON_SUFFIXES, ".parquet")
SAMPLE, SAMPLED_CELLS = 200, 100_000  # rows that guesses look at, and cells in all where there are many columns


class Rows(Protocol):
    """Where a table's rows come from.

    written: whether all cells are texts. header: whether the first row names the columns. hint: what a row of another
    number of cells may come from.
    """

    @property
    def written(self) -> bool: ...

    @property
    def header(self) -> bool: ...

    @property
    def hint(self) -> str: ...

    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]: ...


@dataclass(frozen=True)
class Table:
    """A file of rows. columns: their names, or "1", "2", ... where the file has no header. notes: how it is read."""

    path: Path
    columns: tuple[str, ...]
    source: Rows
    decimal: str = "."
    notes: tuple[str, ...] = ()

    @property
    def header(self) -> bool:
        return self.source.header

    def rows(self, skip: int = 0) -> Iterator[tuple[int, Sequence[Any]]]:
        """(row number, cells) of each row, as many cells as columns; InputError where a row has others."""
        width = len(self.columns)
        for number, cells in islice(self.source.rows(), skip, None):
            if len(cells) != width:
                raise InputError(
                    f"{self.path}, row {number}: expected {width} cells ({', '.join(self.columns[:6])}), "
                    f"got {len(cells)}.{self.source.hint}"
                )
            yield number, cells

    @cached_property
    def sample(self) -> list[Sequence[Any]]:
        """The first rows."""
        number = max(20, min(SAMPLE, SAMPLED_CELLS // len(self.columns)))
        return [cells for _, cells in islice(self.rows(), number)]

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each column stands."""
        return {name: place for place, name in reversed([*enumerate(self.columns)])}

    @property
    def uses(self) -> frozenset[str]:
        """The options that count for a table of its form, whatever its rows are."""
        suffix = inner_suffix(self.path)
        encoded: tuple[str, ...] = () if suffix == ".parquet" else ("encoding",)
        written = WRITTEN_OPTIONS if suffix in WRITTEN_SUFFIXES else encoded
        return frozenset({"label", "split", "rows", "decimal", *written})

    def cells(self, column: str) -> list[Any]:
        """The cells of a column in the first rows."""
        place = self.places[column]
        return [cells[place] for cells in self.sample]

    def place(self, name: str, option: str | None) -> int:
        """Where the column `name` stands; InputError naming the columns there are.

        option: the one that named it; None where the training file did.
        """
        if name not in self.places:
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
        return self.places[name]


def open_table(path: Path, options: ReadingOptions) -> Table:
    """Find the columns of a table; InputError for an empty or unreadable one."""
    suffix = inner_suffix(path)
    if suffix == ".parquet":
        return Table(path, *open_parquet(path), options.decimal)
    if suffix in JSON_SUFFIXES:
        return Table(path, *open_json_lines(path, options.encoding), options.decimal)
    if suffix == ".arff":
        return Table(path, *open_arff(path, options.encoding), options.decimal)
    columns, rows, notes = open_delimited(path, options)
    return Table(path, columns, rows, options.decimal, notes)
