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

    Attributes
    ----------
    where : str
        File and row, for messages.
    sequence : array or str
        (T, C) numbers, NaN where a value is missing, or a text.
    label
        A class; the names of several; numbers; or a class, or None, for each step. None where there is none.
    split : {"train", "validation", "test"}, optional
        None where the files do not say.
    kept : array, optional
        The places that the steps had before some were left out, where some were.
    """

    where: str
    sequence: Array | str
    label: Label | None = None
    split: Split | None = None
    kept: Array | None = None


@dataclass(frozen=True)
class Schema:
    """What the examples of a reader are.

    Attributes
    ----------
    description : str
        For people, e.g. "CSV of texts".
    kind, channels
        As in `InputSpec`; 1 channel for characters.
    dtype : str
        Of the numbers as they are kept.
    channel_names : tuple of str
        Of a table's features.
    image_shape : (int, int), optional
        Rows and columns.
    rate : int, optional
        Samples a second, in Hz.
    notes : tuple of str
        What the reader decided by itself, one line each.
    columns : mapping
        What each named or found column is for.
    target : str
        Kind of what the labels say.
    labels : tuple of str
        What the source calls its values or classes, where it does.
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
