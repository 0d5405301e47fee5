"""Intervals of differences against textbooks' numbers, and what happens at the edges."""

import numpy as np
import pytest
import torch
from scipy.stats import beta

from auxrnn.targets import ClassTarget, TagsTarget, ValueTarget
from auxrnn.verdict.paired import FEWEST, Difference, paired_difference

TARGET = ClassTarget(("a", "b"))


def answers(right):
    """Tallies of answers to sequences of class a, of which so many are right."""
    outputs = torch.tensor([[1.0, 0.0] if one else [0.0, 1.0] for one in right])
    return TARGET.tallies(outputs, torch.zeros(len(right), dtype=torch.int64))


def test_one_class_is_the_exact_test_of_mcnemar():
    """Of 20 sequences 8 are right by one alone: 7 ours, 1 theirs. Clopper-Pearson of 7 of 8 by the beta quantiles."""
    ours = answers([True] * 17 + [False] * 3)
    theirs = answers([True] * 10 + [False] * 7 + [True] + [False] * 2)
    found = paired_difference(TARGET, ours, theirs)
    low, high = beta.ppf(0.025, 7, 2), beta.ppf(0.975, 8, 1)
    assert found.value == pytest.approx(6 / 20)
    assert found.low == pytest.approx((2 * low - 1) * 8 / 20)
    assert found.high == pytest.approx((2 * high - 1) * 8 / 20)
    assert not found.above  # p = 2 * 9 / 2**8 = 0.07


@pytest.mark.parametrize(("won", "sure"), [(5, False), (6, True)])  # 2 / 2**5 = 0.0625, 2 / 2**6 = 0.03125
def test_all_that_differ_for_one_side(won, sure):
    ours, theirs = answers([True] * won + [False] * 10), answers([False] * (won + 10))
    found = paired_difference(TARGET, ours, theirs)
    assert found.above is sure
    assert paired_difference(TARGET, theirs, ours).below is sure
    assert not found.below


def test_the_same_answers_differ_by_nothing():
    ours = answers([True, False] * 5)
    assert paired_difference(TARGET, ours, ours) == Difference(0.0, 0.0, 0.0)


def test_too_few_pairs_tell_nothing():
    few = paired_difference(TARGET, answers([True] * (FEWEST - 1)), answers([False] * (FEWEST - 1)))
    assert (few.value, few.low, few.high) == (1.0, None, None)
    assert [few.known, few.above, few.below] == [False] * 3
    assert paired_difference(TARGET, answers([True] * FEWEST), answers([False] * FEWEST)).above


def test_values_are_drawn_in_pairs():
    """Two models with great errors in common: each alone is unsure, their difference is not."""
    target = ValueTarget(("x",))
    draw = np.random.default_rng(0)
    known = torch.from_numpy(draw.normal(size=(60, 1)))
    common = torch.from_numpy(3 * draw.normal(size=(60, 1)))
    ours = target.tallies(known + common, known)
    theirs = target.tallies(known + 1.2 * common, known)
    found = paired_difference(target, ours, theirs)
    assert found.above
    assert found.low < found.value < found.high
    assert paired_difference(target, ours, ours) == Difference(0.0, 0.0, 0.0)


def test_steps_of_a_sequence_are_drawn_together():
    """Fifty steps of six sequences are six trials and not three hundred."""
    target = TagsTarget(("a", "b"))
    labels = torch.zeros(6, 50, dtype=torch.int64)

    def tagged(shares):
        wrong = torch.arange(50) >= 50 * torch.tensor(shares).unsqueeze(1)
        return target.tallies(torch.nn.functional.one_hot(wrong.long(), 2).double(), labels)

    ours, theirs = tagged([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), tagged([0.5] * 6)
    found = paired_difference(target, ours, theirs)
    assert found.value == pytest.approx(0.0)
    assert found.low < -0.2
    assert found.high > 0.2
