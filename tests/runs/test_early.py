"""Scores on the first part of each sequence, against a network that answers by what it has read."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.model import Classifier
from auxrnn.errors import InputError
from auxrnn.runs.use import early_scores, first_part
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.lazy import LazySequences
from auxrnn.targets import ClassTarget, TagsTarget

SPEC = InputSpec("values", 1)


class SawCue(Classifier):
    """Says "yes" as soon as a step of its input was not zero."""

    def __init__(self) -> None:
        super().__init__()
        self.target = ClassTarget(("no", "yes"))
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, batch: SequenceBatch) -> Tensor:
        inside = torch.arange(batch.inputs.shape[1]) < batch.lengths.unsqueeze(1)
        seen = (batch.inputs[..., 0] * inside).sum(1)
        return self.weight * torch.stack([0.5 - seen, seen - 0.5], dim=1)

    def pieces(self, batch: SequenceBatch) -> Iterator[Tensor]:
        raise AssertionError

    def losses(self, *given: Any) -> Any:
        raise AssertionError

    def parts(self, names: Any) -> list[nn.Module]:
        raise AssertionError


def make_data(cues: list[tuple[int, int | None]]) -> SequenceData:
    """Sequences of (length, step of the cue); the label says whether there is one."""
    inputs = [torch.zeros(length, 1) for length, _ in cues]
    for one, (_, place) in zip(inputs, cues, strict=True):
        if place is not None:
            one[place] = 1.0
    labels = torch.tensor([int(place is not None) for _, place in cues])
    return SequenceData("x", SPEC, inputs, labels, ("no", "yes"))


def test_first_parts_have_at_least_a_step() -> None:
    data = make_data([(10, 3), (1, None), (7, 6)])
    assert [len(one) for one in first_part(data, 0.5).inputs] == [5, 1, 4]
    assert [len(one) for one in first_part(data, 0.01).inputs] == [1, 1, 1]
    assert first_part(data, 1.0).lengths.tolist() == [10, 1, 7]


class Made(LazySequences):
    """Sequences of (length, step of the cue), and which of them were made."""

    def __init__(self, cues: list[tuple[int, int | None]], made: list[int]) -> None:
        self.cues, self.made, self.lengths = cues, made, torch.tensor([length for length, _ in cues])

    def at(self, index: int) -> Tensor:
        self.made.append(self.cues[index][0])
        return make_data([self.cues[index]]).inputs[0]

    def subset(self, indices: Tensor) -> "Made":
        return Made([self.cues[index] for index in indices.tolist()], self.made)


def test_sequences_on_the_disk_are_read_when_their_batch_comes() -> None:
    cues: list[tuple[int, int | None]] = [(10, 0), (11, 4), (12, 9), (20, None)]
    data, made = make_data(cues), []
    lazy = SequenceData("x", SPEC, Made(cues, made), data.labels, ("no", "yes"))
    half = first_part(lazy, 0.5)
    assert (half.lengths.tolist(), made) == ([5, 6, 6, 10], [])
    assert [len(one) for one in half.subset([2, 0]).inputs] == [6, 5]
    assert early_scores(SawCue(), lazy, (0.1, 0.5, 1.0)) == early_scores(SawCue(), data, (0.1, 0.5, 1.0))


def test_a_model_is_right_once_it_has_read_the_cue() -> None:
    data = make_data([(10, 0), (10, 4), (10, 9), (20, None)])
    assert early_scores(SawCue(), data, (0.1, 0.4, 0.5, 0.9, 1.0)) == {0.1: 0.5, 0.4: 0.5, 0.5: 0.75, 0.9: 0.75, 1.0: 1}


def test_a_label_a_step_is_not_asked_early() -> None:
    tags = SequenceData("x", SPEC, torch.zeros(1, 2, 1), None, target=TagsTarget(("a", "b")))
    with pytest.raises(InputError, match="Expected a label a sequence to ask early"):
        early_scores(SawCue(), tags)
