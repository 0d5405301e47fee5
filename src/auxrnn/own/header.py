"""Whether the first row of a table names its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.numbers import are_counted, is_number
from auxrnn.reading import ReadingOptions

LONGEST_NAME = 60
FEWEST_COUNTED, MANY_COUNTED = 3, 10  # names that are numbers, alone and beside words

_INTEGER = re.compile(r"[0-9]{1,9}")


def is_header(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row names the columns: short words throughout, or whole numbers and words over numbers.

    Many numbers that count tell it too. The first name may be empty, as pandas leaves that of its index.
    """
    named = cells[1:] if len(cells) > 1 and not cells[0] else cells
    if all(0 < len(cell) <= LONGEST_NAME and not is_any_number(cell) for cell in named):
        return True
    numbers = [cell for cell in named if is_any_number(cell)]
    if any(len(cell) > LONGEST_NAME for cell in named) or not all(map(_INTEGER.fullmatch, numbers)):
        return False
    if len(numbers) < len(named) and len(numbers) >= MANY_COUNTED and are_counted(numbers):
        return True
    return any(cell and not is_any_number(cell) and _over_numbers(place, rows) for place, cell in enumerate(cells))


def _over_numbers(place: int, rows: Sequence[Sequence[str]]) -> bool:
    return bool(rows) and all(len(cells) > place and is_any_number(cells[place]) for cells in rows)


def is_any_number(cell: str) -> bool:
    """Whether a cell is a number with a point or with a comma."""
    return is_number(cell) or is_number(cell, ",")


def are_counted_names(path: Path, options: ReadingOptions, cells: Sequence[str]) -> bool | None:
    """Whether a first row 0, 1, 2 are the names that pandas gives columns, or numbers; None for any other row.

    An empty cell before them is the name of pandas' index. InputError where neither that nor the options tell.
    """
    numbers = cells if cells[0] else cells[1:]
    if len(numbers) < FEWEST_COUNTED or not are_counted(numbers) or int(numbers[0]) != 0:
        return None
    told = options.named_columns
    names, places = told <= set(cells), told <= {str(place) for place in range(1, len(cells) + 1)}
    if names != places or not cells[0]:
        return names
    raise InputError(
        f"{path}: expected to be told what the first row is, {', '.join(numbers[:4])}, ...: names of columns, with "
        "--header yes, or numbers, with --header no."
    )
