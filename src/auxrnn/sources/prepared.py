"""Sequences of a set as a network reads them: made when asked for, so that the set may stay on the disk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.sources.lazy import LazySequences
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.sources.reader import Array
from auxrnn.sources.stored import SequenceSet
from auxrnn.sources.vocabulary import encode
from auxrnn.targets import Labels
from auxrnn.targets.moments import channel_moments

BLOCK = 2**18  # steps whose sums are taken at once

Indices = npt.NDArray[np.int64]


class PreparedSequences(LazySequences):
    """The sequences at `indices` (N,) of a set, preprocessed one by one."""

    has_parts = True

    def __init__(self, stored: SequenceSet, indices: Indices, preprocessing: Preprocessing) -> None:
        self._stored, self._indices, self._preprocessing = stored, indices, preprocessing
        self._characters = encode(stored.characters, preprocessing.characters) if preprocessing.characters else None
        self.lengths = torch.from_numpy(stored.lengths[indices])

    def at(self, index: int) -> torch.Tensor:
        return self.part(index, 0, int(self.lengths[index]))

    def part(self, index: int, first: int, stop: int) -> torch.Tensor:
        place = int(self._indices[index])
        raw = self._stored.sequence(place)[first:stop]
        if self._characters is not None:
            self._stored.check_places(raw)
            return torch.from_numpy(self._characters[raw])
        return self._preprocessing.sequence(raw, f"{self._stored.source}, sequence {place}")

    def raw(self) -> Iterator[Array]:
        return (self._stored.sequence(index) for index in self._indices.tolist())

    def subset(self, indices: torch.Tensor) -> PreparedSequences:
        return PreparedSequences(self._stored, self._indices[indices.numpy()], self._preprocessing)


class PreparedTags(LazySequences):
    """The labels of the steps of the sequences at `indices` (N,) of a set, (T_i,) int64 each."""

    def __init__(self, stored: SequenceSet, indices: Indices) -> None:
        self._stored, self._indices = stored, indices
        self.lengths = torch.from_numpy(stored.lengths[indices])

    def at(self, index: int) -> torch.Tensor:
        tags = self._stored.label(int(self._indices[index]))
        return torch.from_numpy(tags.astype(np.int64))

    def raw(self) -> Iterator[Array]:
        return (self._stored.label(index) for index in self._indices.tolist())

    def subset(self, indices: torch.Tensor) -> PreparedTags:
        return PreparedTags(self._stored, self._indices[indices.numpy()])


def labels_at(stored: SequenceSet, indices: Indices) -> Labels:
    """The labels of the sequences at `indices` as their target has them."""
    if stored.target.per_step:
        return PreparedTags(stored, indices)
    return torch.from_numpy(np.array(stored.labels[indices]))


def learn_preprocessing(stored: SequenceSet, indices: Indices) -> Preprocessing:
    """Learn from the sequences at `indices` alone: mean and deviation of each channel, or the characters there are."""
    schema = stored.schema
    if schema.kind == "characters":
        used = np.zeros(len(stored.characters), bool)
        for block in _blocks(stored, indices):
            stored.check_places(block)
            used[block] = True
        known = [character for character, found in zip(stored.characters, used.tolist(), strict=True) if found]
        return Preprocessing("characters", characters="".join(sorted(known)))
    if schema.kind == "pixels":
        return Preprocessing("pixels", schema.channels)
    mean, scale = channel_moments(lambda: _blocks(stored, indices), stored.source)
    return Preprocessing("values", schema.channels, mean, scale)


def _blocks(stored: SequenceSet, indices: Indices) -> Iterator[Array]:
    """The steps of some sequences, at most BLOCK of them at once."""
    for index in indices.tolist():
        sequence = stored.sequence(index)
        for start in range(0, len(sequence), BLOCK):
            yield sequence[start : start + BLOCK]
