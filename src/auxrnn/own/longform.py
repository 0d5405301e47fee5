"""Long-form tables: one step a row, the rows of one sequence under each other."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from auxrnn.errors import InputError
from auxrnn.own.columns import (
    ID_NAMES,
    TIME_NAMES,
    header_notes,
    label_cell,
    named,
    numeric_columns,
    split_column,
)
from auxrnn.own.labels import LabelColumns, label_columns
from auxrnn.own.rows import MISSING_WORDS, Form, Label, Row, number_of, split_of
from auxrnn.own.tables import Table
from auxrnn.reading import ReadingOptions, join_names


@dataclass(frozen=True)
class LongFormReader:
    """Sequences of a table whose rows are steps. Rows of one id must follow each other; `time` orders them.

    All rows of one have the same label, but for a label a step.
    """

    table: Table
    id: str
    time: str | None
    features: tuple[str, ...]
    label: LabelColumns | None
    split: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def form(self) -> Form:
        by = f", time {self.time!r}" if self.time else ", in the order of the rows"
        return Form(
            f"long-form table (id {self.id!r}{by}, {self.label or 'no label'})",
            "values",
            len(self.features),
            channel_names=self.features,
            columns={"id": self.id, "features": join_names(self.features)} | ({"time": self.time} if self.time else {}),
            target=self.label.kind if self.label else "class",
            labels=self.label.values if self.label else (),
            notes=self.notes,
        )

    @property
    def files(self) -> list[Path]:
        return [self.table.path]

    def rows(self, skip: int = 0) -> Iterator[Row]:
        place = self.table.columns.index(self.id)
        seen: set[int] = set()  # hashes of the ids: millions fit
        current: _Steps | None = None
        clock = _Clock()
        found = 0
        before: Any = None  # the cell as it stands, which is compared faster than its key
        for number, cells in self.table.rows():
            if current is None or cells[place] != before:
                before = cells[place]
                key = label_cell(before)
                if key is None:
                    raise InputError(f"{self.table.path}, row {number}: expected an id in {self.id!r}, got none.")
                if current is not None and key == current.key:
                    current.add(number, cells)
                    continue
                if current is not None and (found := found + 1) > skip:
                    yield current.row()
                if hash(key) in seen:
                    raise InputError(
                        f"{self.table.path}, row {number}: expected the rows of {self.id} {key!r} under each other, "
                        "got it again after others. Sort the table by that column first."
                    )
                seen.add(hash(key))
                current = _Steps(self, key, clock)
            current.add(number, cells)
        if current is not None and found + 1 > skip:
            yield current.row()


class _Clock:
    """Reads the cells of a time column, all of them numbers or all of them dates."""

    def __init__(self) -> None:
        self._first: tuple[bool, int] | None = None  # whether it was a date, and its row
        self._origin: int | None = None

    def read(self, cell: Any, steps: _Steps, row: int) -> float:
        """A number less the first one, if that was whole; a date as seconds since 1970 (UTC where it names no zone)."""
        try:
            time = cell if isinstance(cell, datetime) else self._since_first(cell)
        except (TypeError, ValueError, OverflowError):
            try:
                time = datetime.fromisoformat(str(cell).strip())
            except ValueError as error:
                raise InputError(
                    f"{steps.where(row)}: expected a time as a number or as 2024-01-31T12:00:00, "
                    f"got {str(cell)[:40]!r}."
                ) from error
        is_date = isinstance(time, datetime)
        if self._first is None:
            self._first = is_date, row
        elif self._first[0] != is_date:
            kinds = ("a number", "a date") if is_date else ("a date", "a number")
            raise InputError(
                f"{steps.where(row)}: expected {kinds[0]} as time as in {steps.where(self._first[1])}, "
                f"got {kinds[1]}, {str(cell)[:40]!r}."
            )
        if isinstance(time, datetime):
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        if not isfinite(time):
            raise InputError(f"{steps.where(row)}: expected a finite time, got {cell!r}.")
        return time

    def _since_first(self, cell: Any) -> float:
        """Nanoseconds since 1970 are more than a float tells apart; those between the rows of a file are not."""
        if self._origin is None:
            whole = isinstance(cell, int) or (isinstance(cell, str) and cell.strip().isdecimal())
            self._origin = int(cell) if whole else 0
        if self._origin and not isinstance(cell, float):
            with suppress(ValueError):  # a number that is not whole
                return float(int(cell) - self._origin)
        return float(cell) - self._origin


class _Steps:
    """The steps of one sequence while they come, in compact form."""

    def __init__(self, reader: LongFormReader, key: str, clock: _Clock) -> None:
        self.reader, self.key, self.clock = reader, key, clock
        self.values, self.times, self.numbers = array("d"), array("d"), array("q")
        columns = reader.table.columns
        self._features = [(columns.index(name), name) for name in reader.features]
        self._places = [place for place, _ in self._features]
        self._tagged = reader.label is not None and reader.label.kind == "tags"
        self._tags: list[Label | None] = []
        self._labels = () if reader.label is None or self._tagged else reader.label.places
        self._constants = [*self._labels, *([columns.index(reader.split)] if reader.split else [])]
        self._time = None if reader.time is None else columns.index(reader.time)
        self._first: Sequence[Any] = ()

    def add(self, number: int, cells: Sequence[Any]) -> None:
        if not self.numbers:
            self._first = cells
        for place in self._constants:
            if cells[place] != self._first[place]:
                self._check_constant(number, place, cells)
        try:
            values = [float(cells[place]) for place in self._places]
            plain = isfinite(sum(values))
        except (TypeError, ValueError):
            plain = False
        if not plain:
            where = self.where(number)
            values = [number_of(cells[place], where, name) for place, name in self._features]
        self.values.extend(values)
        if self._time is not None:
            self.times.append(self.clock.read(cells[self._time], self, number))
        if self._tagged and self.reader.label is not None:
            self._tags.append(self.reader.label.label(cells, self.where(number)))
        self.numbers.append(number)

    def row(self) -> Row:
        reader = self.reader
        where = f"{reader.table.path}, {reader.id} {self.key} (row {self.numbers[0]})"
        values = np.frombuffer(self.values).reshape(-1, len(self._features))
        if reader.time is not None:
            times = np.frombuffer(self.times)
            order = np.argsort(times, kind="stable")
            same = np.flatnonzero(np.diff(times[order]) == 0)
            if len(same):
                first, second = (self.numbers[int(order[same[0] + step])] for step in (0, 1))
                raise InputError(
                    f"{reader.table.path}, rows {first} and {second}: expected different times in one sequence, "
                    "got one twice."
                )
            values = values[order]
            self._tags = [self._tags[step] for step in order.tolist()] if self._tagged else []
        columns = reader.table.columns
        label: Label | None = tuple(map(_as_tag, self._tags))
        if not self._tagged:
            label = None if reader.label is None else reader.label.label(self._first, where)
        split = None
        if reader.split is not None:
            split = split_of(label_cell(self._first[columns.index(reader.split)]) or "", where)
        return Row(where, values, label, split)

    def _check_constant(self, number: int, place: int, cells: Sequence[Any]) -> None:
        first, found = label_cell(self._first[place]), label_cell(cells[place])
        if found != first:
            column = self.reader.table.columns[place]
            hint = self._label_hint(number, column, first, found) if place in self._labels else ""
            raise InputError(
                f"{self.where(number)}: expected one {column} for all rows of a sequence, "
                f"got {found!r} after {first!r}.{hint}"
            )

    def _label_hint(self, number: int, column: str, first: str | None, found: str | None) -> str:
        """What to do about labels of one sequence that differ; InputError where a row lacks what another has."""
        kind = "" if self.reader.label is None else self.reader.label.kind
        for row, label, other in ((self.numbers[0], first, found), (number, found, first)):
            if label is None or (kind == "value" and label.lower() in MISSING_WORDS):
                raise InputError(
                    f"{self.where(row)}: expected a label in {column}, got none, where another row of the sequence "
                    f"has {other!r}. Give every row of a sequence its label."
                )
        return " For a class at every step say --target tags." if kind == "class" else ""

    def where(self, number: int) -> str:
        return f"{self.reader.table.path}, row {number}"


def find_long_form_reader(table: Table, options: ReadingOptions, *, labelled: bool = True) -> LongFormReader:
    """Find the columns of a long-form table; InputError naming the option where one cannot be known."""
    key = options.id or named(table, ID_NAMES)
    if key is None:
        raise InputError(
            f"{table.path}: expected --id COLUMN, which sequence a row belongs to, "
            f"among {', '.join(table.columns[:20])}."
        )
    table.place(key, "id" if labelled else None)
    time = options.time or named(table, TIME_NAMES)
    if time is not None:
        table.place(time, "time" if labelled else None)
    split = split_column(table, options.split) if labelled else None
    features = options.feature_names
    for name in features:
        table.place(name, "features" if labelled else None)
    used = [key, *([time] if time else []), *([split] if split else []), *features]
    label = label_columns(table, options, used=used if features else ()) if labelled else None
    names = label.names if label else ()
    if not features:
        leave = {*used, *names, *options.label_names, *([options.label] if options.label else [])}
        features = numeric_columns(table, used=sorted(leave))
    if not features:
        raise InputError(f"{table.path}: expected --features A,B,..., the columns of numbers, found none by itself.")
    roles = [name for name in (key, time, *names, split, *features) if name]
    if len(set(roles)) < len(roles):
        twice = next(name for name in roles if roles.count(name) > 1)
        raise InputError(f"{table.path}: expected a different column for each option, got {twice!r} twice.")
    left = [column or "one without a name" for column in table.columns if column not in roles and not options.features]
    notes = [f"Columns that are not read: {', '.join(left)}; --features names those that are."] if left else []
    return LongFormReader(table, key, time, features, label, split, (*notes, *header_notes(table, options)))


def is_long_form(table: Table, options: ReadingOptions) -> bool:
    """Whether a row is a step: said so by --id or --features, or an id and a time column are there and no text."""
    if options.id is not None or options.features is not None or options.time is not None:
        return True
    return options.text is None and named(table, ID_NAMES) is not None and named(table, TIME_NAMES) is not None


def _as_tag(label: Label | None) -> str | None:
    assert label is None or isinstance(label, str)
    return label
