"""Read the steps of one sequence as they arrive: from a pipe, or from a file that may still grow.

A feed keeps one piece of bytes and the beginning of the next step, no more. An `InputSpec` says what a step is. Knows
nothing of models.
"""

from __future__ import annotations

import codecs
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.storage.numbers import is_missing, is_number

Array = npt.NDArray[Any]

PIECE = 65_536
"""Bytes read at once."""

UTF_8 = "utf-8-sig"
"""Python's name of UTF-8 without the mark that may stand before it."""

LONGEST_LINE = 1_000_000
"""Bytes of a line; longer ones are taken for a file of another kind."""

LINES = "One step a line, its numbers separated by commas, without other columns; --binary for raw numbers."
"""What lines of numbers look like, for messages."""

More = Callable[[], bool]
"""Asked at the end of a file: whether to look again, for it may have grown. It may wait before it answers."""


class Pieces(Iterator[bytes]):
    """Pieces of bytes that know how far a feed has come.

    kept: how many of the last bytes belong to no whole step yet. The feed sets it before it yields steps.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.kept = pieces, 0

    def __next__(self) -> bytes:
        return next(self.pieces)


def _keep(pieces: Iterator[bytes], number: int) -> None:
    if isinstance(pieces, Pieces):
        pieces.kept = number


def no_more() -> bool:
    """The answer for a file or a pipe that ends where it ends."""
    return False


_BEGINNINGS = tuple(b"%c" % sign for sign in b"0123456789+-.")


def pieces_of(file: BinaryIO, name: str, more: More = no_more, size: int = PIECE) -> Iterator[bytes]:
    """The bytes of a file as they come, at most `size` at once; InputError where it becomes shorter meanwhile."""
    read = getattr(file, "read1", file.read)  # what a pipe has, without waiting for a whole piece
    while True:
        piece = read(size)
        if piece:
            yield piece
            continue
        if not more():
            return
        if os.fstat(file.fileno()).st_size < file.tell():
            raise InputError(f"{name}: expected a file that grows, found it shorter than what was read already.")


def codec_in_words(codec: str) -> str:
    """What a person calls an encoding."""
    return "UTF-8" if codec == UTF_8 else codec


def feed_text(pieces: Iterator[bytes], name: str, codec: str = UTF_8) -> Iterator[str]:
    """Decode characters, also where a piece ends within one.

    Characters count as in files for training: an end of line of any kind is one, a mark of the encoding none.

    Parameters
    ----------
    pieces : iterator of bytes
        As they come.
    name : str
        What errors call them.
    codec : str
        A text encoding of Python's.

    Yields
    ------
    str
        The characters of a piece, at least one.

    Raises
    ------
    InputError
        For bytes that are no text, with their place.
    """
    decoder, before = codecs.getincrementaldecoder(codec)(), 0
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    called = codec_in_words(codec)
    for piece in pieces:
        waiting = len(decoder.getstate()[0])
        try:
            text = lines.decode(decoder.decode(piece))
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}, byte {before - waiting + error.start + 1:,}: expected text in {called}, found {error.reason}."
            ) from error
        before += len(piece)
        _keep(pieces, len(decoder.getstate()[0]) + (lines.getstate()[1] & 1))  # a "\r" waits for a "\n"
        if text:
            yield text
    try:
        text = lines.decode(decoder.decode(b"", final=True), final=True)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: expected text in {called}, found the end in the middle of a character.") from error
    if text:
        yield text


def feed_lines(
    pieces: Iterator[bytes], spec: InputSpec, name: str, channel_names: Sequence[str] = ()
) -> Iterator[Array]:
    """Steps from lines of numbers with commas or blanks between.

    Parameters
    ----------
    pieces : iterator of bytes
    spec : InputSpec
        C = `spec.size` numbers make a step.
    name : str
        What messages call the input.
    channel_names : sequence of str
        What a header must say, in this order; any C words where there are none.

    Yields
    ------
    array
        (t, C) float64.

    Raises
    ------
    InputError
        With the line's number, for anything but C numbers of the model's range.
    """
    number, rest = 0, b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        _keep(pieces, len(rest))
        if lines:
            yield from _steps_of(lines, number, spec, name, channel_names)
            number += len(lines)
        if len(rest) > LONGEST_LINE:
            raise InputError(
                f"{name}, line {number + 1:,}: expected {_numbers(spec)} a line, found a line of more than "
                f"{LONGEST_LINE:,} bytes. Is it --binary?"
            )
    if rest:
        yield from _steps_of([rest], number, spec, name, channel_names)


def feed_binary(pieces: Iterator[bytes], spec: InputSpec, name: str) -> Iterator[Array]:
    """Steps from raw numbers: uint8 for pixels, little-endian float32 for values.

    Parameters
    ----------
    pieces, spec, name
        As for `feed_lines`.

    Yields
    ------
    array
        (t, C).

    Raises
    ------
    InputError
        For a number out of the model's range, and for an end in the middle of a step.
    """
    kind = np.dtype("u1" if spec.kind == "pixels" else "<f4")
    width, before, rest = spec.size * kind.itemsize, 0, b""
    for piece in pieces:
        rest += piece
        whole = len(rest) // width * width
        steps = np.frombuffer(rest[:whole], kind).reshape(-1, spec.size)
        rest = rest[whole:]
        _keep(pieces, len(rest))
        wrong = _wrong_step(steps, spec)
        if wrong is not None:
            raise InputError(f"{name}, step {before + wrong + 1:,}: {_expected(spec)}, found {_shown(steps[wrong])}.")
        before += len(steps)
        if len(steps):
            yield steps
    if rest:
        raise InputError(
            f"{name}: expected {width} bytes a step ({_numbers(spec)} of {kind.name}), found {len(rest)} at the end."
        )


def _steps_of(
    lines: list[bytes], before: int, spec: InputSpec, name: str, channel_names: Sequence[str]
) -> Iterator[Array]:
    """The steps of whole lines behind `before` others. Steps that stand before a fault are given before its error."""
    if before == 0:
        lines = [lines[0].removeprefix(codecs.BOM_UTF8), *lines[1:]]
    if before == 0 and _is_header(lines[0], spec.size):
        _check_header(lines[0], name, channel_names)
        lines, before = lines[1:], 1
    rows: list[list[float]] = []
    fault: InputError | None = None
    for number, line in enumerate(lines, before + 1):
        try:
            rows.append(_row(line, number, spec, name))
        except InputError as error:
            fault = error
            break
    steps = np.array(rows, dtype=np.float64).reshape(-1, spec.size)
    wrong = _wrong_step(steps, spec)
    if wrong is not None:
        fault = InputError(f"{name}, line {before + wrong + 1:,}: {_expected(spec)}, found {_shown(steps[wrong])}.")
    if len(steps[:wrong]):
        yield steps[:wrong]
    if fault is not None:
        raise fault


def _row(line: bytes, number: int, spec: InputSpec, name: str) -> list[float]:
    try:
        row = [] if b"_" in line else [float(field) for field in _fields(line)]
    except ValueError:
        row = []
    if len(row) != spec.size:
        raise InputError(f"{name}, line {number:,}: expected {_numbers(spec)}, found {_quoted(line)}. {LINES}")
    return row


def _quoted(line: bytes) -> str:
    """The beginning of a line for a message."""
    text = line[:40].decode("utf-8", "replace").strip()
    whole = text.rstrip("\ufffd") if len(line) > 40 else text  # the cut may go through a character
    return repr(whole) if whole.isprintable() and "\ufffd" not in whole else "bytes that are no text"


def _fields(line: bytes) -> list[bytes]:
    return line.split(b",") if b"," in line else line.split()


def _is_header(line: bytes, size: int) -> bool:
    """Whether a line holds `size` words. A word that begins like a number is a damaged number, and no name."""
    fields = [field.strip() for field in _fields(line)]
    words = any(fields) and not any(_is_number(field) or field[:1] in _BEGINNINGS for field in fields)
    return words and len(fields) == size


def _check_header(line: bytes, name: str, channel_names: Sequence[str]) -> None:
    """InputError for channels in another order than in training, or others."""
    found = [field.decode("utf-8", "replace").strip().strip('"') for field in _fields(line)]
    if channel_names and found != list(channel_names):
        raise InputError(
            f"{name}, line 1: expected the channels {','.join(channel_names)} in the order of training, found "
            f"{_quoted(line)}. Put the columns in that order."
        )


def _is_number(field: bytes) -> bool:
    text = field.decode("utf-8", "replace")
    return is_number(text) or (bool(field) and is_missing(text))


def _wrong_step(steps: Array, spec: InputSpec) -> int | None:
    """The first step that is none of `spec`, or None."""
    if spec.kind == "pixels":
        right = (steps >= 0) & (steps < spec.levels) & (steps == np.floor(steps))
    else:
        right = np.isfinite(steps)
    wrong = np.flatnonzero(~right.all(1))
    return int(wrong[0]) if len(wrong) else None


def _numbers(spec: InputSpec) -> str:
    return "1 number" if spec.size == 1 else f"{spec.size} numbers"


def _expected(spec: InputSpec) -> str:
    if spec.kind == "pixels":
        return f"expected whole levels from 0 to {spec.levels - 1}"
    return "expected finite numbers; fill in missing values first"


def _shown(step: Array) -> str:
    shown = ", ".join(f"{value:g}" if math.isfinite(value) else str(value) for value in step[:4].tolist())
    return shown + (", ..." if len(step) > 4 else "")
