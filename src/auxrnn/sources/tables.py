"""Rows and columns of a table in any of its forms, read from top to bottom in bounded memory.

Cells of text files are texts, those of Parquet and JSON what they are there. Knows nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError, did_you_mean
from auxrnn.sources.columnar import open_json_lines, open_parquet
from auxrnn.sources.delimited import open_delimited
from auxrnn.sources.encodings import inner_suffix

WRITTEN_SUFFIXES = (".csv", ".tsv", ".txt")
WRITTEN_OPTIONS = ("header", "encoding", "delimiter", "skip")
"""Of text files with marks between the cells."""
JSON_SUFFIXES = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (".csv", ".tsv", *JSON_SUFFIXES, ".parquet")
SAMPLE, SAMPLED_CELLS = 200, 100_000  # rows that guesses look at, and cells in all where there are many columns


Rows = Callable[[], Iterator[tuple[int, Sequence[Any]]]]
"""Reads (row number, cells) from the first row on."""


@dataclass(frozen=True)
class Table:
    """A file of rows.

    columns: their names, or "1", "2", ... where the file has no header. notes: how it is read. header: whether the
    first row names the columns. written: whether all cells are texts. delimiter: between cells, of text files.
    """

    path: Path
    columns: tuple[str, ...]
    read: Rows
    decimal: str = "."
    notes: tuple[str, ...] = ()
    header: bool = False
    written: bool = False
    delimiter: str = ""

    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """(row number, cells) of each row, as many cells as columns; InputError where a row has others."""
        width = len(self.columns)
        for number, cells in self.read():
            if len(cells) != width:
                raise InputError(
                    f"{self.path}, row {number}: expected {width} cells ({', '.join(self.columns[:6])}), "
                    f"got {len(cells)}.{self._hint}"
                )
            yield number, cells

    @property
    def _hint(self) -> str:
        """What a row of another number of cells may come from."""
        if not self.delimiter:
            return ""
        parted = f"a {self.delimiter!r}, or an end of line, in an unquoted text"
        return f" Is there {parted}, or a line before the table (--skip N)?"

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

    def place(self, name: str, option: str | None, named: Collection[str] = ()) -> int:
        """Where the column `name` stands; InputError naming the columns there are.

        option: the one that named it; None where the training file did. named: columns that are meant as themselves.
        """
        if name not in self.places:
            columns = ", ".join(self.columns[:20])
            if option is None:
                raise InputError(
                    f"{self.path}: expected a column {name!r} as in training, found {columns}."
                    f"{did_you_mean(name, [one for one in self.columns if one not in named])}"
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
    columns, rows, notes, header, delimiter = open_delimited(path, options)
    return Table(path, columns, rows, options.decimal, notes, header, True, delimiter)
