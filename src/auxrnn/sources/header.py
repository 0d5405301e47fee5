"""Whether the first row of a table names its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.storage.numbers import are_counted, is_number

LONGEST_NAME = 60
FEWEST_PLACES, MANY_PLACES = 3, 5  # names that are numbers throughout: asked about, and taken for names
MANY_COUNTED = 10  # beside words

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


def are_places(path: Path, options: ReadingOptions, cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool | None:
    """Whether a first row 0, 1, 2 or 1, 2, 3 names the columns by their places, as tools do, or holds numbers.

    It names them behind an empty cell (the name of pandas' index), where the options name columns so, and where it is
    long and none of the `rows` counts too. None for any other row. InputError where a row from 0 may be either.
    """
    places = cells if cells[0] else cells[1:]
    if not are_counted(places) or int(places[0]) > 1:
        return None
    if not cells[0]:
        return True
    told = options.named_columns
    names, numbers = told <= set(cells), told <= {str(place) for place in range(1, len(cells) + 1)}
    if names != numbers:
        return names
    if len(places) >= MANY_PLACES and not any(are_counted(row) for row in rows):
        return True
    if len(places) < FEWEST_PLACES or int(places[0]) == 1:
        return None
    raise InputError(
        f"{path}: expected to be told what the first row is, {', '.join(places[:4])}, ...: names of columns, with "
        "--header yes, or numbers, with --header no."
    )
