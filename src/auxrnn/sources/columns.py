"""Find what each column of a table is for.

The options name it; else it is guessed where one column alone can be meant; else the person is asked. A guess rests on
the name of a column and on its cells in the first rows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from auxrnn.config.reading import NO_SPLIT, ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.clock import are_times, is_date
from auxrnn.sources.splits import are_split_names, split_named
from auxrnn.sources.tables import Table
from auxrnn.storage.numbers import are_counted, are_numbers, is_missing, is_number, whole_number
from auxrnn.targets.labelling import label_cell

LABEL_NAMES = ("label", "labels", "class", "target", "category", "y")
TEXT_NAMES = ("text", "content", "sentence", "document", "review", "body", "message", "sequence")
PATH_NAMES = ("path", "file", "filename", "file_name", "filepath")
ID_NAMES = ("id", "sequence_id", "series_id", "sample_id", "case_id", "series", "case", "sequence")
TIME_NAMES = ("time", "timestamp", "step", "t", "time_step")
ROLE_NAMES = frozenset((*LABEL_NAMES, *TEXT_NAMES, *PATH_NAMES, *ID_NAMES, *TIME_NAMES))
"""Names that say what a column is for."""
DATE_NAMES = ("date", "datetime", "date_time")
"""They order rows where they can be read, but make no row a step."""
SPLIT_NAMES = ("split", "set", "subset", "partition")
PART_NAMES = frozenset((*SPLIT_NAMES, "fold", "folds", "kfold", "is_train", "is_test", "is_valid", "is_validation"))
"""Of columns that say which part a row is of, in words or numbers: no channel unless it is named as one."""
INDEX_NAMES = re.compile(r"|index|idx|level_[0-9]+|row[._ ]?names?|row_?(number|id|index)?|nr|no|s[r.]{0,2} ?no\.?|#")
"""Of columns that number the rows, where their cells do."""
PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__|unnamed: ?[0-9.]+(_level_[0-9]+)?", re.IGNORECASE)
"""What pandas calls an index without a name, and its column when read again: no channel, whatever stands there."""

FEWEST_COUNTED = 10  # rows that must rise by one, where the name does not say what they are

_UNIT = re.compile(r"[(\[][^()\[\]]*[)\]]$")
_OTHERWISE = re.compile(
    r"[+\-\u2212]?[$\u20ac\u00a3\u00a5]?\s*"
    r"(?:\d+(?:,\d+)*(?:\.\d+)?|\d{1,3}(?:[ .'\u2019\u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+\.\d*[dD][+-]?\d+)"
    r"\s*(?:%|[$\u20ac\u00a3\u00a5])?"
)
"""Numbers as people and other programs write them: a decimal comma, marks between thousands, a percent sign, a
currency, digits of other scripts, the minus of typesetters, Fortran's exponent.
"""


def named(table: Table, names: Sequence[str]) -> str | None:
    """The one column called like one of `names`; None where there is none or more than one."""
    found = [column for column in table.columns if column.strip().lower() in names]
    return found[0] if len(found) == 1 else None


def time_named(table: Table) -> str | None:
    """The one column called like a time."""
    found = _called_times(table)
    return found[0] if len(found) == 1 else None


def time_column(table: Table, key: str | None = None) -> str | None:
    """The column called like a time; else that of dates, where they can be read and differ within a sequence.

    key: the column that says which sequence a row is of.
    """
    date = named(table, DATE_NAMES)
    if date is None or _called_times(table):
        return time_named(table)
    keys = [None] * len(table.sample) if key is None else map(label_cell, table.cells(key))
    by_key: dict[str | None, list[Any]] = {}
    for one, cell in zip(keys, table.cells(date), strict=True):
        by_key.setdefault(one, []).append(cell)
    return date if all(are_times(cells, table.decimal) for cells in by_key.values()) else None


def _called_times(table: Table) -> list[str]:
    """The columns called like a time, whatever unit stands behind it in brackets; T is a temperature."""
    names = {column: _UNIT.sub("", column.strip()).strip() for column in table.columns}
    return [column for column, name in names.items() if name.lower() in TIME_NAMES and name != "T"]


def label_named(table: Table) -> str | None:
    """The one column called like a label; `y` is none beside an `x` of numbers, which are places."""
    x = next((column for column in table.columns if column.strip().lower() == "x"), None)
    places = x is not None and any(is_number(cell, table.decimal) for cell in table.cells(x))
    return named(table, [name for name in LABEL_NAMES if not (places and name == "y")])


def text_column(table: Table) -> str | None:
    """The one column called like a text whose cells are no numbers, nor lists of them, nor dates."""
    found = [column for column in table.columns if column.strip().lower() in TEXT_NAMES and holds_words(table, column)]
    return found[0] if len(found) == 1 else None


def id_column(table: Table) -> str | None:
    """The one column called like an id whose cells are no lists."""
    found = named(table, ID_NAMES)
    return None if found is None or any(isinstance(cell, list) for cell in table.cells(found)) else found


def holds_words(table: Table, column: str) -> bool:
    """Whether most cells of a column in the first rows are texts and no numbers; True for a column without cells."""
    cells = [cell for cell in table.cells(column) if not is_missing(cell)]
    words = sum(_is_word(cell, table.decimal) for cell in cells)
    return not cells or 2 * words > len(cells)


def holds_sentences(table: Table, column: str) -> bool:
    """Whether most cells of a column in the first rows are words with a blank within, and no dates."""
    cells = table.cells(column)
    return 2 * sum(_is_word(cell, table.decimal) and " " in cell.strip() for cell in cells) > len(cells)


def holds_written_lists(table: Table, column: str) -> bool:
    """Whether most cells of a column in the first rows are texts that list numbers."""
    cells = table.cells(column)
    return 2 * sum(isinstance(cell, str) and are_numbers(cell, table.decimal) for cell in cells) > len(cells)


def _is_word(cell: Any, decimal: str) -> bool:
    return isinstance(cell, str) and not (is_number(cell, decimal) or are_numbers(cell, decimal) or is_date(cell))


def comes_again(table: Table, column: str) -> bool:
    """Whether two rows have the same cell in a column."""
    cells = [label_cell(cell) for cell in table.cells(column)]
    return len(set(cells)) < len(cells)


def row_numbers(table: Table, key: str | None = None, *, cut: bool = False) -> frozenset[str]:
    """The columns that number the rows, as tools write them: pandas' index, R's names of rows.

    A column that is named so has whole numbers that tell the rows of a sequence apart; one of another name counts rows
    where it goes on by one from one sequence to the next. key: the column that says which sequence a row is of. cut:
    the rows are one sequence that will be cut into several.
    """
    keys = ["" if key is None else str(cell) for cell in table.cells(key or table.columns[0])]
    several = (cut or len(set(keys)) > 1) and len(keys) >= FEWEST_COUNTED
    found = set()
    for column in table.columns:
        if PANDAS_INDEX.fullmatch(column):
            found.add(column)
        elif column != key:
            cells = table.cells(column)
            like_index = INDEX_NAMES.fullmatch(column.strip().lower())
            if _number_rows(cells, keys) if like_index else several and are_counted(cells):
                found.add(column)
    return frozenset(found)


def counts_steps(table: Table, key: str, time: str | None) -> bool:
    """Whether a column called like an id counts the rows while their times differ: each row would be a sequence."""
    cells = table.cells(key)
    differ = time is not None and len({str(cell) for cell in table.cells(time)}) > 1
    return differ and len(cells) >= FEWEST_COUNTED and are_counted(cells)


def _number_rows(cells: Sequence[Any], keys: Sequence[str]) -> bool:
    """Whether cells are whole numbers, none of them twice under one key."""
    numbers = [whole_number(str(cell).strip()) for cell in cells]
    return len(cells) > 1 and None not in numbers and len(set(zip(keys, numbers, strict=True))) == len(cells)


def split_column(table: Table, options: ReadingOptions) -> str | None:
    """The column that names the split; guessed by its name where it names one in any of the first rows.

    InputError where one of another name may be meant: where all its cells are words for splits.
    """
    if options.split == NO_SPLIT and NO_SPLIT not in table.columns:
        return None
    if options.split is not None:
        table.place(options.split, "split")
        return options.split
    found = named(table, SPLIT_NAMES)
    if found is not None and any(split_named(str(cell)) for cell in table.cells(found)):
        return found
    for column in table.columns:
        words = {str(cell).strip() for cell in table.cells(column) if not is_missing(cell)}
        if column.lower() not in ROLE_NAMES and column not in options.named_columns and are_split_names(words):
            said = ", ".join(sorted(words)[:6])
            raise InputError(
                f"{table.path}: expected to be told what {column!r} is, whose first cells say {said}: "
                f"--split {shlex.quote(column)} if they say what to train and to test on, else --split {NO_SPLIT}."
            )
    return None


def numeric_columns(table: Table, *, used: frozenset[str]) -> tuple[str, ...]:
    """Columns beside `used` whose cells in the first rows are numbers for the most part: others are faults.

    InputError for one whose numbers are written in another way than the options say.
    """
    found = []
    rows = table.sample
    for place, column in enumerate(table.columns):
        if not column or column in used or column.strip().lower() in PART_NAMES:
            continue
        cells = [cells[place] for cells in rows if not is_missing(cells[place])]
        numbers = sum(is_number(cell, table.decimal) for cell in cells)
        if 2 * numbers > len(cells):
            found.append(column)
            continue
        others = [cell for cell in cells if _is_written_otherwise(cell, table.decimal)]
        if cells and 2 * (numbers + len(others)) > len(cells):
            hint = "If the comma is the decimal mark say --decimal ,; else name" if "," in others[0] else "Name"
            raise InputError(
                f"{table.path}: expected plain numbers with a {'comma' if table.decimal == ',' else 'point'} in "
                f"{column!r}, got {others[0][:40]!r}. {hint} the columns to read with --features."
            )
    return tuple(found)


def comma_hint(table: Table) -> str:
    """A hint to set --decimal where the first row has numbers with commas; else an empty text."""
    cells = (cell for cells in table.sample[:1] for cell in cells if _is_written_otherwise(cell, table.decimal))
    return " If the comma is the decimal mark say --decimal ,." if any("," in cell for cell in cells) else ""


def unread_notes(table: Table, roles: Sequence[str | None], counting: frozenset[str], hint: str) -> tuple[str, ...]:
    """Notes that name the columns without a role. counting: those that number the rows. hint: what to do about it."""
    known = {role for role in roles if role}
    left = [column for column in table.columns if column not in known]
    rows = [column or "one without a name" for column in left if column in counting]
    others = [column or "one without a name" for column in left if column not in counting]
    notes = []
    if rows:
        notes.append(f"Row numbers that are not read: {', '.join(rows)}{hint}.")
    if others:
        more = f" and {len(others) - 20:,} more" if len(others) > 20 else ""
        notes.append(f"Columns that are not read: {', '.join(others[:20])}{more}{hint}.")
    return tuple(notes)


def header_notes(table: Table, options: ReadingOptions) -> tuple[str, ...]:
    """The notes of a table, and one where only the look of the first row made it the names of the columns."""
    known = {*ROLE_NAMES, *DATE_NAMES, *SPLIT_NAMES}
    if (
        not table.header
        or options.header == "yes"
        or any(name in options.named_columns or name.lower() in known for name in table.columns)
        or time_named(table)
    ):
        return table.notes
    names = ", ".join(table.columns[:6])
    return (
        *table.notes,
        f"The first row of {table.path.name} is taken for names of columns ({names}); if it is data: --header no.",
    )


def _is_written_otherwise(cell: Any, decimal: str) -> bool:
    return isinstance(cell, str) and _OTHERWISE.fullmatch(cell.strip()) is not None and not is_number(cell, decimal)
