"""Find the columns of labels in a table, and read them as the kind of target asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auxrnn.config.reading import ReadingOptions, join_names
from auxrnn.errors import InputError
from auxrnn.sources.columns import label_named
from auxrnn.sources.reader import Array, Example, Schema
from auxrnn.sources.splits import split_of
from auxrnn.sources.tables import Table
from auxrnn.targets import KINDS, Target
from auxrnn.targets.labelling import Label, label_cell


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
        return self.target.read_cells([cells[place] for place in self.places], self.names, where, self.decimal)

    @property
    def target(self) -> type[Target]:
        """What the labels are of."""
        return KINDS[self.kind]

    @property
    def values(self) -> tuple[str, ...]:
        """What the source itself calls the values or classes, where it does."""
        return self.target.column_names(self.names)

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
    if len(names) > 1 and not KINDS[options.kind].several_columns:
        raise InputError(
            f"{table.path}: expected one column as --label, got {', '.join(names)}. Say what they are: "
            "--target classes (0 or 1 for each class) or --target value (numbers)."
        )
    return LabelColumns(names, places, options.kind, table.decimal)


def row_examples(
    table: Table,
    label: LabelColumns | None,
    split: str | None,
    sequence: Callable[[Sequence[Any], str], Array | str],
) -> Iterator[Example]:
    """The rows of a table with one sequence a row, which `sequence` reads from the cells of a row and its place."""
    place = None if split is None else table.places[split]
    for number, cells in table.rows():
        where = f"{table.path}, row {number}"
        yield Example(
            where,
            sequence(cells, where),
            None if label is None else label.label(cells, where),
            None if place is None else split_of(label_cell(cells[place]) or "", where),
        )


def with_labels(schema: Schema, label: LabelColumns | None) -> Schema:
    """The schema of sequences that have the labels in such columns; as it is where they have none."""
    if label is None:
        return schema
    columns = {**schema.columns, "label": join_names(label.names)}
    return replace(schema, columns=columns, target=label.kind, labels=label.values)
