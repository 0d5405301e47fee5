"""Which column of a table is what: named by the person, or guessed where only one can be meant, else asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from auxrnn.own.rows import MISSING_WORDS
from auxrnn.own.tables import Table

LABEL_NAMES = ("label", "labels", "class", "target", "category", "y")
TEXT_NAMES = ("text", "content", "sentence", "document", "review", "body", "message", "sequence")
PATH_NAMES = ("path", "file", "filename", "file_name", "filepath")
ID_NAMES = ("id", "sequence_id", "series_id", "sample_id", "case_id", "series", "case")
TIME_NAMES = ("time", "timestamp", "step", "t", "time_step")
SPLIT_NAMES = ("split", "set", "subset", "partition")


def named(table: Table, names: Sequence[str]) -> str | None:
    """The one column called like one of `names`; None where there is none or more than one."""
    found = [column for column in table.columns if column.strip().lower() in names]
    return found[0] if len(found) == 1 else None


def split_column(table: Table, given: str | None) -> str | None:
    """The column that names the split; guessed only by name and content."""
    if given is not None:
        table.place(given, "split")
        return given
    found = named(table, SPLIT_NAMES)
    if found is None:
        return None
    place = table.columns.index(found)
    words = {str(cells[place]).strip().lower() for cells in table.sample()}
    return found if words and words <= {"train", "training", "validation", "valid", "val", "dev", "test"} else None


def numeric_columns(table: Table, *, used: Sequence[str]) -> tuple[str, ...]:
    """Columns beside `used` that hold nothing but numbers and gaps in the first rows."""
    rows = table.sample()
    return tuple(
        column
        for place, column in enumerate(table.columns)
        if column not in used
        and any(_is_number(cells[place]) for cells in rows)
        and all(_is_number(cells[place]) or _is_missing(cells[place]) for cells in rows)
    )


def label_cell(cell: Any) -> str | None:
    """A cell as a label: stripped, None where it is empty; whole numbers of Parquet in digits."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip() or None


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING_WORDS)


def _is_number(cell: Any) -> bool:
    if _is_missing(cell) or isinstance(cell, bool):
        return False
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True
