"""What every reader gives: examples, one at a time, and their schema. Knows no file format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from auxrnn.targets.labelling import Label

if TYPE_CHECKING:
    from auxrnn.core.batch import InputKind

Array = npt.NDArray[Any]
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Example:
    """One sequence as it stands in a file.

    where: file and row, for messages. sequence: (T, C) numbers, NaN where a value is missing, or a text. label: a
    class; the names of several; numbers; or a class, or None, for each step; None where there is none. split: None
    where the files do not say. kept: the places that the steps had before some were left out, where some were.
    """

    where: str
    sequence: Array | str
    label: Label | None = None
    split: Split | None = None
    kept: Array | None = None


@dataclass(frozen=True)
class Schema:
    """What the examples of a reader are.

    description: for people, e.g. "CSV of texts". kind, channels: as in `InputSpec`, channels 1 for characters.
    dtype: of the numbers as they are kept. channel_names: of a table's features. image_shape: (rows, columns). rate:
    samples a second. notes: what the reader decided by itself, one line each. columns: what each named or found column
    is for. target: kind of what the labels say. labels: what the source calls its values or classes, where it does.
    """

    description: str
    kind: InputKind
    channels: int = 1
    dtype: str = "float64"
    channel_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    rate: int | None = None
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    target: str = "class"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """A recognised source.

    uses: the options that count for it beside those that count everywhere. examples: gives the same ones in the same
    order each time.
    """

    schema: Schema
    uses: frozenset[str]
    examples: Callable[[], Iterator[Example]]
