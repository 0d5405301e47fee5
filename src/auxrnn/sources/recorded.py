"""One recording of numbers a file: a table whose rows are steps, or a NumPy array (T,) or (T, C)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.array_likes import doubtful_layout
from auxrnn.sources.longform import find_long_form_reader
from auxrnn.sources.npy import ArrayFile, read_header
from auxrnn.sources.reader import Array, Schema
from auxrnn.sources.tables import WRITTEN_OPTIONS, open_table


class StepTables:
    """Tables of steps, all with the columns of the first."""

    uses = frozenset({"time", "features", *WRITTEN_OPTIONS, "decimal"})

    def __init__(self, paths: Sequence[Path], options: ReadingOptions, like: Schema | None = None) -> None:
        columns = {} if like is None else like.columns
        first = find_long_form_reader(
            open_table(paths[0], options), options.with_columns(columns), labelled=False, whole=True
        )
        columns = {role: column for role, column in first.schema.columns.items() if role in ("features", "time")}
        self._options = options.with_columns(columns)
        time = first.schema.columns["time"]
        order = f"time {time!r}" if time else "in the order of the rows"
        self.schema = replace(
            first.schema,
            description=f"tables of steps ({order})",
            columns=columns,
        )

    def read(self, path: Path) -> Array:
        reader = find_long_form_reader(open_table(path, self._options), self._options, labelled=False, whole=True)
        found = [*islice(reader.examples(), 2)]
        if len(found) != 1:
            raise InputError(f"{path}: expected one recording, found {'several' if found else 'a table without rows'}.")
        assert isinstance(found[0].sequence, np.ndarray)
        return found[0].sequence


class Arrays:
    """NumPy arrays of steps: pixels where all are uint8, else values."""

    uses: frozenset[str] = frozenset()

    def __init__(self, paths: Sequence[Path]) -> None:
        arrays = {path: _checked(read_header(path)) for path in paths}
        first = arrays[paths[0]]
        for array in arrays.values():
            if array.shape[1:] != first.shape[1:]:
                raise InputError(
                    f"{array.path}: expected steps of shape {first.shape[1:]} as in {first.path}, "
                    f"found {array.shape[1:]}."
                )
        common = np.result_type(*{array.dtype for array in arrays.values()})
        pixels = all(array.dtype == np.uint8 for array in arrays.values())
        dtype = common.name if common.kind in "fiu" and common.itemsize <= 8 else "float64"
        channels = 1 if len(first.shape) == 1 else first.shape[1]
        doubt = doubtful_layout(max(array.shape[0] for array in arrays.values()), channels)
        notes = (f"Warning: {doubt}, save the transpose of each, X.T.",) if doubt else ()
        self.schema = Schema("NumPy arrays of steps", "pixels" if pixels else "values", channels, dtype, notes=notes)

    def read(self, path: Path) -> Array:
        found = _checked(read_header(path)).whole()
        return found.reshape(len(found), -1)


def _checked(array: ArrayFile) -> ArrayFile:
    if array.dtype.kind not in "fiub" or len(array.shape) not in (1, 2) or 0 in array.shape:
        raise InputError(f"{array.path}: expected numbers (T,) or (T, C), found {array.dtype} of shape {array.shape}.")
    return array
