"""Labels while they come, each kind in its own form: numbers in one flat array, and at the end the target they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from auxrnn.errors import InputError
from auxrnn.own.labelling import Labelling
from auxrnn.own.rows import Array, Form, Label
from auxrnn.reading import ReadingOptions
from auxrnn.targets import UNLABELLED, ClassesTarget, ClassTarget, TagsTarget, Target, ValueTarget

END = -1
"""Closes the classes of one sequence."""


class LabelKeeper(ABC):
    """typecode: of the numbers, as `array` has it. dtype: of the finished labels. fewest: names of a target."""

    typecode: ClassVar[str] = "i"
    dtype: ClassVar[str]
    fewest: ClassVar[int] = 2

    def __init__(self, form: Form, options: ReadingOptions, state: dict[str, Any] | None) -> None:
        self.names, self.labelling = form.labels, Labelling(options.label_type, state)

    @abstractmethod
    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        """The numbers of one sequence's label; kept: the steps that are, where some were left out."""

    @abstractmethod
    def check(self) -> None:
        """InputError where there is too little to learn."""

    @abstractmethod
    def finished(self, numbers: Array) -> tuple[Target, Array]:
        """The target and the labels of all sequences, from all their numbers."""

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        """Of the finished labels of so many sequences and steps, for a target of `size`."""
        return (sequences,)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        """Whether finished labels are those of a target of `size`."""
        return np.array_equal(np.unique(labels), np.arange(size))

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return self.labelling.state()

    def _in_order(self) -> tuple[tuple[str, ...], Array]:
        """The classes in the order in which they are shown, and the place there of each as they were first met."""
        order = self.labelling.order()
        places = np.empty(len(order) + 1, np.int64)
        places[order] = np.arange(len(order))
        places[UNLABELLED] = UNLABELLED  # the last entry
        return tuple(self.labelling.classes[place] for place in order), places


class ClassKeeper(LabelKeeper):
    """One class a sequence."""

    dtype = "int32"

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, str)
        return [self.labelling.place(label, where)]

    def check(self) -> None:
        self.labelling.check()

    def finished(self, numbers: Array) -> tuple[Target, Array]:
        names, places = self._in_order()
        return ClassTarget(names), places[numbers]


class ClassesKeeper(LabelKeeper):
    """Any number of classes a sequence: their places, then END."""

    dtype = "uint8"
    fewest = 1

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, tuple)
        names = [str(name) for name in label]
        places = [self.names.index(name) if self.names else self.labelling.place(name, where) for name in names]
        return [*places, END]

    def check(self) -> None:
        if not self.names and not self.labelling.classes:
            raise InputError("Expected at least one class under --target classes, found none in any row.")

    def finished(self, numbers: Array) -> tuple[Target, Array]:
        names, places = (self.names, np.arange(len(self.names))) if self.names else self._in_order()
        ends = numbers == END
        rows = np.cumsum(ends) - ends
        labels = np.zeros((int(ends.sum()), len(names)), np.uint8)
        labels[rows[~ends], places[numbers[~ends]]] = 1
        return ClassesTarget(names), labels

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        return (sequences, size)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        return bool(labels.max() <= 1)


class ValueKeeper(LabelKeeper):
    """Numbers for each sequence."""

    typecode = "d"
    dtype = "float64"
    fewest = 1

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, tuple)
        return [float(value) for value in label if value is not None]

    def check(self) -> None:
        """Any numbers can be learned."""

    def finished(self, numbers: Array) -> tuple[Target, Array]:
        return ValueTarget(self.names), numbers.reshape(-1, len(self.names))

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        return (sequences, size)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        return bool(np.isfinite(labels).all())


class TagsKeeper(LabelKeeper):
    """One class a step, or none: as many numbers as the sequence has steps."""

    dtype = "int32"

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, tuple)
        tags = label if kept is None else tuple(label[step] for step in kept.tolist())
        return [UNLABELLED if tag is None else self.labelling.place(str(tag), where) for tag in tags]

    def check(self) -> None:
        self.labelling.check(least=1)

    def finished(self, numbers: Array) -> tuple[Target, Array]:
        names, places = self._in_order()
        return TagsTarget(names), places[numbers].astype(np.int32)

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        return (steps,)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        return bool(labels.min() >= UNLABELLED and labels.max() < size)


KEEPERS: dict[str, type[LabelKeeper]] = {
    "class": ClassKeeper,
    "classes": ClassesKeeper,
    "value": ValueKeeper,
    "tags": TagsKeeper,
}
"""By the kind of target."""
