"""One file, one sequence: images, recordings, texts, tables or arrays of steps, by their suffixes.

Nothing is guessed from a file's content: the suffix says what it is, and a file that is something else is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.array_likes import doubtful_layout
from auxrnn.sources.encodings import codec, encoding_hint, inner_suffix, is_compressed
from auxrnn.sources.images import IMAGE_SUFFIXES, Images
from auxrnn.sources.longform import find_long_form_reader
from auxrnn.sources.npy import ArrayFile, read_header
from auxrnn.sources.reader import Array, Schema
from auxrnn.sources.sounds import FORMS, Recordings
from auxrnn.sources.tables import TABLE_SUFFIXES, WRITTEN_OPTIONS, open_table

DOCUMENT_SUFFIXES = (".txt", ".log", ".md")
LARGEST_DOCUMENT = 2**30  # bytes of one text
POINTER = "version https://git-lfs.github.com/spec/"  # to a file that was not fetched

SUFFIXES = {
    "images": IMAGE_SUFFIXES,
    "recordings": tuple(FORMS),
    "texts": DOCUMENT_SUFFIXES,
    "tables": TABLE_SUFFIXES,
    "arrays": (".npy",),
}
_KINDS = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}
MEDIA = frozenset({"images", "recordings", "texts"})
"""Kinds that tables and arrays lie beside to tell something of them."""


class Medium(Protocol):
    """schema: what every file gives. read: the sequence of one file; InputError where it is not of that schema.

    uses: the options that count for such files.
    """

    schema: Schema
    uses: frozenset[str]

    def read(self, path: Path) -> Array | str: ...


def medium_of(paths: Sequence[Path], options: ReadingOptions, like: Schema | None = None) -> Medium:
    """Look into each of `paths`, all of one kind by their suffixes.

    like: the schema that they must have, as a model was trained on; found from the files when left out.
    """
    suffixes = {kind_of(path): path for path in paths}
    if len(suffixes) > 1:
        (first, one), (second, other) = list(suffixes.items())[:2]
        raise InputError(f"Expected files of one kind, got {first} ({one}) and {second} ({other}).")
    kind = next(iter(suffixes))
    if kind == "images":
        return Images(paths, options, like)
    if kind == "recordings":
        return Recordings(paths, options, like)
    if kind == "tables":
        return StepTables(paths, options, like)
    return Arrays(paths) if kind == "arrays" else Documents(options.encoding)


def is_known(path: Path) -> bool:
    return _kind(path) is not None


def kind_of(path: Path) -> str:
    """What a suffix says; InputError for an unknown one."""
    kind = _kind(path)
    if kind is None:
        known = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
        raise InputError(f"{path}: expected a file ending in {known}.")
    return kind


def _kind(path: Path) -> str | None:
    if is_compressed(path):
        return "tables" if inner_suffix(path) in TABLE_SUFFIXES else None
    return _KINDS.get(path.suffix.lower())


class Documents:
    """A text file a sequence, by characters."""

    uses = frozenset({"encoding"})

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self.schema = Schema("text files", "characters", dtype="uint16")

    def read(self, path: Path) -> str:
        try:
            if path.stat().st_size > LARGEST_DOCUMENT:
                raise InputError(f"{path}: expected a text of at most 1 GiB, found {path.stat().st_size:,} bytes.")
            text = path.read_text(encoding=codec(self._encoding))
        except UnicodeError as error:
            raise InputError(
                f"{path}: expected text in {self._encoding}, found other bytes ({error.args[-1]}). "
                f"{encoding_hint(path)}"
            ) from error
        except OSError as error:
            raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error
        if text.startswith(POINTER):
            raise InputError(f"{path}: expected a text, found what Git LFS puts in its place. Fetch it: git lfs pull.")
        return text


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
        arrays = {path: _checked_steps(read_header(path)) for path in paths}
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
        found = _checked_steps(read_header(path)).whole()
        return found.reshape(len(found), -1)


def _checked_steps(array: ArrayFile) -> ArrayFile:
    if array.dtype.kind not in "fiub" or len(array.shape) not in (1, 2) or 0 in array.shape:
        raise InputError(f"{array.path}: expected numbers (T,) or (T, C), found {array.dtype} of shape {array.shape}.")
    return array
