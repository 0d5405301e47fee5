"""Read a column of times, all numbers or all dates, as numbers that order the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

from auxrnn.errors import InputError
from auxrnn.storage.numbers import as_number, is_number, parse_number

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXACT = 2**53  # whole numbers up to it are exact as floats
LONGEST_WHOLE = 30
MOST_EXACT = 10**LONGEST_WHOLE  # of whole numbers that are read exactly

KEEP_ORDER = "If the rows stand in their order in the file, say --time ''."

_BELOW_MICROSECONDS = re.compile(r"[.,][0-9]{6}([0-9]{1,3})")


class Clock:
    """Reads time as a number of its own unit, or of nanoseconds, counted from the first one.

    Nanoseconds since 1970 are more than a float tells apart; those between the rows of a file are not.
    """

    def __init__(self, decimal: str = ".") -> None:
        self._decimal = decimal
        self._first: tuple[bool, int] | None = None  # whether it was a date, and its row
        self._origin = 0

    def read(self, cell: Any, row: int, where: Callable[[int], str]) -> float:
        """The time in a cell since that of the first cell; InputError where it is none, or of the other kind.

        where: the place of a row, for messages.
        """
        time = self._number(cell)
        is_date = time is None
        if time is None:
            time = self._nanoseconds(cell, row, where)
        if self._first is None:
            self._first = is_date, row
            self._origin = time if isinstance(time, int) else 0
        elif self._first[0] != is_date:
            kinds = ("a number", "a date") if is_date else ("a date", "a number")
            raise InputError(
                f"{where(row)}: expected {kinds[0]} as time as in {where(self._first[1])}, "
                f"got {kinds[1]}, {str(cell)[:40]!r}."
            )
        if isinstance(time, float) and not isfinite(time):
            raise InputError(f"{where(row)}: expected a finite time, got {str(cell)[:40]!r}.")
        return float(time - self._origin)

    def read_all(self, cells: Sequence[Any], rows: Sequence[int], where: Callable[[int], str]) -> list[float]:
        """The times in several cells, as `read` gives them one by one."""
        if self._first is not None and not self._first[0]:
            with suppress(TypeError, ValueError):  # of cells that are no texts, or empty
                together = "".join(cells)
                if together.isdecimal() and together.isascii() and max(map(len, cells)) < LONGEST_WHOLE:
                    origin = self._origin
                    return [float(int(cell) - origin) for cell in cells]  # what most are
        return [self.read(cell, row, where) for cell, row in zip(cells, rows, strict=True)]

    def _number(self, cell: Any) -> int | float | None:
        """A cell as a number, exact where it is whole; None where it is none."""
        if isinstance(cell, str):
            if len(cell) < LONGEST_WHOLE and cell.isdecimal() and cell.isascii():
                return int(cell)
            try:
                time = parse_number(cell, self._decimal)
            except ValueError:
                return None
        elif not isinstance(cell, int | float | Decimal) or isinstance(cell, bool):
            return None
        elif isinstance(cell, int) and abs(cell) < MOST_EXACT:
            return cell
        else:
            time = as_number(cell)
        return int(time) if time.is_integer() and abs(time) < EXACT else time

    def _nanoseconds(self, cell: Any, row: int, where: Callable[[int], str]) -> int:
        """A date as nanoseconds since 1970, UTC where it names no zone."""
        try:
            date = _date(cell)
        except ValueError as error:
            other = "," if self._decimal == "." else "."
            hint = f" If {other} is the decimal mark, say so with --decimal." if is_number(cell, other) else ""
            raise InputError(
                f"{where(row)}: expected a time as a number or as 2024-01-31T12:00:00, got {str(cell)[:40]!r}.{hint} "
                f"{KEEP_ORDER}"
            ) from error
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        below = _BELOW_MICROSECONDS.search(cell) if isinstance(cell, str) else None
        return (date - EPOCH) // timedelta(microseconds=1) * 1000 + (int(below[1].ljust(3, "0")) if below else 0)


def are_times(cells: Sequence[Any], decimal: str = ".") -> bool:
    """Whether cells can be read as times of one kind, and differ."""
    clock = Clock(decimal)
    try:
        times = [clock.read(cell, row, str) for row, cell in enumerate(cells)]
    except InputError:
        return False
    return len(set(times)) == len(times) > 0


def is_date(cell: Any) -> bool:
    """Whether a cell is a date that a clock reads."""
    try:
        _date(cell)
    except ValueError:
        return False
    return True


def _date(cell: Any) -> datetime:
    return cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
