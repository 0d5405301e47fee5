"""Intervals against a direct bootstrap: sequences drawn again, scored afresh by scikit-learn each time."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, r2_score

from auxrnn.runs.judging import score_interval
from auxrnn.targets import ClassesTarget, TagsTarget, ValueTarget
from auxrnn.verdict.bootstrap import RESAMPLES, SEED

N = 25


def directly(score):
    """score: of the places of the sequences that were drawn."""
    generator = np.random.default_rng(SEED)
    scores = [score(generator.integers(0, N, N)) for _ in range(RESAMPLES)]
    return pytest.approx(np.percentile(scores, [2.5, 97.5]).tolist())


def test_values():
    generator = torch.Generator().manual_seed(0)
    labels = 100 + 5 * torch.randn(N, 2, generator=generator, dtype=torch.float64)
    target = ValueTarget(("a", "b")).fitted(labels, "y")
    outputs = (labels - 100) / 5 + 0.5 * torch.randn(N, 2, generator=generator, dtype=torch.float64)
    answers = target.answers(outputs).numpy()
    expected = directly(lambda drawn: r2_score(labels.numpy()[drawn], answers[drawn]))
    assert score_interval(target, target.tallies(outputs, labels)) == expected


def test_several_classes():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (N, 3), generator=generator)
    outputs = torch.randn(N, 3, generator=generator) + labels
    target = ClassesTarget(("a", "b", "c"))
    answers = target.answers(outputs).numpy()
    true, said = labels.numpy() > 0, answers > 0

    def micro_f1(drawn):
        """scikit-learn's takes a millisecond and more."""
        return 2 * (true[drawn] & said[drawn]).sum() / (true[drawn].sum() + said[drawn].sum())

    assert micro_f1(np.arange(N)) == pytest.approx(f1_score(labels.numpy(), answers, average="micro"))
    expected = directly(micro_f1)
    assert score_interval(target, target.tallies(outputs, labels)) == expected


def test_tags_are_drawn_by_the_sequence():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 3, (N, 6), generator=generator)
    outputs = torch.randn(N, 6, 3, generator=generator)
    target = TagsTarget(("a", "b", "c"))
    answers = target.answers(outputs).numpy()

    def accuracy(drawn):
        known = labels.numpy()[drawn] >= 0
        return accuracy_score(labels.numpy()[drawn][known], answers[drawn][known])

    assert score_interval(target, target.tallies(outputs, labels)) == directly(accuracy)


def test_one_sequence_has_none():
    assert score_interval(ValueTarget(("a",)), torch.ones(1, 5, dtype=torch.float64)) is None


def test_answers_without_a_mistake_have_none():
    """Every draw scores 1: an interval from 1 to 1 would say that nothing is left to chance."""
    labels = torch.randint(0, 3, (N, 6), generator=torch.Generator().manual_seed(0))
    target = TagsTarget(("a", "b", "c"))
    outputs = torch.nn.functional.one_hot(labels, 3).double()
    assert score_interval(target, target.tallies(outputs, labels)) is None
    outputs[0, 0] = torch.roll(outputs[0, 0], 1)
    assert score_interval(target, target.tallies(outputs, labels)) is not None
