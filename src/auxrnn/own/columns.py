"""Which column of a table is what: named by the person, or guessed where only one can be meant, else asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from auxrnn.own.rows import MISSING_WORDS, SPLIT_WORDS
from auxrnn.own.tables import Table
from auxrnn.reading import ReadingOptions

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
    """The column that names the split; guessed by its name where it names one in any of the first rows."""
    if given is not None:
        table.place(given, "split")
        return given
    found = named(table, SPLIT_NAMES)
    if found is None:
        return None
    place = table.columns.index(found)
    return found if any(str(cells[place]).strip().lower() in SPLIT_WORDS for cells in table.sample()) else None


def numeric_columns(table: Table, *, used: Sequence[str]) -> tuple[str, ...]:
    """Columns beside `used` whose cells in the first rows are numbers for the most part: others are faults."""
    rows = table.sample()
    found = []
    for place, column in enumerate(table.columns):
        numbers = [_is_number(cells[place]) for cells in rows if not _is_missing(cells[place])]
        if column and column not in used and sum(numbers) > len(numbers) / 2:
            found.append(column)
    return tuple(found)


def header_notes(table: Table, options: ReadingOptions) -> tuple[str, ...]:
    """What to say where nothing but their look made names of columns of the first row."""
    given = {options.text, options.id, options.time, options.split, *options.label_names, *options.feature_names}
    known = {*LABEL_NAMES, *TEXT_NAMES, *PATH_NAMES, *ID_NAMES, *TIME_NAMES, *SPLIT_NAMES}
    if (
        not table.header
        or options.header == "yes"
        or any(name in given or name.lower() in known for name in table.columns)
    ):
        return ()
    names = ", ".join(table.columns[:6])
    return (f"The first row of {table.path.name} is taken for names of columns ({names}); if it is data: --header no.",)


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
