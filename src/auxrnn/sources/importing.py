"""`auxrnn data import`: any source into a stored set, in bounded memory, in steps that can be taken up again.

Everything is written beside the set, into `.NAME.importing`, with a journal of what is safely there; the finished
folder is renamed. So a set is whole or absent, and a stopped import goes on where its journal ends, unless the source
or the options have changed since: then it begins anew.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from array import array
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

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
    origin_of,
    set_of,
)
from auxrnn.sources.unused import check_used
from auxrnn.storage.files import check_outside, check_place, read_description, write_atomically
from auxrnn.storage.lock import lock_file

JOURNAL = "journal.json"
FIRST_LABELS = "labels.first"  # as `LabelKeeper` keeps them while they come
BLOCK = 2**26  # bytes of numbers between two entries of the journal
BLOCK_ROWS = 100_000


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
    labels, ends, splits = (np.array(part) for part in (collection.labels, collection.ends, collection.splits))
    return set_of(collection, str(path), values, labels, ends, splits)


def import_source(
    path: Path, out: Path, options: ReadingOptions, say: Callable[[str], None] = print, *, block: int = BLOCK
) -> SequenceSet:
    """Convert a source into the stored set `out` and open it.

    block: bytes of numbers between two entries of the journal; memory grows with it. Raises InputError where `out`
    exists, and for what the readers refuse; a source that is refused leaves nothing behind.
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
    aside, origin = out.with_name(f".{out.name}.importing"), _fingerprint(reader, options)
    with lock_file(out.with_name(f".{out.name}.lock"), lambda who: _at_work(out, who)):
        _check_free(out)  # by an import that has ended meanwhile
        if origin_of(aside) != origin:  # else only its last step is missing
            _make(aside, reader, options, origin, str(path), say, block)
        for left in [*map(aside.joinpath, (JOURNAL, FIRST_LABELS)), *aside.glob(".*.part")]:
            left.unlink(missing_ok=True)
        os.rename(aside, out)
    return open_set(out)


def _make(
    aside: Path,
    reader: Reader,
    options: ReadingOptions,
    origin: str,
    source: str,
    say: Callable[[str], None],
    block: int,
) -> None:
    """Write all files of a set into `aside`, going on where that was stopped; nothing stays of a source refused."""
    aside.mkdir(parents=True, exist_ok=True)
    try:
        with _Import(aside, reader, options, origin) as work:
            if work.collection.rows:
                say(f"Going on after {work.collection.rows:,} rows, where an import was stopped.")
            for example in reader.examples(work.collection.rows):
                work.collection.add(example)
                if work.is_block_full(block):
                    work.record()
                    say(f"{work.collection.rows:,} rows, {work.collection.steps:,} steps")
            work.record()
            found, sums = work.finish(source)
        text = describe_set(found, sums, origin)
        write_atomically(aside / META, lambda place: place.write_text(text, encoding="utf-8"))
    except InputError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    except OSError as error:
        if error.filename is None:  # of a full disk
            raise OSError(error.errno, error.strerror, str(aside)) from error
        raise


def _check_free(out: Path) -> None:
    if out.exists():
        raise InputError(f"{out}: expected a new folder for the set, found something there; choose another --out.")


def _at_work(out: Path, who: str) -> InputError:
    return InputError(f"{out}: expected no other import into this set, found one at work, {who}; wait for it.")


class _Import:
    """The open files of an import and its journal."""

    def __init__(self, folder: Path, reader: Reader, options: ReadingOptions, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint
        journal = _read_journal(folder / JOURNAL, fingerprint)
        sizes = journal["sizes"] if journal else dict.fromkeys((VALUES, ENDS, FIRST_LABELS, SPLITS), 0)
        self._files: dict[str, BinaryIO] = {}
        for name, size in sizes.items():
            file = open(folder / name, "r+b" if journal else "w+b")  # noqa: SIM115 - closed by __exit__
            file.truncate(size)
            file.seek(size)
            self._files[name] = file
        self._values = SummedFile(self._files[VALUES], journal["sum"] if journal else 0)
        self.collection = Collection(reader.schema, options, self._values, journal and journal["collection"])
        self._recorded = (self.collection.rows, sizes[VALUES])

    def __enter__(self) -> _Import:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def is_block_full(self, block: int) -> bool:
        rows, size = self._recorded
        return self._files[VALUES].tell() - size >= block or self.collection.rows - rows >= BLOCK_ROWS

    def record(self) -> None:
        """Bring everything to the disk, then say so in the journal; what memory held of single sequences is let go."""
        for name, part in ((ENDS, "ends"), (FIRST_LABELS, "labels"), (SPLITS, "splits")):
            numbers = getattr(self.collection, part)
            self._files[name].write(numbers.tobytes())
            setattr(self.collection, part, array(numbers.typecode))
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        sizes = {name: file.tell() for name, file in self._files.items()}
        entry = {
            "fingerprint": self._fingerprint,
            "sizes": sizes,
            "sum": self._values.sum,
            "collection": self.collection.state(),
        }
        text = json.dumps([entry, _digest(entry)])
        write_atomically(self._folder / JOURNAL, lambda place: place.write_text(text, encoding="utf-8"))
        self._recorded = (self.collection.rows, sizes[VALUES])

    def finish(self, source: str) -> tuple[SequenceSet, dict[str, int]]:
        """The set, its labels rewritten in the order in which classes are shown, and the sums of its files."""
        schema = self.collection.schema
        parts = {ENDS: "int64", FIRST_LABELS: self.collection.labels.typecode, SPLITS: "int8"}
        ends, labels, splits = (np.fromfile(self._folder / name, dtype) for name, dtype in parts.items())
        none = np.empty((0, *flat_shape(schema)), schema.dtype)
        found = set_of(self.collection, source, none, labels, ends, splits)
        kept = found.labels.astype(found.target.keeper.dtype)
        write_atomically(self._folder / LABELS, lambda place: place.write_bytes(kept.data))  # tofile hides a full disk
        sums = {VALUES: self._values.sum, ENDS: sum_of(ends), LABELS: sum_of(kept), SPLITS: sum_of(splits)}
        return found, sums


def _read_journal(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The last entry, where it is as written, belongs to the same source and options and all it speaks of is there."""
    try:
        journal, digest = json.loads(read_description(path))
        if digest != _digest(journal):
            return None
        whole = all((path.parent / name).stat().st_size >= size for name, size in journal["sizes"].items())
        return journal if whole and journal["fingerprint"] == fingerprint else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _digest(entry: Any) -> str:
    return sha256(json.dumps(entry).encode()).hexdigest()


def _fingerprint(reader: Reader, options: ReadingOptions) -> str:
    """Changes with the options, with how the source is understood, and with any of its files."""
    known = sha256(json.dumps([options.to_dict(), asdict(reader.schema)]).encode())
    for path in reader.files:
        stat = path.stat()
        known.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return known.hexdigest()
