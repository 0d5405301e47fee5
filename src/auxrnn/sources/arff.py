"""The .arff format of Weka, as the UCR/UEA archive uses it: `@attribute` lines, `@data`, one case a row.

A relational attribute holds a multivariate series, one line for each dimension within one pair of quotes; its cells
become lists of steps. Sparse rows (`{1 5.0, ...}`) are refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.sources.encodings import text_lines

_ATTRIBUTE = re.compile(r"@attribute\s+('(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+)\s+(\S.*)", re.IGNORECASE)


def _rows(path: Path, encoding: str, first: int, relational: Sequence[int]) -> Iterator[tuple[int, list[Any]]]:
    """The rows from line `first` on. relational: places of the multivariate series."""
    for number, line in _lines(path, encoding):
        if number < first or not line or line.startswith("%"):
            continue
        where = f"{path}, row {number}"
        if line.startswith("{"):
            raise InputError(f"{where}: expected a value for every attribute, found a sparse row.")
        try:
            quote = "'" if "'" in line else '"'
            cells: list[Any] = next(
                csv.reader([line], quotechar=quote, escapechar=None, skipinitialspace=True, strict=True)
            )
        except csv.Error as error:
            raise InputError(f"{where}: expected values with commas between, found: {error}.") from error
        for place in relational:
            if place < len(cells):
                cells[place] = _series(cells[place], where)
        yield number, cells


def open_arff(path: Path, encoding: str) -> tuple[tuple[str, ...], Callable[[], Iterator[tuple[int, list[Any]]]]]:
    """The names of the attributes and the rows; InputError for a header that is none."""
    columns: list[str] = []
    relational: list[int] = []
    inside = False
    for number, line in _lines(path, encoding):
        word = line.split(maxsplit=1)[0].lower() if line else ""
        if not word or word.startswith("%"):
            continue
        if word == "@data":
            if not columns:
                raise InputError(f"{path}: expected @attribute lines before @data, found none.")
            if len(set(columns)) < len(columns):
                raise InputError(f"{path}: expected different names of attributes, got one twice.")
            return tuple(columns), partial(_rows, path, encoding, number + 1, relational)
        if word == "@end":
            inside = False
        elif word == "@attribute" and not inside:
            found = _ATTRIBUTE.fullmatch(line)
            if not found:
                raise InputError(f"{path}, row {number}: expected @attribute NAME TYPE, got {line[:40]!r}.")
            if found[2].lower().startswith("relational"):
                relational.append(len(columns))
                inside = True
            columns.append(found[1].strip("'\""))
        elif word not in ("@attribute", "@relation"):
            raise InputError(f"{path}, row {number}: expected a header line beginning with @, got {line[:40]!r}.")
    raise InputError(f"{path}: expected cases after @data, found no @data line.")


def _series(cell: str, where: str) -> list[list[str]]:
    """The steps of a relational value, whose lines are its dimensions."""
    dimensions = [line.split(",") for line in cell.split("\\n")]
    if len({len(one) for one in dimensions}) > 1:
        raise InputError(f"{where}: expected dimensions of one length, got {sorted(len(one) for one in dimensions)}.")
    return [list(step) for step in zip(*dimensions, strict=True)]


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text_lines(path, encoding), 1):
        yield number, line.strip()
