"""Tables with one text a row: a column of texts and a column of labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.own.columns import TEXT_NAMES, header_notes, named, split_column
from auxrnn.own.labels import LabelColumns, label_columns
from auxrnn.own.rows import Form, Row, split_of
from auxrnn.own.tables import LARGEST_CELL, Table
from auxrnn.reading import ReadingOptions


@dataclass(frozen=True)
class TextReader:
    """The rows of a table as texts, read by characters. label is None where the file is to be predicted only."""

    table: Table
    text: str
    label: LabelColumns | None
    split: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def form(self) -> Form:
        names = f"text {self.text!r}" + (f", {self.label}" if self.label else "")
        return Form(
            f"table of texts ({names}" + (f", split {self.split!r})" if self.split else ")"),
            "characters",
            dtype="uint16",
            columns={"text": self.text},
            target=self.label.kind if self.label else "class",
            labels=self.label.values if self.label else (),
            notes=self.notes,
        )

    @property
    def files(self) -> list[Path]:
        return [self.table.path]

    def rows(self, skip: int = 0) -> Iterator[Row]:
        columns, path = self.table.columns, self.table.path
        text = columns.index(self.text)
        split = None if self.split is None else columns.index(self.split)
        for number, cells in self.table.rows(skip):
            where = f"{path}, row {number}"
            content = "" if cells[text] is None else cells[text]
            if not isinstance(content, str):
                raise InputError(
                    f"{where}: expected a text in {self.text!r}, got {type(content).__name__} {content!r}."
                )
            if len(content) > LARGEST_CELL:
                raise InputError(f"{where}: expected a text of at most {LARGEST_CELL:,} characters, got a longer one.")
            yield Row(
                where,
                content,
                None if self.label is None else self.label.label(cells, where),
                None if split is None else split_of(str(cells[split]), where),
            )


def find_text_reader(table: Table, options: ReadingOptions, *, labelled: bool = True) -> TextReader:
    """Find the columns of a table of texts; InputError naming the option where it cannot be known."""
    split = split_column(table, options.split) if labelled else None
    text = options.text or named(table, TEXT_NAMES)
    if text is None:
        known = {*options.label_names, options.label, split}
        rows = table.sample()
        left = [
            column for place, column in enumerate(table.columns) if column not in known and _holds_texts(rows, place)
        ]
        if len(left) != 1 or (labelled and options.label is None and len(table.columns) > 2 + (split is not None)):
            raise InputError(
                f"{table.path}: expected --text COLUMN, the column of the texts, among "
                f"{', '.join(table.columns[:20])} (or --id and --features for a table of one step a row)."
            )
        text = left[0]
    table.place(text, "text" if labelled else None)
    if labelled and options.kind == "tags":
        raise InputError(f"{table.path}: expected one step a row for --target tags, found a table of texts.")
    label = label_columns(table, options, used=[text, *([split] if split else [])]) if labelled else None
    if label and text in label.names:
        raise InputError(f"{table.path}: expected different columns as --text and --label, got {text!r} for both.")
    return TextReader(table, text, label, split, header_notes(table, options))


def _holds_texts(rows: Sequence[Sequence[Any]], place: int) -> bool:
    """Most cells of a column have a space in them."""
    cells = [cells[place] for cells in rows]
    texts = sum(isinstance(cell, str) and " " in cell.strip() for cell in cells)
    return bool(cells) and texts > len(cells) / 2
