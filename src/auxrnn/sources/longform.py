"""Long-form tables: one step a row, the rows of one sequence under each other; or one endless table, cut up."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from auxrnn.config.reading import ReadingOptions, join_names
from auxrnn.errors import InputError
from auxrnn.sources.clock import KEEP_ORDER, Clock
from auxrnn.sources.columns import (
    counts_steps,
    header_notes,
    id_column,
    label_named,
    numeric_columns,
    row_numbers,
    split_column,
    time_column,
    time_named,
    unread_notes,
)
from auxrnn.sources.label_columns import LabelColumns, label_columns, with_labels
from auxrnn.sources.reader import Array, Example, Reader, Schema
from auxrnn.sources.splits import split_of
from auxrnn.sources.tables import Table
from auxrnn.storage.numbers import MISSING_WORDS, is_written_plainly, number_of
from auxrnn.targets.labelling import Label, label_cell

WAITING_CELLS = 65_536  # that are turned into numbers together


@dataclass(frozen=True)
class _LongForm:
    """Sequences of a table whose rows are steps. Rows of one id must follow each other; `time` orders them.

    id: None where all rows are one sequence. window: rows after which a sequence is cut. All rows of one have the same
    label, but for a label a step; with a window a new sequence begins where the label changes.
    """

    table: Table
    id: str | None
    time: str | None
    features: tuple[str, ...]
    label: LabelColumns | None
    split: str | None = None
    window: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        by = f"time {self.time!r}" if self.time else "in the order of the rows"
        key = f"id {self.id!r}, " if self.id else ""
        cut = f", cut into windows of {self.window:,} rows" if self.window else ""
        columns = {"id": self.id or "", "time": self.time or ""}  # a file to predict has none either
        schema = Schema(
            f"long-form table ({key}{by}, {self.label or 'no label'}){cut}",
            "values",
            len(self.features),
            channel_names=self.features,
            columns={"rows": "steps", "features": join_names(self.features), **columns},
            notes=self.notes,
        )
        return with_labels(schema, self.label)

    def examples(self) -> Iterator[Example]:
        place = None if self.id is None else self.table.places[self.id]
        seen: set[int] = set()  # hashes of the ids: millions fit
        current: _Steps | None = None
        clock = Clock(self.table.decimal)
        before: Any = None  # the cell as it stands, which is compared faster than its key
        key: str | None = ""
        for number, cells in self.table.rows():
            if place is not None and current is not None and self.window is None and cells[place] == before:
                current.add(number, cells)  # what most rows are
                continue
            if place is not None:
                before = cells[place]
                key = label_cell(before)
                if key is None:
                    raise InputError(f"{self.table.path}, row {number}: expected an id in {self.id!r}, got none.")
            if current is None or key != current.key:
                if hash(key) in seen:
                    raise InputError(
                        f"{self.table.path}, row {number}: expected the rows of {self.id} {key!r} under each other, "
                        "got it again after others. Sort the table by that column first."
                    )
                seen.add(hash(key))
            elif self.window is None or not current.is_full(cells):
                current.add(number, cells)
                continue
            if current is not None:
                yield current.row()
            current = _Steps(self, key or "", clock)
            current.add(number, cells)
        if current is not None:
            yield current.row()

    @cached_property
    def feature_places(self) -> list[int]:
        return [self.table.places[name] for name in self.features]

    @cached_property
    def label_places(self) -> tuple[int, ...]:
        """Where labels stand that are the same in all rows of a sequence."""
        return () if self.label is None or self.label.target.per_step else self.label.places


class _Steps:
    """The steps of one sequence while they come, in compact form."""

    def __init__(self, reader: _LongForm, key: str, clock: Clock) -> None:
        self.reader, self.key, self.clock = reader, key, clock
        self.values, self.times, self.numbers = array("d"), array("d"), array("q")
        table = reader.table
        self._places = reader.feature_places
        self._quick = table.written and table.decimal == "."  # `float` tells what most cells say
        self._tagged = reader.label is not None and reader.label.target.per_step
        self._tags: list[Label | None] = []
        self._constants = [*reader.label_places, *([table.places[reader.split]] if reader.split else [])]
        self._time = None if reader.time is None else table.places[reader.time]
        self._first: Sequence[Any] = ()
        self._waiting: list[Sequence[Any]] = []
        self._most_waiting = max(1, WAITING_CELLS // len(table.columns))

    def is_full(self, cells: Sequence[Any]) -> bool:
        """Whether the window ends before the row of these cells: it is full, or another class begins."""
        if len(self.numbers) == self.reader.window:
            return True
        classes = self.reader.label_places if self.reader.label and self.reader.label.target.one_class else ()
        return any(label_cell(cells[place]) != label_cell(self._first[place]) for place in classes)

    def add(self, number: int, cells: Sequence[Any]) -> None:
        if not self.numbers:
            self._first = cells
        self.numbers.append(number)
        self._waiting.append(cells)
        if len(self._waiting) >= self._most_waiting:
            self._settle()

    def _settle(self) -> None:
        """Turn the waiting rows into numbers, all at once where they hold plain numbers."""
        rows, self._waiting = self._waiting, []
        numbers = self.numbers[len(self.numbers) - len(rows) :]
        for place in self._constants:
            first = self._first[place]
            if any(cells[place] != first for cells in rows):
                for number, cells in zip(numbers, rows, strict=True):
                    self._check_constant(number, place, cells)
        if not self._settle_plain(rows):
            for number, cells in zip(numbers, rows, strict=True):
                where, decimal = self.where(number), self.reader.table.decimal
                pairs = zip(self._places, self.reader.features, strict=True)
                self.values.extend([number_of(cells[place], where, name, decimal) for place, name in pairs])
        if self._time is not None:
            self.times.extend(self.clock.read_all([cells[self._time] for cells in rows], numbers, self.where))
        if self._tagged and self.reader.label is not None:
            label = self.reader.label
            self._tags += [label.label(cells, self.where(number)) for number, cells in zip(numbers, rows, strict=True)]

    def _settle_plain(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Read the numbers of rows by `float`; False, with nothing read, where `float` takes more than our grammar."""
        if not self._quick:
            return False
        written = [cells[place] for cells in rows for place in self._places]
        try:
            values = array("d", map(float, written))
        except ValueError:
            return False
        plain = isfinite(sum(values)) and is_written_plainly("".join(written))
        if plain:
            self.values.extend(values)
        return plain

    def row(self) -> Example:
        self._settle()
        reader = self.reader
        name = f"{reader.id} {self.key} (row {self.numbers[0]})" if reader.id else f"row {self.numbers[0]}"
        where = f"{reader.table.path}, {name}"
        values = np.frombuffer(self.values).reshape(-1, len(self._places))
        if reader.time is not None:
            order = self._order()
            values = values[order]
            self._tags = [self._tags[step] for step in order.tolist()] if self._tagged else []
        label: Label | None = tuple(map(_as_tag, self._tags))
        if not self._tagged:
            label = None if reader.label is None else reader.label.label(self._first, where)
        split = None
        if reader.split is not None:
            split = split_of(label_cell(self._first[reader.table.places[reader.split]]) or "", where)
        return Example(where, values, label, split)

    def _order(self) -> Array:
        times = np.frombuffer(self.times)
        order = np.argsort(times, kind="stable")
        same = np.flatnonzero(np.diff(times[order]) == 0)
        if len(same):
            first, second = (self.numbers[int(order[same[0] + step])] for step in (0, 1))
            raise InputError(
                f"{self.reader.table.path}, rows {first} and {second}: expected different times in one sequence, "
                f"got one twice. Several sequences? --id COLUMN. {KEEP_ORDER}"
            )
        return order

    def _check_constant(self, number: int, place: int, cells: Sequence[Any]) -> None:
        first, found = label_cell(self._first[place]), label_cell(cells[place])
        if found != first:
            column = self.reader.table.columns[place]
            hint = self._label_hint(number, column, first, found) if place in self.reader.label_places else ""
            raise InputError(
                f"{self.where(number)}: expected one {column} for all rows of a sequence, "
                f"got {found!r} after {first!r}.{hint}"
            )

    def _label_hint(self, number: int, column: str, first: str | None, found: str | None) -> str:
        """What to do about labels of one sequence that differ; InputError where a row lacks what another has."""
        assert self.reader.label is not None
        target = self.reader.label.target
        for row, label, other in ((self.numbers[0], first, found), (number, found, first)):
            if label is None or (not target.has_classes and label.lower() in MISSING_WORDS):
                raise InputError(
                    f"{self.where(row)}: expected a label in {column}, got none, where another row of the sequence "
                    f"has {other!r}. Give every row of a sequence its label."
                )
        window = "" if self.reader.id else ", for sequences of so many rows say --window N"
        return f" For a class at every step say --target tags{window}." if target.one_class else ""

    def where(self, number: int) -> str:
        return f"{self.reader.table.path}, row {number}"


def find_long_form_reader(
    table: Table, options: ReadingOptions, *, labelled: bool = True, whole: bool = False
) -> Reader:
    """Find the columns of a long-form table; InputError naming the option where one cannot be known.

    whole: the table is one sequence.
    """
    key = None if whole else id_column(table)
    if options.id is not None:
        key = options.id or None
    if key is None and not whole and options.window is None:
        raise InputError(
            f"{table.path}: expected --id COLUMN, which sequence a row belongs to, among "
            f"{', '.join(table.columns[:20])}; or --window N, to cut it into sequences of N rows."
        )
    if options.time:
        table.place(options.time, "time" if labelled else None, options.named_columns)
    counted = None
    if options.id is None and key is not None and counts_steps(table, key, options.time or time_column(table, key)):
        if options.window is None:
            raise InputError(
                f"{table.path}: expected an id of sequences, got {key!r}, which counts the rows. Say --id COLUMN, "
                f"also --id {key} if every row is a sequence; or --window N, to cut the table into sequences of N rows."
            )
        key, counted = None, key
    if key is not None:
        table.place(key, "id" if labelled else None, options.named_columns)
    time = time_column(table, key) if options.time is None else options.time or None
    split = split_column(table, options) if labelled else None
    features = options.feature_names
    for name in features:
        table.place(name, "features" if labelled else None, options.named_columns)
    used = [name for name in (key, time, split, *features) if name]
    label = label_columns(table, options, used=used if features else ()) if labelled else None
    names = label.names if label else ()
    counting = row_numbers(table, key, cut=key is None and not whole) | ({counted} if counted else set())
    if not features:
        others = {label_named(table), id_column(table)} if whole else set()
        leave = {*used, time_named(table), *names, *options.label_names, options.label, *others, *counting}
        features = numeric_columns(table, used=frozenset(name for name in leave if name))
    if not features:
        raise InputError(f"{table.path}: expected --features A,B,..., the columns of numbers, found none by itself.")
    roles = [name for name in (key, time, *names, split, *features) if name]
    if len(set(roles)) < len(roles):
        seen: set[str] = set()
        twice = next(name for name in roles if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(f"{table.path}: expected a different column for each option, got {twice!r} twice.")
    notes = unread_notes(table, roles, counting, "; --features names those that are") if not options.features else ()
    notes = (*notes, *header_notes(table, options))
    form = _LongForm(table, key, time, features, label, split, options.window, notes)
    return Reader(form.schema, table.uses | {"id", "time", "features", "window"}, form.examples)


def _as_tag(label: Label | None) -> str | None:
    assert label is None or isinstance(label, str)
    return label
