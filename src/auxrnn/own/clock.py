"""The cells of a time column, all of them numbers or all of them dates, as numbers that order the rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from auxrnn.errors import InputError
from auxrnn.numbers import parse_number

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WHOLE = re.compile(r"[+-]?[0-9]+")
_BELOW_MICROSECONDS = re.compile(r"[.,][0-9]{6}([0-9]{1,3})")


class Clock:
    """Reads time as a number of its own unit, or of nanoseconds, counted from the first one.

    Nanoseconds since 1970 are more than a float tells apart; those between the rows of a file are not.
    """

    def __init__(self, decimal: str = ".") -> None:
        self._decimal = decimal
        self._first: tuple[bool, str] | None = None  # whether it was a date, and where
        self._origin = 0

    def read(self, cell: Any, where: str) -> float:
        """The time in a cell since that of the first cell; InputError where it is none, or of the other kind."""
        time = self._number(cell)
        is_date = time is None
        if time is None:
            time = _nanoseconds(cell, where)
        if self._first is None:
            self._first = is_date, where
            self._origin = time if isinstance(time, int) else 0
        elif self._first[0] != is_date:
            kinds = ("a number", "a date") if is_date else ("a date", "a number")
            raise InputError(
                f"{where}: expected {kinds[0]} as time as in {self._first[1]}, got {kinds[1]}, {str(cell)[:40]!r}."
            )
        if not isfinite(time):
            raise InputError(f"{where}: expected a finite time, got {cell!r}.")
        return float(time - self._origin)

    def _number(self, cell: Any) -> int | float | None:
        """A cell as a number, exact where it is whole; None where it is none."""
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return cell
        if isinstance(cell, str) and len(cell) < 30 and _WHOLE.fullmatch(text := cell.strip()):
            return int(text)
        try:
            return parse_number(cell, self._decimal) if isinstance(cell, str) else None
        except ValueError:
            return None


def _nanoseconds(cell: Any, where: str) -> int:
    """A date as nanoseconds since 1970, UTC where it names no zone."""
    try:
        date = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
    except ValueError as error:
        raise InputError(
            f"{where}: expected a time as a number or as 2024-01-31T12:00:00, got {str(cell)[:40]!r}."
        ) from error
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    below = _BELOW_MICROSECONDS.search(cell) if isinstance(cell, str) else None
    return (date - EPOCH) // timedelta(microseconds=1) * 1000 + (int(below[1].ljust(3, "0")) if below else 0)
