"""The first best epoch on the validation split is kept, or the last, and patience counts the epochs since."""

from dataclasses import replace

import pytest
import torch

from auxrnn.training.selection import BestEpoch
from tiny_runs import TRAINING, make_model, train_tiny


class Walk:
    """Epochs with given accuracies; the bias of the classifier tells which epoch's weights were kept."""

    def __init__(self, patience=None, keep="best"):
        self.best = BestEpoch(patience, keep=keep)
        self.model = make_model()
        self.done = 0

    def epoch(self, accuracy):
        self.done += 1
        with torch.no_grad():
            self.model.supervised.head.second.bias.fill_(self.done)
        self.best.take(self.done, accuracy, 100, self.model)
        return self.best.is_exhausted

    def kept(self):
        return int(self.best.kept().weights["supervised.head.second.bias"][0])


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [([0.2, 0.5, 0.5, 0.4], 2), ([0.0, 0.0], 1), ([0.1, 0.2, 0.3], 3), ([0.5, 0.5, 0.6, 0.6], 3)],
)
def test_the_first_of_equals_is_kept(accuracies, chosen):
    walk = Walk()
    for accuracy in accuracies:
        assert not walk.epoch(accuracy)
    assert walk.best.kept()[:2] == (chosen, max(accuracies))
    assert walk.kept() == chosen


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [
        ([0.2, 0.9, 0.8], 3),
        ([0.5, 0.93, 0.73], 3),  # 20 of 100: three standard errors of a difference are 21.2
        ([0.5, 0.93, 0.71], 2),
        ([0.9, float("nan")], 2),
        ([float("nan"), 0.1], 2),
    ],
)
def test_the_last_is_kept_unless_it_fell_far_behind(accuracies, chosen):
    walk = Walk(keep="last")
    for accuracy in accuracies:
        walk.epoch(accuracy)
    epoch, score, weights = walk.best.kept()
    assert (epoch, score) == (chosen, pytest.approx(accuracies[chosen - 1], nan_ok=True))
    assert (weights is None) is (chosen == len(accuracies))
    assert weights is None or walk.kept() == chosen


def test_a_resumed_training_knows_its_last_epoch():
    first, second = Walk(keep="last"), Walk(keep="last")
    for accuracy in (0.9, 0.2):
        first.epoch(accuracy)
    second.best.load_state_dict(first.best.state_dict())
    assert second.best.kept()[:2] == (1, 0.9)


def test_nothing_validated_nothing_kept():
    _, _, fitted = train_tiny(training=replace(TRAINING, patience=1), validation=False)
    assert (fitted.best_epoch, fitted.best_score, len(fitted.history)) == (0, None, 5)


def test_patience_counts_epochs_without_a_rise():
    walk = Walk(patience=2)
    assert [walk.epoch(accuracy) for accuracy in (0.5, 0.4, 0.6, 0.6, 0.5)] == [False, False, False, False, True]


def test_the_state_goes_on_in_another_process():
    first, second = Walk(patience=2), Walk(patience=2)
    for accuracy in (0.5, 0.4):
        first.epoch(accuracy)
    second.best.load_state_dict(first.best.state_dict())
    assert not second.best.is_exhausted
    assert second.kept() == 1
    assert second.epoch(0.5)
    third = Walk(patience=2)
    third.best.load_state_dict(second.best.state_dict())
    assert third.best.is_exhausted  # killed after its last epoch, it is not taken further
