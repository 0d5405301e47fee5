"""Tables with one sequence a row: what readers of texts and of series have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxrnn.sources.label_columns import LabelColumns
from auxrnn.sources.reader import Array, Example, Schema
from auxrnn.sources.split_names import split_of
from auxrnn.sources.tables import Table
from auxrnn.targets.labelling import label_cell


@dataclass(frozen=True, kw_only=True)
class RowwiseReader(ABC):
    """label: None where the file is to be predicted only. split: the column that names it. notes: on what was found."""

    table: Table
    label: LabelColumns | None = None
    split: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> list[Path]:
        return [self.table.path]

    def examples(self, skip: int = 0) -> Iterator[Example]:
        place = None if self.split is None else self.table.places[self.split]
        for number, cells in self.table.rows(skip):
            where = f"{self.table.path}, row {number}"
            yield Example(
                where,
                self.sequence(cells, where),
                None if self.label is None else self.label.label(cells, where),
                None if place is None else split_of(label_cell(cells[place]) or "", where),
            )

    @property
    @abstractmethod
    def schema(self) -> Schema:
        """What the examples are."""

    @property
    @abstractmethod
    def uses(self) -> frozenset[str]:
        """The options that count for this reader."""

    @abstractmethod
    def sequence(self, cells: Sequence[Any], where: str) -> Array | str:
        """The sequence that stands in the cells of one row."""
