"""Text files as texts: which encoding they are in as far as their first bytes tell, and those that are compressed."""

from __future__ import annotations

import codecs
import io
import lzma
import zlib
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from auxrnn.errors import InputError

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before that of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
OTHERS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook does: unpack it, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook does: save it as CSV"),
    (b"\x1f\x8b", "a gzip file does: let its name end in .gz"),
    (b"%PDF", "a PDF does: save its table as CSV"),
)
"""How files begin that are no texts, and what to do about them."""
MOST_EXPANSION, ALWAYS_ALLOWED = 200, 2**30
"""Times that compressed content may grow; so many bytes it may have in any case."""
LONGEST_LINE = 2**28  # characters
DAMAGED = (EOFError, zlib.error, lzma.LZMAError)
"""What a compressed file that is cut or damaged leads to beside OSError."""


def codec(encoding: str) -> str:
    """What to open a text file with: a mark at the beginning of UTF-8, however it is called, is no part of the text."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def encoding_hint(path: Path) -> str:
    """The sentence that tells what to do about a text file that is in another encoding, or none."""
    with open_bytes(path) as file:
        start = file.read(4)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return f"It begins as a file in {encoding} does: say --encoding {encoding}."
    for mark, told in OTHERS:
        if start.startswith(mark):
            return f"It begins as {told}."
    return "Name the right one, for example --encoding cp1252 (as Excel writes) or --encoding latin-1."


def check_expansion(where: str, compressed: int, size: int) -> None:
    """InputError where `compressed` bytes stand for more than any honest file's."""
    if size > max(ALWAYS_ALLOWED, MOST_EXPANSION * compressed):
        raise InputError(
            f"{where}: expected content of at most {MOST_EXPANSION} times its compressed size, found "
            f"{size:,} bytes in {compressed:,}. If it is right, unpack it first."
        )


def is_compressed(path: Path) -> bool:
    return path.suffix.lower() in _OPENERS


def inner_suffix(path: Path) -> str:
    """The suffix in small letters that says what a file is: `.csv` of `a.CSV` and of `a.csv.gz`."""
    return (Path(path.stem) if is_compressed(path) else path).suffix.lower()


def open_bytes(path: Path) -> Any:
    """A file for reading, unpacked where its suffix says that it is compressed; OSError where it cannot be read."""
    module = _OPENERS.get(path.suffix.lower())
    if module is None:
        return open(path, "rb")
    return io.BufferedReader(_Bounded(import_module(module).open(path), path))


def open_text(path: Path, encoding: str, newline: str | None = None) -> IO[str]:
    """A text file, unpacked where it is compressed; newline: as of `open`."""
    return io.TextIOWrapper(open_bytes(path), encoding=codec(encoding), newline=newline)


def text_lines(path: Path, encoding: str, newline: str | None = None) -> Iterator[str]:
    """The lines of a text file, with their ends; InputError where it cannot be read, is no text or is damaged."""
    number = 0
    try:
        with open_text(path, encoding, newline) as file:
            for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), ""), 1):
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"{path}, row {number}: expected lines of at most {LONGEST_LINE:,} characters, found a longer "
                        "one. Is it a table, and whole?"
                    )
                if "\0" in line:
                    raise InputError(f"{path}, row {number}: expected text, found a zero byte. {encoding_hint(path)}")
                yield line
    except UnicodeError as error:
        raise InputError(
            f"{path}, row {number + 1} or soon after: expected text in {encoding}, found other bytes "
            f"({error.args[-1]}). {encoding_hint(path)}"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror or error}.") from error
    except DAMAGED as error:
        raise InputError(f"{path}: expected a whole compressed file, found: {error}.") from error


class _Bounded(io.RawIOBase):
    """Compressed content as it comes, as far as it may grow."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path, self._seen = stream, path, 0
        self._compressed = path.stat().st_size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._seen += len(data)
        check_expansion(str(self._path), self._compressed, self._seen)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


_OPENERS = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
"""Python's module for each suffix; it loads when it is needed."""
