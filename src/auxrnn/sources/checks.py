"""The verdict of `auxrnn data verify` on a file of a set, or on a part of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class FileCheck:
    """What `verify` found for one file.

    state: `ok`; `missing`; `different` (readable, but not what was published: usable, results are not comparable);
    `damaged` (training would refuse it). found_hash is empty where there is no file or none is published; count and
    per_class (labels only) are what the file holds.
    """

    name: str
    path: Path | None
    state: Literal["ok", "missing", "different", "damaged"]
    message: str
    expected_hash: str = ""
    found_hash: str = ""
    bytes: int = 0
    count: int = 0
    per_class: tuple[int, ...] = ()


def counted(name: str, path: Path | None, labels: Iterable[int], classes: int, expected: int, what: str) -> FileCheck:
    """A readable part of a set with such labels, `ok` where it holds as many sequences as published."""
    per_class = count_labels(labels, classes)
    count = sum(per_class)
    if count == expected:
        return FileCheck(name, path, "ok", what, count=count, per_class=per_class)
    message = f"{what}; expected {expected:,} as published: usable, figures are not comparable"
    return FileCheck(name, path, "different", message, count=count, per_class=per_class)


def count_labels(labels: Iterable[int], classes: int) -> tuple[int, ...]:
    """How many there are of each class."""
    counts = Counter(labels)
    return tuple(counts[label] for label in range(classes))


def missing(name: str, path: Path) -> FileCheck:
    """A set of which nothing lies there."""
    return FileCheck(name, path, "missing", f"{path} has none; `auxrnn data fetch` downloads it.")
