"""Numbers as files write them: one grammar for tables, streams, labels and settings, that of CSV tools.

Python's own `float` and `int` also take underscores (`3_1` is 31 to them) and the digits of every script.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from auxrnn.errors import InputError

LONGEST_WHOLE = 100
"""Digits of a label that is a whole number; Python reads no more than some thousand."""

_PANDAS = ("", "nan", "+nan", "-nan", "na", "n/a", "<na>", "nat", "null", "none", "#na", "#n/a", "#n/a n/a", "1.#nan")
_WINDOWS = ("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
_EXCEL = ("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!")
MISSING_WORDS = frozenset((*_PANDAS, *_WINDOWS, *_EXCEL, "?"))
"""What stands for no number, in small letters: the words of pandas, and Excel's errors."""

INFINITE_WORDS = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
"""The grammar as a regular expression."""

_NUMBER = re.compile(NUMBER)
_LISTED = re.compile(r"[\s,;|\[\](){}]+")  # what stands between numbers of a list that is a text
_WHOLE = re.compile(r"(?:\+(?!-)|-(?=0+(?:\.|$)))?(-?[0-9]+)(?:\.0*)?")  # +1 is 1, and -0 is 0


def is_missing(cell: Any) -> bool:
    """Whether a cell stands for no value."""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING_WORDS)


def is_written_plainly(text: str) -> bool:
    """Whether `float` reads numbers in `text`, joined as they may be, as the grammar here does."""
    return text.isascii() and "_" not in text


def parse_number(text: str, decimal: str = ".") -> float:
    """A number, infinite words included; ValueError for anything else. decimal: the mark before the fraction."""
    text = text.strip()
    if decimal != ".":
        text = text.replace(".", "_").replace(decimal, ".")
    if _NUMBER.fullmatch(text) or text.lower() in INFINITE_WORDS:
        return float(text)
    raise ValueError(f"no number: {text[:40]!r}")


def as_number(cell: Any, decimal: str = ".") -> float:
    """A cell as a number, NaN where it stands for none; ValueError or TypeError for anything else."""
    if is_missing(cell):
        return float("nan")
    if isinstance(cell, str):
        return parse_number(cell, decimal)
    try:
        return float(cell)
    except OverflowError:  # a whole number, as JSON may hold it
        return math.inf if cell > 0 else -math.inf


def number_of(cell: Any, where: str, what: str, decimal: str = ".") -> float:
    """A cell as a number, NaN where it is empty; infinite values and words are refused."""
    try:
        number = as_number(cell, decimal)
    except (TypeError, ValueError) as error:
        hint = ""
        if isinstance(cell, str) and is_number(cell, "," if decimal == "." else "."):
            hint = f" If {',' if decimal == '.' else '.'} is the decimal mark, say so with --decimal."
        raise InputError(f"{where}: expected a number as {what}, got {str(cell)[:40]!r}.{hint}") from error
    if math.isinf(number):
        raise InputError(f"{where}: expected a finite number as {what}, got {str(cell)[:40]!r}.")
    return number


def is_number(cell: Any, decimal: str = ".") -> bool:
    """Whether a cell is a number and neither missing nor true or false."""
    if isinstance(cell, bool) or is_missing(cell):
        return False
    try:
        as_number(cell, decimal)
    except (TypeError, ValueError):
        return False
    return True


def listed_cells(text: str, decimal: str = ".") -> list[str]:
    """The cells of a list that is written as a text: `1 2 3` and `[1.5, 2]`; with points as decimal marks.

    Lists of lists are none.
    """
    if sum(map(text.count, "[({")) > 1:
        return [text]
    return [cell for cell in _LISTED.split(text if decimal == "." else text.replace(decimal, ".")) if cell]


def are_numbers(text: str, decimal: str = ".") -> bool:
    """Whether a text is a list of numbers, and no number itself."""
    cells = [] if is_number(text, decimal) else listed_cells(text, decimal)
    return any(map(is_number, cells)) and all(is_missing(cell) or is_number(cell) for cell in cells)


def whole_number(text: str) -> str | None:
    """The digits of a whole number, None for anything else: `+1`, `1.0` and `1.000e+00` are 1. Leading zeros stay."""
    plain = _WHOLE.fullmatch(text)
    if plain:
        return plain[1]
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if number and not -LONGEST_WHOLE <= number.adjusted() <= LONGEST_WHOLE:
        return None
    return str(int(number)) if number == number.to_integral_value() else None


def are_counted(cells: Sequence[Any]) -> bool:
    """Whether at least two cells are whole numbers that rise by one from each to the next."""
    written = [str(cell).strip() for cell in cells]
    if len(cells) < 2 or not all(cell.isascii() and cell.isdecimal() and len(cell) < 20 for cell in written):
        return False
    return all(later - earlier == 1 for earlier, later in pairwise(map(int, written)))
