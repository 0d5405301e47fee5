"""Class labels as files have them: cells and items of arrays become names, all of one kind, numbered as they come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from auxrnn.config.reading import LabelType
from auxrnn.errors import InputError, check_printable
from auxrnn.storage.numbers import LONGEST_WHOLE, is_number, whole_number

MOST_CLASSES = 100_000

UNLABELLED = -1
"""The label of a step that has none."""

Label = str | tuple[str | float | None, ...]
"""Of one sequence as a file has it: a class; the names of several; numbers; or a class, or None, for each step."""


def label_cell(cell: Any) -> str | None:
    """A cell as a label: stripped, None where it is empty; whole numbers of Parquet in digits."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip() or None


def class_cell(cell: Any, where: str, list_hint: str = "") -> str | None:
    """A cell as the name of a class, which Parquet may hold as anything. list_hint: what to do about a list."""
    if cell is not None and not isinstance(cell, str | int | float):
        raise InputError(
            f"{where}: expected a text or a whole number as label, got {type(cell).__name__} {str(cell)[:40]}."
            f"{list_hint if isinstance(cell, list) else ''}"
        )
    return label_cell(cell)


def class_item(item: Any, where: str) -> str | None:
    """An item of an array as the name of a class; None for NaN and an empty text."""
    label = item.reshape(()).item() if isinstance(item, np.ndarray) else item.item()
    if isinstance(label, bytes):
        try:
            label = label.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: expected a label in UTF-8, got the bytes {label!r}.") from error
    if isinstance(label, float):
        if np.isnan(label):
            return None
        if not label.is_integer():
            raise InputError(
                f"{where}: expected a class as label, got {label}: these look like measured values. To predict them as "
                "numbers say --target value."
            )
        label = int(label)
    return str(label).strip() or None


class Labelling:
    """Numbers the names of classes in the order in which they come.

    classes: the names in that order. first_rows: where each was met first. counts: sequences of each.
    """

    def __init__(self, kind: LabelType) -> None:
        self.classes: list[str] = []
        self.first_rows: list[str] = []
        self.counts: list[int] = []
        self._kind: str | None = None
        self._as_text = kind == "text"
        self._places: dict[str, int] = {}

    def place(self, label: str, where: str) -> int:
        """The number of a label, a new one where it is new. Raises InputError where it is of another kind."""
        place = self._places.get(label)
        if place is None:
            place = self._places.get(name := self._checked(label, where))
            if place is None:
                place = self._new(name, where)
            self._places[name] = self._places[label] = place
        self.counts[place] += 1
        return place

    def order(self) -> list[int]:
        """Places in the order in which classes are shown: numbers by size, words by letter."""
        numbers = self._kind == "number"
        return sorted(
            range(len(self.classes)),
            key=lambda place: (int(self.classes[place]) if numbers else 0, self.classes[place]),
        )

    def check(self, least: int = 2) -> None:
        """InputError unless there are at least two classes of at least `least` sequences each."""
        if len(self.classes) < 2:
            found = f"1 class, {self.classes[0]!r}" if self.classes else "none"
            raise InputError(f"Expected labels of at least 2 classes, got {found}.")
        for name, first, count in zip(self.classes, self.first_rows, self.counts, strict=True):
            if count < least:
                lonely = sum(count < least for count in self.counts)
                others = f", and so {lonely - 1:,} other classes" if lonely > 1 else ""
                raise InputError(
                    f"{first}: expected at least 2 sequences of class {name!r}, to learn from and to test on, got 1"
                    f"{others}. Add some or leave it out; if these are no classes, name the right column with --label."
                )

    def _new(self, name: str, where: str) -> int:
        if len(self.classes) == MOST_CLASSES:
            raise InputError(
                f"{where}: expected at most {MOST_CLASSES:,} classes, got more. Is --label the right column?"
            )
        self.classes.append(check_printable(name, where))
        self.first_rows.append(where)
        self.counts.append(0)
        return len(self.classes) - 1

    def _checked(self, label: str, where: str) -> str:
        if self._as_text:
            self._kind = "text"
            return label
        whole = whole_number(label)
        kind = "number" if whole else "word"
        if not whole and is_number(label):
            raise InputError(
                f"{where}: expected a class as label, got {label}: these look like measured values. To predict "
                "them as numbers say --target value; if they are names, say --label_type text."
            )
        if self._kind not in (None, kind):
            raise InputError(
                f"{where}: expected a {self._kind} as label as in the rows before (e.g. {self.classes[0]!r}), got the "
                f"{kind} {label!r}. If both are meant, say --label_type text."
            )
        if whole and len(whole) > LONGEST_WHOLE:
            raise InputError(
                f"{where}: expected a number of at most {LONGEST_WHOLE} digits as label, got {len(whole):,}. "
                "If these are names, say --label_type text."
            )
        self._kind = kind
        return whole or label
