"""Sequences made when asked for behave like a list of tensors."""

import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.lazy import LazySequences


class Counted(LazySequences):
    """Sequence n holds n + 1 times the number n; counts what was made."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.lengths = numbers + 1
        self.made = []

    def at(self, index):
        number = int(self.numbers[index])
        self.made.append(number)
        return torch.full((number + 1, 1), float(number))

    def subset(self, indices):
        return Counted(self.numbers[indices])


def test_only_what_a_batch_needs_is_made():
    lazy = Counted(torch.arange(5))
    data = SequenceData("x", InputSpec("values", 1), lazy, torch.arange(5), tuple("abcde"))
    assert data.lengths.tolist() == [1, 2, 3, 4, 5]
    part = data.subset([4, 1, 0])
    assert lazy.made == []
    batch = part.batch([0, 2])
    assert part.inputs.made == [4, 0]
    assert batch.inputs[..., 0].tolist() == [[4.0] * 5, [0.0] * 5]
    assert batch.labels.tolist() == [4, 0]


def test_indices_and_slices():
    lazy = Counted(torch.arange(5))
    assert len(lazy) == 5
    assert lazy[-1].tolist() == [[4.0]] * 5
    assert [len(item) for item in lazy[1:3]] == [2, 3]
    with pytest.raises(IndexError):
        lazy[5]
