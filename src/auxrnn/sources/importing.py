"""`auxrnn data import`: any source into a stored set, in bounded memory.

Everything is written beside the set, into `.NAME.importing`; the finished folder is renamed. So a set is whole or
absent. What a killed import has left is removed by the next one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.collect import Collection
from auxrnn.sources.filed import SummedFile, sum_of
from auxrnn.sources.reader import Reader
from auxrnn.sources.recognise import recognise
from auxrnn.sources.stored import (
    ENDS,
    LABELS,
    META,
    SPLITS,
    VALUES,
    SequenceSet,
    describe_set,
    flat_shape,
    open_set,
    set_of,
)
from auxrnn.storage.files import check_outside, check_place, naming, remove, write_atomically
from auxrnn.storage.lock import lock_file

BLOCK = 2**26  # bytes of numbers between two lines that say how far an import has come

EVERYWHERE = frozenset({"target", "missing", "no_label", "label_type", "test_fraction"})
"""Options that every reader has a use for."""

STORED = frozenset({"target", "test_fraction"})
"""Of a stored set; all else was settled by its import."""


def read_source(path: Path, options: ReadingOptions, *, like: bool = False) -> SequenceSet:
    """All sequences of a source in memory, in their compact type.

    like: the options are those of another source, and what means nothing for this one is no mistake of anybody.
    """
    reader = recognise(path, options)
    if not like:
        check_used(path, reader, options)
    numbers = BytesIO()
    collection = Collection(reader.schema, options, numbers)
    for example in reader.examples():
        collection.add(example)
    values = np.frombuffer(numbers.getbuffer(), reader.schema.dtype).reshape(-1, *flat_shape(reader.schema))
    return set_of(collection, str(path), values, like=like)


def import_source(
    path: Path, out: Path, options: ReadingOptions, say: Callable[[str], None] = print, *, block: int = BLOCK
) -> SequenceSet:
    """Convert a source into a stored set, and open it; an import that fails leaves nothing behind.

    Parameters
    ----------
    path : Path
        The file or folder to read.
    out : Path
        The folder of the new set.
    options : ReadingOptions
        How the files are read.
    say : callable
        Told every `block` bytes of numbers how far it has come.

    Raises
    ------
    InputError
        Where `out` exists, and for what the readers refuse.
    """
    if sys.byteorder != "little":
        raise InputError(f"{out}: expected a little-endian machine to store a set on.")
    if options.no_label == "learn":
        raise InputError(
            f"{path}: expected --no_label drop for an import, which keeps labelled sequences alone, got learn. "
            "Train on the files as they are, or lay the others apart for --unlabelled."
        )
    _check_free(out)
    check_outside(out, path)
    check_place(out)
    reader = recognise(path, options)
    check_used(path, reader, options)
    aside = out.with_name(f".{out.name}.importing")
    with lock_file(out.with_name(f".{out.name}.lock"), lambda who: _at_work(out, who)):
        _check_free(out)  # by an import that has ended meanwhile
        remove(aside)
        try:
            _make(aside, reader, options, str(path), say, block)
            os.rename(aside, out)
        except BaseException:
            remove(aside)
            raise
    return open_set(out)


def _make(
    aside: Path, reader: Reader, options: ReadingOptions, source: str, say: Callable[[str], None], block: int
) -> None:
    """Write all files of a set into the new folder `aside`."""
    aside.mkdir(parents=True)
    with naming(aside), open(aside / VALUES, "wb") as file:
        values = SummedFile(file)
        collection, told = Collection(reader.schema, options, values), 0
        for example in reader.examples():
            collection.add(example)
            if file.tell() - told >= block:
                say(f"{collection.rows:,} rows, {collection.steps:,} steps")
                told = file.tell()
        file.flush()
        os.fsync(file.fileno())
    found = set_of(collection, source, np.empty((0, *flat_shape(reader.schema)), reader.schema.dtype))
    kept = {ENDS: found.ends, LABELS: found.labels.astype(found.target.keeper.dtype), SPLITS: found.splits}
    for name, numbers in kept.items():
        write_atomically(aside / name, partial(Path.write_bytes, data=numbers.data))  # tofile hides a full disk
    text = describe_set(found, {VALUES: values.sum, **{name: sum_of(numbers) for name, numbers in kept.items()}})
    write_atomically(aside / META, lambda place: place.write_text(text, encoding="utf-8"))


def _check_free(out: Path) -> None:
    if out.exists():
        raise InputError(f"{out}: expected a new folder for the set, found something there; choose another --out.")


def _at_work(out: Path, who: str) -> InputError:
    return InputError(f"{out}: expected no other import into this set, found one at work, {who}; wait for it.")


def check_used(path: Path, reader: Reader, options: ReadingOptions) -> None:
    """InputError for an option that means nothing for what `reader` reads."""
    used = EVERYWHERE | reader.uses
    for name in options.given:
        if name not in used:
            known = ", ".join(f"--{item.name}" for item in fields(options) if item.name in used)
            read = reader.schema.description
            raise InputError(f"{path}: expected no --{name} for {read}; leave it out. What counts here: {known}.")


def check_used_of_set(path: Path, options: ReadingOptions) -> None:
    """InputError for an option that a set has been imported with, or without."""
    for name in options.given:
        if name not in STORED:
            raise InputError(f"{path}: expected no --{name} for an imported set; import it again with --{name}.")
