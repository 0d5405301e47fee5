"""Collect labels as numbers in one flat array; at the end make names and labels of a target of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from auxrnn.config.reading import LabelType
from auxrnn.targets.labelling import UNLABELLED, Label, Labelling

Array = npt.NDArray[Any]


class LabelKeeper(ABC):
    """Turns the labels of sequences into numbers while they are read.

    typecode: of the numbers, as `array` has it. dtype: of the labels in a stored set. fewest: names of a target.

    names: what the source calls its values or classes, where it does.
    """

    typecode: ClassVar[str] = "i"
    dtype: ClassVar[str]
    fewest: ClassVar[int] = 2

    def __init__(self, names: tuple[str, ...], label_type: LabelType) -> None:
        self.names, self.labelling = names, Labelling(label_type)

    @abstractmethod
    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        """The numbers of one sequence's label; kept: the steps that are, where some were left out."""

    @abstractmethod
    def check(self) -> None:
        """InputError where there is too little to learn."""

    @abstractmethod
    def finished(self, numbers: Array) -> tuple[tuple[str, ...], Array]:
        """The names of the target and the labels of all sequences, from all their numbers."""

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        """Of the finished labels of so many sequences and steps, for a target of `size`."""
        return (sequences,)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        """Whether finished labels are those of a target of `size`."""
        return np.array_equal(np.unique(labels), np.arange(size))

    @staticmethod
    def opened(labels: Array) -> Array:
        """The labels of a stored set, in the type that they have in memory."""
        return labels

    def _in_order(self) -> tuple[tuple[str, ...], Array]:
        """The classes in the order in which they are shown, and the place there of each as they were first met."""
        order = self.labelling.order()
        places = np.empty(len(order) + 1, np.int64)
        places[order] = np.arange(len(order))
        places[UNLABELLED] = UNLABELLED  # the last entry
        return tuple(self.labelling.classes[place] for place in order), places
