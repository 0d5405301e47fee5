"""Sequences that are made when they are asked for, from a file larger than memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy.typing as npt
import torch


class LazySequences(Sequence[torch.Tensor]):
    """N sequences of one type, each made by `at`; whoever makes them has checked them.

    Attributes
    ----------
    lengths : Tensor
        (N,) int64, the steps of each.
    has_parts : bool
        Whether `part` makes a part without the rest.
    """

    lengths: torch.Tensor
    has_parts = False

    @abstractmethod
    def at(self, index: int) -> torch.Tensor:
        """Sequence `index`, 0 <= index < N: (T, C), or (T,) characters."""

    def part(self, index: int, first: int, stop: int) -> torch.Tensor:
        """The steps `[first, stop)` of sequence `index`."""
        return self.at(index)[first:stop]

    @abstractmethod
    def subset(self, indices: torch.Tensor) -> LazySequences:
        """The sequences at `indices`, in that order."""

    def raw(self) -> Iterator[npt.NDArray[Any]]:
        """What each sequence is made from, in order: the same arrays give the same sequences."""
        return (self.at(index).numpy() for index in range(len(self)))

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> torch.Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> LazySequences: ...
    def __getitem__(self, index: int | slice) -> torch.Tensor | LazySequences:
        if isinstance(index, slice):
            return self.subset(torch.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.at(index % len(self))
