"""Check the examples of any reader, fill missing values, and write them one after the other into a flat file.

Memory holds one example, and for each sequence its end, its label and its split.
"""

from __future__ import annotations

from array import array
from typing import Any, Protocol

import numpy as np

from auxrnn.config.reading import Missing, ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.reader import Array, Example, Schema
from auxrnn.targets import KINDS

SPLIT_NUMBERS = {None: 0, "train": 1, "test": 2, "validation": 3}
MOST_CHARACTERS = 65_536  # different ones; each is kept as uint16


class Sink(Protocol):
    """Takes the numbers of the steps."""

    def write(self, data: Any, /) -> int: ...


class Collection:
    """Examples as they are collected: the steps go into `file`, the rest is kept here.

    Arrays: `ends` (steps up to the end of each sequence), `labels` as `keeper` numbers them, and `splits`. `characters`
    stand in the order in which they were met. `missing`, `with_missing` and `left_out` count values and sequences.
    """

    def __init__(self, schema: Schema, options: ReadingOptions, file: Sink) -> None:
        self.schema, self.options, self._file = schema, options, file
        self.rows = self.left_out = 0  # read, left out or not; left out
        self.steps = self.missing = self.with_missing = 0
        self.keeper = KINDS[schema.target].keeper(schema.labels, options.label_type)
        self.ends, self.labels, self.splits = array("q"), array(self.keeper.typecode), array("b")
        self._places = np.full(0x110000, -1, np.int32)  # of each code point
        self.characters = ""

    def add(self, example: Example) -> None:
        """Check one example and keep it; InputError with its place where it cannot be used."""
        self.rows += 1
        if example.label is None and self.options.no_label != "error":
            self.left_out += 1
            return
        if example.label is None or (isinstance(example.sequence, str) and not example.sequence):
            what, hint = "a text of at least one character", ""
            todo = "--missing drop leaves such rows out."
            if example.label is None:
                what = "a label"
                todo = "--missing drop leaves such rows out, --no_label learn lets the auxiliary losses have them."
                hint = KINDS[self.schema.target].missing_hint
            if self.options.missing != "drop":
                raise InputError(f"{example.where}: expected {what}, got none. {todo}{hint}")
            self.left_out += 1
            return
        kept: Array | None = None
        if isinstance(example.sequence, str):
            numbers = self._encoded(example)
        else:
            numbers = self._checked(example.sequence, example.where)
            if len(numbers) < len(example.sequence):
                kept = kept_steps(example.sequence)
        if not len(numbers):
            self.left_out += 1
            return
        label = self.keeper.numbers(example.label, example.where, kept)
        self._file.write(np.ascontiguousarray(numbers, dtype=self.schema.dtype).data)
        self.steps += len(numbers)
        self.ends.append(self.steps)
        self.labels.extend(label)  # type: ignore[arg-type]
        self.splits.append(SPLIT_NUMBERS[example.split])

    def _checked(self, values: Array, where: str) -> Array:
        if values.ndim != 2 or values.shape[1] != self.schema.channels:
            raise InputError(f"{where}: expected steps of {self.schema.channels} channels, got shape {values.shape}.")
        if not len(values):
            raise InputError(f"{where}: expected at least one step, got a sequence of length 0. Leave it out.")
        filled, number = fill_missing(values, self.options.missing, where, self.schema.channel_names)
        self.missing += number
        self.with_missing += number > 0
        return filled

    def _encoded(self, example: Example) -> Array:
        """The places (T,) of the characters of a text among those met so far."""
        assert isinstance(example.sequence, str)
        if self.schema.kind != "characters":
            raise InputError(f"{example.where}: expected numbers, got a text.")
        codes = np.frombuffer(example.sequence.encode("utf-32-le", "surrogatepass"), "<u4")
        places = self._places[codes]
        if (places < 0).any():
            self._learn("".join(map(chr, np.unique(codes[places < 0]).tolist())))
            if len(self.characters) > MOST_CHARACTERS:
                raise InputError(
                    f"{example.where}: expected at most {MOST_CHARACTERS:,} different characters, got more."
                )
            places = self._places[codes]
        return places

    def _learn(self, characters: str) -> None:
        for character in characters:
            self._places[ord(character)] = len(self.characters)
            self.characters += character


def fill_missing(values: Array, missing: Missing, where: str, names: tuple[str, ...] = ()) -> tuple[Array, int]:
    """`values` (T, C) without NaN, and how many there were; infinite ones are always refused.

    zero: 0 in the units of the file. drop: the whole step goes. interpolate: on a straight line over the steps between
    the nearest known ones of the channel; before the first and after the last the nearest. The result may have no step
    left after `drop`. Raises InputError naming the step for `error`, and for a channel without any value to
    interpolate between.
    """
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values, 0
    gaps = np.isnan(values)
    if np.isinf(values).any():
        step, channel = np.argwhere(np.isinf(values))[0].tolist()
        raise InputError(
            f"{where}: expected finite values, got {values[step, channel]} at step {step}, {_named(channel, names)}."
        )
    number = int(gaps.sum())
    if missing == "error":
        step, channel = np.argwhere(gaps)[0].tolist()
        raise InputError(
            f"{where}: expected a value at step {step}, {_named(channel, names)}, got none ({number:,} missing in this "
            "sequence). Say what to do: --missing zero, drop or interpolate."
        )
    if missing == "zero":
        return np.where(gaps, 0, values).astype(values.dtype), number
    if missing == "drop":
        return values[kept_steps(values)], number
    filled = values.copy()
    steps = np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(0)).tolist():
        known = ~gaps[:, channel]
        if not known.any():
            raise InputError(
                f"{where}: expected a value to interpolate from in {_named(channel, names)}, got none at all. "
                "Use --missing zero, or leave the sequence out."
            )
        filled[~known, channel] = np.interp(steps[~known], steps[known], values[known, channel])
    return filled, number


def kept_steps(values: Array) -> Array:
    """Places of the steps (T, C) that "drop" keeps."""
    return np.flatnonzero(~np.isnan(values).any(1))


def _named(channel: int, names: tuple[str, ...]) -> str:
    return names[channel] if names else f"channel {channel}"
