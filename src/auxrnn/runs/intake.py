"""Read the bytes of one sequence, and keep count of those that have become steps, so that a stream can go on.

Bytes that were read but are no steps yet are kept with the state of the stream: a process that ends loses nothing of
standard input. A file is known again by a digest of what was read of it. Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from auxrnn.errors import InputError
from auxrnn.sources.feeds import More, Pieces, pieces_of
from auxrnn.training.interrupt import handled_by

PIECE = 4096
"""Bytes read at once: the steps in them are done before the state is saved."""

SOURCE, FILE, INPUT, BOTH = "source", "file", "input", "both"
"""The note that says where a stream has read from, and what it says."""

Pause = Callable[[], float | None]


class Stops:
    """SIGINT and SIGTERM let what was read become steps; a second one interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._ear, self._mouth = os.pipe()  # wakes whoever waits for input, whatever thread the signal comes to
        os.set_blocking(self._mouth, False)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals from here to the end of the block; they reach the main thread only."""
        is_main = threading.current_thread() is threading.main_thread()
        woken_before = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False) if is_main else None
        try:
            with handled_by(self._receive):
                yield
        finally:
            if woken_before is not None:
                signal.set_wakeup_fd(woken_before)
            os.close(self._ear)
            os.close(self._mouth)

    def _receive(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def raise_if_asked(self) -> None:
        if self.asked:
            raise KeyboardInterrupt

    def wait(self, file: BinaryIO, seconds: float | None) -> bool:
        """Until there is something to read, or the time is over, which is False. KeyboardInterrupt where one came."""
        try:
            ready, _, _ = select.select([file.fileno(), self._ear], [], [], seconds)
        except (OSError, ValueError):  # no file of the system's, or none that can be waited for
            return True
        self.raise_if_asked()
        return bool(ready)


class Intake:
    """Pieces of bytes for a feed, and how far they have become steps.

    path: of the file that is read, None for standard input. notes: what an earlier intake said of itself, to go on
    from there. steps: says how many the stream has read. pause: called when all that was given has become steps, but
    for what `left` holds; says in how many seconds it wants to be called again, None for never. follow: go on with a
    file that comes in the place of this one. more: as `pieces_of` has it. first: steps of the stream before those of
    this file. Raises InputError where the file is not that of the notes.
    """

    def __init__(
        self,
        file: BinaryIO,
        path: Path | None,
        notes: Mapping[str, str],
        *,
        stops: Stops,
        steps: Callable[[], int],
        pause: Pause,
        follow: bool,
        more: More,
    ) -> None:
        self.file, self.path, self.stops, self.steps, self.pause = file, path, stops, steps, pause
        self.follow, self.more = follow, more
        self.name = "standard input" if path is None else str(path)
        before = notes.get(SOURCE, "")
        self.left, self.first = b"", 0
        self.taken, self._digest = 0, hashlib.sha256()
        if path is None:
            self.source = BOTH if before in (FILE, BOTH) else INPUT
            self.left = bytes.fromhex(notes.get("left", ""))
        else:
            self.source = FILE
            self.first = int(notes.get("first", "0"))
            self._check_same(notes)
        self.pieces, self._is_over = Pieces(self._pieces()), False

    def files(self) -> Iterator[Pieces]:
        """The pieces of this file, then of each that comes in its place; what is unfinished at an end stays with it."""
        yield self.pieces
        while self._is_over:
            self.settle(kept=0)
            self._next_file()
            yield self.pieces

    def notes(self) -> dict[str, str]:
        """What to keep beside the state of the stream."""
        if self.path is None:
            return {SOURCE: self.source, "left": self.left.hex()}
        return {
            SOURCE: self.source,
            "first": str(self.first),
            "taken": str(self.taken),
            "digest": self._digest.hexdigest(),
        }

    def settle(self, kept: int | None = None) -> None:
        """Note that all bytes given so far have become steps, except the last ones, which the feed keeps."""
        number = len(self.left) - (self.pieces.kept if kept is None else kept)
        self._digest.update(self.left[:number])
        self.taken += number
        self.left = self.left[number:]

    def forget(self) -> None:
        """Drop the bytes that were given last: they cannot become steps."""
        self.left = b""

    def read(self, size: int) -> bytes:
        """The next bytes, as soon as there are any; none at the end of a file in whose place another has come."""
        seconds = self.pause()
        while self.path is None and not self.stops.wait(self.file, seconds):
            seconds = self.pause()
        self.stops.raise_if_asked()
        read = getattr(self.file, "read1", self.file.read)
        piece: bytes = read(size)
        if not piece and self.follow and self._is_replaced():
            piece = read(size)
            self._is_over = not piece
        return piece

    def fileno(self) -> int:
        return self.file.fileno()

    def tell(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        if self.path is not None:
            self.file.close()

    def _pieces(self) -> Iterator[bytes]:
        if self.left:
            yield self.left
            self.settle()
        for piece in pieces_of(cast("BinaryIO", self), self.name, self._looks_again, PIECE):
            self.left += piece
            yield piece
            self.settle()

    def _looks_again(self) -> bool:
        return not self._is_over and self.more()

    def _is_replaced(self) -> bool:
        """Whether another file lies where this one lay, as `tail -F` asks."""
        assert self.path is not None
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self.fileno()))
        except OSError:  # moved away, and nothing in its place yet
            return False

    def _next_file(self) -> None:
        assert self.path is not None
        self.file.close()
        self.file = self.path.open("rb")
        self.taken, self._digest = 0, hashlib.sha256()
        self.first = self.steps()
        self.pieces, self._is_over = Pieces(self._pieces()), False

    def _check_same(self, notes: Mapping[str, str]) -> None:
        """InputError unless the file begins with what an earlier intake has taken from it."""
        if notes.get(SOURCE) == BOTH:
            found = "one that has gone on with standard input since"
        elif notes.get(SOURCE) == FILE and not self._begins_with(int(notes["taken"]), notes["digest"]):
            found = f"another file than that of which it has read {int(notes['taken']):,} bytes, rotated or rewritten"
        else:
            return
        raise InputError(
            f"{self.name}: expected the file that the stream has read so far, found {found}. Go on through standard "
            f"input (< {self.name}), or begin anew with another --state."
        )

    def _begins_with(self, number: int, digest: str) -> bool:
        found = hashlib.sha256()
        while number and (block := self.file.read(min(number, 2**20))):
            found.update(block)
            number -= len(block)
        self.file.seek(0)
        return number == 0 and found.hexdigest() == digest
