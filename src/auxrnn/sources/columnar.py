"""Rows whose cells have types of their own: Parquet, and JSON lines, one object a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.sources.encodings import text_lines

LOOKED_AT = 20  # rows whose keys are the columns


Rows = Callable[[], Iterator[tuple[int, Sequence[Any]]]]


def _parquet_rows(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    number = 0
    try:
        for batch in _parquet(path).iter_batches(batch_size=1024):
            for cells in zip(*map(_cells, batch.columns), strict=True):
                number += 1
                yield number, cells
    except Exception as error:  # of a damaged file the reader raises whatever happens to it
        raise InputError(f"{path}, after row {number}: expected Parquet, found: {str(error).rstrip('.')}.") from error


def _json_rows(path: Path, encoding: str, columns: tuple[str, ...]) -> Iterator[tuple[int, Sequence[Any]]]:
    """The values of `columns`, None where a row has no such entry."""
    known = frozenset(columns)
    for number, entries in _objects(path, encoding):
        if not known.issuperset(entries):
            other = next(name for name in entries if name not in known)
            raise InputError(
                f"{path}, row {number}: expected the entries of the first rows "
                f"({', '.join(columns[:6])}), got {other[:40]!r}. Give every row the same entries."
            )
        yield number, [entries.get(name) for name in columns]


def open_parquet(path: Path) -> tuple[tuple[str, ...], Rows]:
    """The names of the columns and the rows."""
    columns = tuple(name.strip() for name in _parquet(path).schema_arrow.names)
    if not columns or len(set(columns)) < len(columns):
        raise InputError(f"{path}: expected different names of columns, got {', '.join(columns) or 'none'}.")
    return columns, partial(_parquet_rows, path)


def open_json_lines(path: Path, encoding: str) -> tuple[tuple[str, ...], Rows]:
    """The names of the entries in the order in which the first rows have them, and the rows."""
    first = [entries for _, entries in islice(_objects(path, encoding), LOOKED_AT)]
    columns = tuple(dict.fromkeys(name for entries in first for name in entries))
    if not columns:
        raise InputError(f"{path}: expected a JSON object a line, found none.")
    return columns, partial(_json_rows, path, encoding, columns)


def _objects(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text_lines(path, encoding), 1):
        if not line.strip():
            continue
        try:
            entries = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, row {number}: expected a JSON object a line, found: {error}.") from error
        if not isinstance(entries, dict):
            raise InputError(f"{path}, row {number}: expected a JSON object a line, found a {type(entries).__name__}.")
        yield number, entries


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name that comes twice")
    return entries


def _cells(column: Any) -> list[Any]:
    """The cells of a column; what Python has no type for becomes a text, and a duration a whole number of its unit."""
    kind = str(column.type)
    if kind.startswith(("timestamp[ns", "time64[ns")):
        column = column.cast("string")
    elif kind.startswith("duration"):
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
        raise InputError(f"{path}: expected Parquet, found: {str(error).rstrip('.')}.") from error
