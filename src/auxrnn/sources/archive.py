"""The .ts format of the UCR/UEA archive (timeseriesclassification.com): one case a line, dimensions separated by `:`.

A header of `@` lines, `@data`, then `1.0,2.0,?:3.0,4.0,5.0:class`, or a number behind the last `:` where the header
says `@targetLabel true`. Equal and unequal lengths, univariate and multivariate, `?` and NaN for missing values. Series
with time stamps are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from auxrnn.config.reading import TargetKind
from auxrnn.errors import InputError
from auxrnn.sources.encodings import text_lines
from auxrnn.sources.reader import Array, Example, Reader, Schema, Split
from auxrnn.storage.numbers import number_of, whole_number
from auxrnn.targets.labelling import Label

COMMENTS = ("#", "%")


@dataclass(frozen=True)
class TsFile:
    """One file: where its data start (line of the first case), how many dimensions a case has, its class labels.

    value: whether a case has a number in place of a class. labelled: whether labels are wanted; where not, a case may
    have one behind its dimensions or none.
    """

    path: Path
    first: int
    dimensions: int
    labels: tuple[str, ...]
    split: Split | None = None
    encoding: str = "utf-8"
    value: bool = False
    labelled: bool = True

    def examples(self) -> Iterator[Example]:
        for number, line in _lines(self.path, self.encoding):
            if number < self.first:
                continue
            where = f"{self.path}, row {number}"
            parts = line.split(":")
            if len(parts) != self.dimensions + 1 and (self.labelled or len(parts) != self.dimensions):
                raise InputError(f"{where}: expected {self.dimensions} dimensions and a label, got {len(parts) - 1}.")
            series, label = parts[: self.dimensions], parts[-1] if self.labelled else ""
            if self.labels and _class(label) not in self.labels:
                raise InputError(f"{where}: expected a class of the header's @classLabel, got {label.strip()!r}.")
            channels = [_numbers(part, where) for part in series]
            lengths = {len(channel) for channel in channels}
            if len(lengths) > 1:
                raise InputError(f"{where}: expected dimensions of one length, got {sorted(lengths)}.")
            found: Label | None = label.strip() or None
            if self.value:
                measured = number_of(label, where, "target")
                found = None if np.isnan(measured) else (measured,)
            yield Example(where, np.stack(channels, 1), found, self.split)


def find_ts(
    paths: list[tuple[Path, Split | None]],
    encoding: str = "utf-8",
    target: TargetKind = "auto",
    *,
    unlabelled: int | None = None,
) -> Reader:
    """Read the headers; InputError where a pair does not fit together, or the header not the `target` asked for.

    unlabelled: the dimensions of cases to predict from, whose labels are not wanted.
    """
    parts = tuple(_read_header(path, split, encoding, unlabelled) for path, split in paths)
    for part in parts[1:]:
        if part.dimensions != parts[0].dimensions:
            raise InputError(
                f"{part.path}: expected {parts[0].dimensions} dimensions as in {parts[0].path}, got {part.dimensions}."
            )
        if part.value != parts[0].value:
            raise InputError(f"{part.path}: expected classes or numbers as in {parts[0].path}, got the other.")
    told = "value" if parts[0].value else "class"
    if target not in ("auto", told):
        raise InputError(f"{parts[0].path}: expected --target {told} as its header says, got {target}; leave it out.")
    pair = " (train and test)" if len(parts) == 2 else ""
    number, value = parts[0].dimensions, parts[0].value
    schema = Schema(
        f"UCR/UEA .ts{pair}, {'univariate' if number == 1 else f'{number} dimensions'}",
        "values",
        number,
        target=told,
        labels=("value",) if value else (),
    )
    return Reader(schema, frozenset({"encoding"}), lambda: chain.from_iterable(part.examples() for part in parts))


def _read_header(path: Path, split: Split | None, encoding: str, unlabelled: int | None) -> TsFile:
    labels: tuple[str, ...] = ()
    started, value, without = 0, False, ""
    for number, line in _lines(path, encoding):
        if started:
            if unlabelled is not None:
                return TsFile(path, started, unlabelled, (), split, encoding, labelled=False)
            if ":" not in line:
                raise InputError(
                    f"{path}, row {number}: expected dimensions and a class with `:` between, got {line[:40]!r}."
                )
            return TsFile(path, started, line.count(":"), labels, split, encoding, value)
        if not line.startswith("@"):
            raise InputError(f"{path}, row {number}: expected a header line beginning with @, got {line[:40]!r}.")
        word, *values = line[1:].split() or [""]
        word = word.lower()
        if word == "data":
            started = number + 1
            if without and not (labels or value) and unlabelled is None:
                raise InputError(without)
        elif word == "timestamps" and values[:1] and values[0].lower() == "true":
            raise InputError(f"{path}, row {number}: expected series without time stamps, found @timeStamps true.")
        elif word in ("targetlabel", "classlabel") and values[:1] and values[0].lower() == "true":
            value = word == "targetlabel"
            labels = () if value else tuple(map(_class, values[1:]))
        elif word in ("targetlabel", "classlabel"):
            without = f"{path}, row {number}: expected a label for each case, found {line[:40]!r}."
    raise InputError(f"{path}: expected cases after @data, found {'none' if started else 'no @data line'}.")


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that is neither empty nor a comment."""
    for number, line in enumerate(text_lines(path, encoding), 1):
        line = line.strip()
        if line and not line.startswith(COMMENTS):
            yield number, line


def _class(label: str) -> str:
    """A label as it is compared with those of the header: `1.0` is `1`."""
    return whole_number(label.strip()) or label.strip()


def _numbers(part: str, where: str) -> Array:
    if not part.strip():
        return np.empty(0)
    return np.array([number_of(cell, where, "value") for cell in part.split(",")])
