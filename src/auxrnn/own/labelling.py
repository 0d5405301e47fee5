"""Class labels while they come: one kind throughout, numbered in the order of their first row."""

from __future__ import annotations

from typing import Any

from auxrnn.errors import InputError, check_printable
from auxrnn.numbers import LONGEST_WHOLE, is_number, whole_number
from auxrnn.reading import LabelType

MOST_CLASSES = 100_000


class Labelling:
    """classes: as first met. first_rows: where each was met first. counts: sequences of each."""

    def __init__(self, kind: LabelType, state: dict[str, Any] | None = None) -> None:
        state = state or {"classes": [], "first_rows": [], "counts": [], "kind": None}
        self.classes: list[str] = state["classes"]
        self.first_rows: list[str] = state["first_rows"]
        self.counts: list[int] = state["counts"]
        self._kind: str | None = state["kind"]
        self._as_text = kind == "text"
        self._places = {label: place for place, label in enumerate(self.classes)}

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

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "classes": self.classes,
            "first_rows": self.first_rows,
            "counts": self.counts,
            "kind": self._kind,
        }

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
