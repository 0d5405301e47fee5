"""Tables with one text a row: a column of texts and a column of labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.columns import (
    TEXT_NAMES,
    comma_hint,
    header_notes,
    holds_sentences,
    holds_written_lists,
    id_column,
    label_named,
    named,
    row_numbers,
    split_column,
    text_column,
    unread_notes,
)
from auxrnn.own.delimited import LARGEST_CELL
from auxrnn.own.labels import LabelColumns, label_columns
from auxrnn.own.rows import Form, Row
from auxrnn.own.split_names import split_of
from auxrnn.own.tables import Table
from auxrnn.reading import ReadingOptions, join_names
from auxrnn.targets import KINDS


@dataclass(frozen=True)
class TextReader:
    """The rows of a table as texts, read by characters. label is None where the file is to be predicted only.

    Ends of lines of any kind are one character, as in files of texts and in streams.
    """

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
            columns={"rows": "texts", "text": self.text}
            | ({"label": join_names(self.label.names)} if self.label else {}),
            target=self.label.kind if self.label else "class",
            labels=self.label.values if self.label else (),
            notes=self.notes,
        )

    @property
    def files(self) -> list[Path]:
        return [self.table.path]

    def rows(self, skip: int = 0) -> Iterator[Row]:
        places, path = self.table.places, self.table.path
        text = places[self.text]
        split = None if self.split is None else places[self.split]
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
                content.replace("\r\n", "\n").replace("\r", "\n"),
                None if self.label is None else self.label.label(cells, where),
                None if split is None else split_of(str(cells[split]), where),
            )


def find_text_reader(table: Table, options: ReadingOptions, *, labelled: bool = True) -> TextReader:
    """Find the columns of a table of texts; InputError naming the option where it cannot be known."""
    split = split_column(table, options) if labelled else None
    counting = row_numbers(table)
    text = options.text or text_column(table)
    if text is None:
        known = {*options.label_names, options.label, split, id_column(table), *counting}
        left = [column for column in table.columns if column not in known]
        beside = {label_named(table), split, *options.label_names}
        alone = [column for column in table.columns if column not in beside]  # nothing else can be meant
        found = [column for column in left if holds_sentences(table, column)]
        if len(alone) == 1 and alone[0] == named(table, TEXT_NAMES) and not holds_written_lists(table, alone[0]):
            found = alone
        if len(found) != 1 or (labelled and options.label is None and len(left) > 2):
            raise InputError(
                f"{table.path}: expected --text COLUMN, the column of the texts, among "
                f"{', '.join(table.columns[:20])}; or --id COLUMN or --window N for a table of one step a row, or "
                f"--rows series for one of a series a row.{comma_hint(table)}"
            )
        text = found[0]
    table.place(text, "text" if labelled else None)
    if labelled and KINDS[options.kind].per_step:
        raise InputError(f"{table.path}: expected one step a row for --target tags, found a table of texts.")
    aside = [name for name in (id_column(table), *counting) if name and name != text]
    label = label_columns(table, options, used=[text, *([split] if split else []), *aside]) if labelled else None
    names = label.names if label else ()
    if text in names:
        raise InputError(f"{table.path}: expected different columns as --text and --label, got {text!r} for both.")
    notes = unread_notes(table, [text, split, *names], counting, "") if labelled else ()
    return TextReader(table, text, label, split, (*notes, *header_notes(table, options)))
