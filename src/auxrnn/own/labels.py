"""What the label cells of a row say, by the kind of target: a class, several, numbers; or one class a step."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auxrnn.errors import InputError
from auxrnn.own.columns import label_cell, label_named
from auxrnn.own.rows import Label, number_of
from auxrnn.own.tables import Table
from auxrnn.reading import ReadingOptions

SEPARATORS = re.compile(r"[|;]")
YES, NO = ("1", "true", "yes"), ("0", "false", "no")


@dataclass(frozen=True)
class LabelColumns:
    """The columns of a table that hold its labels.

    places: where they stand. kind: of the target. decimal: the mark in numbers.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    kind: str
    decimal: str = "."

    def label(self, cells: Sequence[Any], where: str) -> Label | None:
        """The label of a row, None where it has none; of a label a step that of the one step."""
        return READERS[self.kind](self, cells, where)

    @property
    def values(self) -> tuple[str, ...]:
        """What the source itself calls the values or classes, where it does."""
        return self.names if self.kind == "value" or (self.kind == "classes" and len(self.names) > 1) else ()

    def __str__(self) -> str:
        return f"label {', '.join(map(repr, self.names))}"


def label_columns(table: Table, options: ReadingOptions, *, used: Sequence[str] = ()) -> LabelColumns:
    """The columns of the labels, for the target that was asked for; the only one left beside `used` counts as one.

    InputError naming the option where it cannot be known.
    """
    names = (options.label,) if options.label in table.columns else options.label_names
    if not names:
        left = [column for column in table.columns if column not in used]
        found = label_named(table) or (left[0] if len(left) == 1 and used else None)
        if found is None:
            raise InputError(
                f"{table.path}: expected --label COLUMN, the column of the labels, among "
                f"{', '.join(table.columns[:20])}."
            )
        names = (found,)
    places = tuple(table.place(name, "label") for name in names)
    if len(names) > 1 and options.kind not in ("classes", "value"):
        raise InputError(
            f"{table.path}: expected one column as --label, got {', '.join(names)}. Say what they are: "
            "--target classes (0 or 1 for each class) or --target value (numbers)."
        )
    return LabelColumns(names, places, options.kind, table.decimal)


def _one_class(columns: LabelColumns, cells: Sequence[Any], where: str) -> Label | None:
    return _class_cell(cells[columns.places[0]], where, " For several classes say --target classes.")


def _class_cell(cell: Any, where: str, hint: str = "") -> str | None:
    """A cell as the name of a class, which Parquet may hold as anything."""
    if cell is not None and not isinstance(cell, str | int | float):
        raise InputError(
            f"{where}: expected a text or a whole number as label, got {type(cell).__name__} {str(cell)[:40]}."
            f"{hint if isinstance(cell, list) else ''}"
        )
    return label_cell(cell)


def _several_classes(columns: LabelColumns, cells: Sequence[Any], where: str) -> Label | None:
    if len(columns.names) == 1:
        cell = cells[columns.places[0]]
        if isinstance(cell, list):  # of Parquet
            return tuple(dict.fromkeys(name for one in cell if (name := _class_cell(one, where))))
        cell = _class_cell(cell, where) or ""
        return tuple(dict.fromkeys(name.strip() for name in SEPARATORS.split(cell) if name.strip()))
    found = []
    for name, place in zip(columns.names, columns.places, strict=True):
        word = (label_cell(cells[place]) or "").lower()
        if word not in (*YES, *NO):
            raise InputError(f"{where}: expected 0 or 1 in {name!r}, got {cells[place]!r}.")
        if word in YES:
            found.append(name)
    return tuple(found)


def _values(columns: LabelColumns, cells: Sequence[Any], where: str) -> Label | None:
    pairs = zip(columns.names, columns.places, strict=True)
    numbers = tuple(number_of(cells[place], where, name, columns.decimal) for name, place in pairs)
    return None if any(map(math.isnan, numbers)) else numbers


READERS: Mapping[str, Any] = {
    "class": _one_class,
    "classes": _several_classes,
    "value": _values,
    "tags": _one_class,
}
