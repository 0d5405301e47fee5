"""Follow one endless sequence with a trained model, and answer every so many steps.

Memory does not grow with what has been read. Where the stream stands can lie in a file, from which it goes on.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO

import torch

from auxrnn.errors import InputError
from auxrnn.runs.datasets import channel_names, source_of
from auxrnn.runs.intake import Intake, Stops
from auxrnn.sources.encodings import codec
from auxrnn.sources.feeds import UTF_8, codec_in_words, feed_binary, feed_lines, feed_text, no_more
from auxrnn.sources.reader import Array
from auxrnn.storage.files import check_place
from auxrnn.targets.moments import is_far
from auxrnn.use.persistence import SavedModel
from auxrnn.use.streaming import Stream

SECONDS_BETWEEN_SAVES = 1.0
SECONDS_BETWEEN_LOOKS = 0.2
DIGITS = 8


@dataclass(frozen=True)
class Request:
    """What a stream reads and how it answers.

    Attributes
    ----------
    file : Path, optional
        Standard input where None.
    every : int
        Steps between two answers.
    form : {"csv", "jsonl"}
    follow : bool
        Wait at the end of the file for more.
    state : Path, optional
        The file that holds where the stream stands; it goes on from there, and skips what it has read of `file`.
    binary : bool
        Raw numbers in place of lines.
    """

    file: Path | None = None
    every: int = 100
    form: Literal["csv", "jsonl"] = "csv"
    follow: bool = False
    state: Path | None = None
    binary: bool = False


def follow_sequence(saved: SavedModel, request: Request, standard_input: BinaryIO, out: TextIO) -> None:
    """Answer every so many steps, and at the end unless the last answer is that of the end.

    Parameters
    ----------
    saved : SavedModel
    request : Request
    standard_input : binary file
        Read where the request names no file.
    out : text file
        Gets a line an answer.

    Raises
    ------
    InputError
        For a model that has to see a sequence as a whole, and for input that cannot be read.
    """
    _check_request(saved, request)
    stream, stops = Stream(saved.network), Stops()
    notes: dict[str, str] = {}
    if request.state is not None:
        check_place(request.state)
        if request.state.exists():
            notes = stream.load(request.state)
    keeper = _Keeper(stream, request.state)
    with _opened(request.file, standard_input) as file, stops.listening():
        intake = Intake(
            file,
            request.file,
            notes,
            stops=stops,
            steps=lambda: stream.steps,
            pause=keeper.pause,
            follow=request.follow,
            more=look_again if request.follow else no_more,
        )
        keeper.begin(intake)
        already = stream.steps - intake.first if request.file is not None else 0
        every = (one for pieces in intake.files() for one in _steps(saved, pieces, intake.name, request))
        steps = _skipped(every, already, intake.name)
        try:
            _answer(stream, steps, request, _Answers(saved, request.form, out))
            if stream.steps == 0:
                raise InputError(f"{intake.name}: expected at least one step, found none. {_form(saved, request)}")
            intake.settle(kept=0)
        except InputError:
            intake.forget()
            keeper.now()
            raise
        except BaseException:
            keeper.back()
            raise
        finally:
            intake.close()
        keeper.now()


def _check_request(saved: SavedModel, request: Request) -> None:
    """InputError for what this model cannot be asked."""
    if saved.pixel_order is not None:
        raise InputError("Expected a model that reads pixels row by row to stream to, got one that needs whole images.")
    if request.binary and saved.spec.kind == "characters":
        raise InputError("Expected numbers with --binary, got a model of characters, which reads texts; leave it out.")
    if (
        request.state is not None
        and request.file is None
        and saved.spec.kind == "characters"
        and _codec(saved) != UTF_8
    ):
        raise InputError(
            f"Expected a file with --state, for the model reads texts in {_codec(saved)}, got standard input, of which "
            "the state keeps bytes of UTF-8 alone. Name the file, or leave --state out."
        )
    learned = saved.preprocessing
    if request.binary and learned is not None and is_far(learned.mean, learned.scale):
        raise InputError(
            "Expected lines of numbers, got --binary, whose float32 does not hold what changes in channels as far from "
            "zero as those of training; leave it out."
        )
    if request.follow and request.file is None:
        raise InputError("Expected a file to follow, got standard input; leave --follow out, or name a file.")


def _answer(stream: Stream, steps: Iterator[torch.Tensor], request: Request, answers: _Answers) -> None:
    """Every so many steps, and at the end."""
    answered = 0
    for piece in steps:
        while piece.shape[1]:
            number = request.every - stream.steps % request.every
            stream.advance(piece[:, :number])
            piece = piece[:, number:]
            if stream.steps % request.every == 0:
                answers.write(stream)
                answered = stream.steps
    if stream.steps not in (0, answered):
        answers.write(stream)


def _steps(saved: SavedModel, pieces: Iterator[bytes], name: str, request: Request) -> Iterator[torch.Tensor]:
    """Pieces (1, t, C) or (1, t) as the network reads them."""
    feed: Iterator[Array | str]
    if saved.spec.kind == "characters":
        feed = feed_text(pieces, name, _codec(saved))
    elif request.binary:
        feed = feed_binary(pieces, saved.spec, name)
    else:
        feed = feed_lines(pieces, saved.spec, name, channel_names(saved.facts, saved.preprocessing))
    for steps in feed:
        yield saved.prepares.sequence(steps, name).unsqueeze(0)


def _codec(saved: SavedModel) -> str:
    """What to read texts with: the encoding of the training files."""
    source = source_of(saved.facts)
    return UTF_8 if source is None else codec(source[1].encoding)


def _form(saved: SavedModel, request: Request) -> str:
    """What a stream is read from, in words."""
    if saved.spec.kind == "characters":
        return f"A stream of text comes in {codec_in_words(_codec(saved))}, every character a step."
    if request.binary:
        kind = "uint8" if saved.spec.kind == "pixels" else "little-endian float32"
        return f"With --binary it comes as {kind}, {saved.spec.size} a step."
    return "A stream of numbers comes as one step a line, numbers separated by commas, or raw with --binary."


def _skipped(steps: Iterator[torch.Tensor], number: int, name: str) -> Iterator[torch.Tensor]:
    """The steps behind the first `number`, which have been read before."""
    left = number
    for piece in steps:
        if left < piece.shape[1]:
            yield piece[:, left:]
        left = max(left - piece.shape[1], 0)
    if left:
        raise InputError(
            f"{name}: expected the {number:,} steps that the stream has read already, found {left:,} fewer. "
            f"Name another --state for another file."
        )


class _Answers:
    """One line an answer: a CSV with a header, or JSON lines."""

    def __init__(self, saved: SavedModel, form: str, out: TextIO) -> None:
        self.target, self.form, self.out = saved.target, form, out
        self.writer: Any = csv.writer(out, lineterminator="\n")
        self.begun = False

    def write(self, stream: Stream) -> None:
        shares = stream.probabilities()[0].double().tolist()
        if self.form == "jsonl":
            self.out.write(json.dumps({"step": stream.steps, **self.target.entry(shares, DIGITS)}) + "\n")
        else:
            row = self.target.row(shares, DIGITS)
            if not self.begun:
                self.writer.writerow(["step", *row])
            self.writer.writerow([stream.steps, *row.values()])
        self.begun = True
        self.out.flush()


class _Keeper:
    """Writes where the stream stands and what was read ahead, not more often than once a second on the way."""

    def __init__(self, stream: Stream, path: Path | None) -> None:
        self.stream, self.path = stream, path

    def begin(self, intake: Intake) -> None:
        self.intake = intake
        self.time, self.saved, self.settled = time.monotonic(), self._read(), self.stream.state_dict()

    def pause(self) -> float | None:
        """At a moment when steps and bytes agree: save where it is due; the seconds until then, None with no news."""
        if self.path is None or self._read() == self.saved:
            return None
        self.settled = self.stream.state_dict()
        left = self.time + SECONDS_BETWEEN_SAVES - time.monotonic()
        if left > 0:
            return left
        self.now()
        return None

    def now(self) -> None:
        if self.path is not None and self._read() != self.saved:
            self.stream.save(self.path, self.intake.notes())
            self.time, self.saved = time.monotonic(), self._read()

    def _read(self) -> tuple[int, bytes]:
        """Steps, and the bytes behind them that cannot be read again."""
        return self.stream.steps, self.intake.left if self.intake.path is None else b""

    def back(self) -> None:
        """Save the last moment when steps and bytes agreed: what was read since is read ahead."""
        if self.path is not None:
            self.stream.load_state_dict(self.settled)
            self.now()


@contextmanager
def _opened(path: Path | None, standard_input: BinaryIO) -> Iterator[BinaryIO]:
    if path is None:
        yield standard_input
        return
    if not path.is_file():
        raise InputError(f"{path}: expected a file to read, found {'a folder' if path.is_dir() else 'nothing'}.")
    with path.open("rb") as file:
        yield file


def look_again() -> bool:
    """Wait a little and look whether the file has grown."""
    time.sleep(SECONDS_BETWEEN_LOOKS)
    return True
