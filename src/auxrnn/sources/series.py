"""Tables with one series a row: a column a step, as the UCR archive has them, or lists of numbers in the cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from auxrnn.config.reading import ReadingOptions, join_names
from auxrnn.errors import InputError
from auxrnn.sources.array_likes import doubtful_layout
from auxrnn.sources.columns import (
    comes_again,
    header_notes,
    id_column,
    label_named,
    numeric_columns,
    row_numbers,
    split_column,
    unread_notes,
)
from auxrnn.sources.label_columns import label_columns, row_examples, with_labels
from auxrnn.sources.reader import Array, Reader, Schema
from auxrnn.sources.tables import Table
from auxrnn.storage.numbers import are_numbers, is_missing, is_number, listed_cells, number_of, whole_number
from auxrnn.targets import KINDS

FEWEST_STEPS = 16
"""Columns of numbers from which a table is taken for one of a series a row without being told."""

_NUMBERED = re.compile(r"(.*?)([0-9]+)")


def find_series_reader(table: Table, options: ReadingOptions, *, labelled: bool = True) -> Reader:
    """Find the columns of a table of series; InputError naming the option where they cannot be known."""
    split = split_column(table, options) if labelled else None
    features = options.feature_names
    if KINDS[options.kind].per_step:
        raise InputError(f"{table.path}: expected one step a row for --target tags, found one series a row.")
    label = label_columns(table, _with_label(table, options), used=[split] if split else ()) if labelled else None
    names = label.names if label else ()
    if not labelled and not table.header and len(table.columns) < len(features) + 1:
        features = table.columns[-len(features) :]  # a file without names and without labels
    for name in features:
        table.place(name, "features" if labelled else None, options.named_columns)
    counting = row_numbers(table)
    key = id_column(table)
    if not features:
        used = frozenset(name for name in (*names, split, key, *counting) if name)
        features = _lists(table, used, written=True) or _step_columns(table, used)
    if not features:
        raise InputError(f"{table.path}: expected --features A,B,..., the columns of the steps, found none by itself.")
    if set(features) & {*names, split}:
        raise InputError(f"{table.path}: expected a different column for each option, got one twice.")
    notes = [*unread_notes(table, [*names, split, *features], counting, "")] if not options.features else []
    lists = features[0] in _lists(table, frozenset(names), written=True)
    if not lists and any(is_missing(cells[table.places[features[-1]]]) for cells in table.sample):
        notes.append("Empty cells at the end of a row are taken for the end of a shorter series.")
    notes += header_notes(table, options)
    places = [table.places[name] for name in features]
    read = partial(_joined, places, table.decimal) if lists else partial(_across, places, features, table.decimal)
    channels = len(features) if lists else 1
    if lists and table.sample:
        first = f"{table.path}, first row"
        channels = sum(_steps(table.sample[0][place], first, table.decimal).shape[1] for place in places)
    notes += _layout_notes(table.cells(features[0]), channels) if lists else ()
    where = f"lists {', '.join(map(repr, features))}" if lists else "a column a step"
    schema = Schema(
        f"table of series ({where}, {label or 'no label'})",
        "values",
        channels,
        columns={"rows": "series", "features": join_names(features)},
        notes=tuple(notes),
    )
    return Reader(
        with_labels(schema, label), table.uses | {"features"}, partial(row_examples, table, label, split, read)
    )


def _across(places: Sequence[int], names: Sequence[str], decimal: str, cells: Sequence[Any], where: str) -> Array:
    """The steps (T, 1) that stand in one row; empty cells behind the last number are no part of it."""
    values = np.array(
        [number_of(cells[place], where, name, decimal) for place, name in zip(places, names, strict=True)]
    )
    known = np.flatnonzero(~np.isnan(values))
    return values[: known[-1] + 1 if len(known) else 0, np.newaxis]


def _joined(places: Sequence[int], decimal: str, cells: Sequence[Any], where: str) -> Array:
    """The steps (T, C) of the lists of one row beside each other."""
    parts = [_steps(cells[place], where, decimal) for place in places]
    lengths = {len(part) for part in parts}
    if len(lengths) > 1:
        raise InputError(f"{where}: expected lists of one length, got {sorted(lengths)}.")
    return np.concatenate(parts, axis=1)


def _layout_notes(cells: Sequence[Any], channels: int) -> tuple[str, ...]:
    """What to say where the lists of the first rows seem to have their steps last."""
    longest = max((len(cell) for cell in cells if isinstance(cell, list | tuple)), default=0)
    doubt = doubtful_layout(longest, channels) if longest else ""
    return (f"Warning: {doubt}, write a list of channels for each step.",) if doubt else ()


def is_series(table: Table, options: ReadingOptions, *, archive: bool = False) -> bool:
    """Whether a row is a series: there are lists in its cells, or a label and many columns of numbers that count.

    Lists that are written as texts may be texts: that has to be said.
    archive: it is a file of the UCR archive, with the label first and no names.
    """
    label = _with_label(table, options).label
    if _lists(table, frozenset({*options.label_names, label or ""})):
        return True
    if label is None or label not in table.places or KINDS[options.kind].per_step:
        return False
    key = id_column(table)
    if key is not None and comes_again(table, key):
        return False
    aside = {"", label, key, *row_numbers(table)}
    steps = [column for column in table.columns if column not in aside]
    if len(steps) < (1 if archive else FEWEST_STEPS) or not all(_is_empty_or_number(table, steps)):
        return False
    return _are_counted(steps) if table.header else archive


def _with_label(table: Table, options: ReadingOptions) -> ReadingOptions:
    """Where nobody names the label: a column called so, or the first without names."""
    if options.label is not None:
        return options
    found = label_named(table)
    if found is not None:
        return replace(options, label=join_names([found]))
    if not table.header and table.written and _are_classes(table.cells(table.columns[0])):
        return replace(options, label=table.columns[0])
    return options


def _are_classes(cells: Sequence[Any]) -> bool:
    """Whether cells are words or whole numbers that come again."""
    found = [str(cell).strip() for cell in cells]
    return 2 * len(set(found)) <= len(found) and all(whole_number(cell) or not is_number(cell) for cell in found)


def _is_empty_or_number(table: Table, columns: Sequence[str]) -> Iterator[bool]:
    for column in columns:
        yield all(is_missing(cell) or is_number(cell, table.decimal) for cell in table.cells(column))


def _are_counted(names: Sequence[str]) -> bool:
    """Whether names are one word with numbers that rise by one: t0, t1, t2."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    if not all(found):
        return False
    pairs = [(match[1].strip(), int(match[2][:30])) for match in found if match]
    return all(one[0] == other[0] and other[1] - one[1] == 1 for one, other in pairwise(pairs))


def _step_columns(table: Table, used: frozenset[str]) -> tuple[str, ...]:
    """The columns of the steps: those of numbers, and those named like them that are empty in the first rows.

    Where most names are alike but for their numbers (t0, t1, dates), the others are of no steps.
    """
    numbers = frozenset(numeric_columns(table, used=used))
    forms = Counter(_without_numbers(name) for name in numbers)
    form, count = forms.most_common(1)[0] if forms else ("", 0)
    if count >= FEWEST_STEPS and 2 * count > len(numbers):
        numbers, forms = frozenset(name for name in numbers if _without_numbers(name) == form), Counter({form})
    return tuple(
        name
        for name in table.columns
        if name in numbers
        or (name not in used and _without_numbers(name) in forms and all(map(is_missing, table.cells(name))))
    )


def _without_numbers(name: str) -> str:
    return re.sub("[0-9]+", "0", name)


def check_as_wide(table: Table, like: ReadingOptions, *, labelled: bool) -> None:
    """InputError where a table without names of columns is not as wide as that of training, whose columns `like` names.

    What stands where cannot be known then.
    """
    steps, labels = len(like.feature_names), len(like.label_names)
    numbered = [*like.label_names, *like.feature_names] == [str(place) for place in range(1, steps + labels + 1)]
    if table.header or not numbered or len(table.columns) in (steps + labels, None if labelled else steps):
        return
    wanted = f"{steps + labels} columns as in training{'' if labelled else f', or {steps} without labels'}"
    raise InputError(
        f"{table.path}: expected {wanted}, found {len(table.columns)} and no names. Fill the rows of shorter series up "
        "with empty cells."
    )


def _lists(table: Table, used: frozenset[str], *, written: bool = False) -> tuple[str, ...]:
    """The columns beside `used` with lists of numbers in their first cells; written: also those that are texts."""
    pairs = zip(table.columns, table.sample[0], strict=True) if table.sample else ()
    return tuple(
        name
        for name, cell in pairs
        if name not in used
        and (_is_numbers(cell) or (written and isinstance(cell, str) and are_numbers(cell, table.decimal)))
    )


def _is_numbers(cell: Any) -> bool:
    if not isinstance(cell, list | tuple) or not cell:
        return False
    return _is_numbers(cell[0]) or is_number(cell[0]) or cell[0] is None


def _steps(cell: Any, where: str, decimal: str) -> Array:
    """A list of numbers, or of the text that writes them, as steps (T, 1); a list of lists as (T, C)."""
    if cell is None:
        return np.empty((0, 1))
    if isinstance(cell, str):
        cell = listed_cells(cell, decimal)
    try:
        steps = [one if isinstance(one, list | tuple) else [one] for one in cell]
        values = np.array([[number_of(value, where, "value") for value in step] for step in steps], dtype=np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: expected a list of numbers in each cell, got {str(cell)[:40]!r}.") from error
    return values.reshape(len(steps), -1) if steps else np.empty((0, 1))
