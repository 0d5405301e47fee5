"""One file, one sequence: images, recordings, texts, tables or arrays of steps, by their suffixes.

Nothing is guessed from a file's content: the suffix says what it is, and a file that is something else is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.encodings import codec, encoding_hint, inner_suffix, is_compressed
from auxrnn.sources.images import IMAGE_SUFFIXES, Images
from auxrnn.sources.reader import Array, Schema
from auxrnn.sources.recorded import Arrays, StepTables
from auxrnn.sources.sounds import FORMS, Recordings
from auxrnn.sources.tables import TABLE_SUFFIXES

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
