"""Tables with one text a row: a column of texts and a column of labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.columns import (
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
from auxrnn.sources.delimited import LARGEST_CELL
from auxrnn.sources.label_columns import label_columns, row_examples, with_labels
from auxrnn.sources.reader import Reader, Schema
from auxrnn.sources.tables import Table
from auxrnn.targets import KINDS


def find_text_reader(table: Table, options: ReadingOptions, *, labelled: bool = True) -> Reader:
    """Find the columns of a table of texts; InputError naming the option where it cannot be known."""
    if labelled and KINDS[options.kind].per_step:
        raise InputError(
            f"{table.path}: expected one step a row for --target tags, its sequence named by --id COLUMN or cut by "
            f"--window N, found neither; columns: {', '.join(table.columns[:20])}."
        )
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
    aside = [name for name in (id_column(table), *counting) if name and name != text]
    label = label_columns(table, options, used=[text, *([split] if split else []), *aside]) if labelled else None
    names = label.names if label else ()
    if text in names:
        raise InputError(f"{table.path}: expected different columns as --text and --label, got {text!r} for both.")
    notes = unread_notes(table, [text, split, *names], counting, "") if labelled else ()
    notes = (*notes, *header_notes(table, options))
    told = f"text {text!r}" + (f", {label}" if label else "") + (f", split {split!r}" if split else "")
    columns = {"rows": "texts", "text": text}
    schema = Schema(f"table of texts ({told})", "characters", dtype="uint16", columns=columns, notes=notes)
    read = partial(_text, table.places[text], text)
    return Reader(with_labels(schema, label), table.uses | {"text"}, partial(row_examples, table, label, split, read))


def _text(place: int, name: str, cells: Sequence[Any], where: str) -> str:
    """The text of a row. Ends of lines of any kind are one character, as in files of texts and in streams."""
    content = cells[place]
    if content is None:
        return ""
    if not isinstance(content, str):
        raise InputError(f"{where}: expected a text in {name!r}, got {type(content).__name__} {content!r}.")
    if len(content) > LARGEST_CELL:
        raise InputError(f"{where}: expected a text of at most {LARGEST_CELL:,} characters, got a longer one.")
    return content.replace("\r\n", "\n").replace("\r", "\n")
