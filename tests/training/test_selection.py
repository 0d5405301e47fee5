"""The first best epoch on the validation split is kept, and patience counts the epochs since."""

from types import SimpleNamespace

import pytest
import torch

from auxrnn.targets import ClassTarget
from auxrnn.training.history import History
from auxrnn.training.module import PhaseModule
from auxrnn.training.phases import Phase
from auxrnn.training.selection import BestModel
from tiny_runs import MODEL, TRAINING, make_model


class Walk:
    """Epochs with given accuracies; the bias of the classifier tells which epoch's weights were kept."""

    def __init__(self, patience=None):
        self.history = History(ClassTarget(("a", "b")))
        self.best = BestModel(self.history, patience)
        self.module = PhaseModule(
            make_model(), Phase("train", ("supervised",), 9), 0, TRAINING, MODEL.aux,
            steps_before=0, phase_steps=1, total_steps=1,
        )  # fmt: skip
        self.trainer = SimpleNamespace(current_epoch=0, should_stop=False, is_global_zero=True)

    def epoch(self, accuracy):
        with torch.no_grad():
            self.module.model.supervised.head.second.bias.fill_(self.trainer.current_epoch + 1)
        self.history.rows.append({} if accuracy is None else {"validation_accuracy": accuracy})
        self.best.on_train_epoch_end(self.trainer, self.module)
        self.trainer.current_epoch += 1
        return self.trainer.should_stop

    def kept(self):
        return int(self.best.weights["supervised.head.second.bias"][0])


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [([0.2, 0.5, 0.5, 0.4], 2), ([0.0, 0.0], 1), ([0.1, 0.2, 0.3], 3), ([0.5, 0.5, 0.6, 0.6], 3)],
)
def test_the_first_of_equals_is_kept(accuracies, chosen):
    walk = Walk()
    for accuracy in accuracies:
        assert not walk.epoch(accuracy)
    assert (walk.best.epoch, walk.best.score) == (chosen, max(accuracies))
    assert walk.kept() == chosen


def test_nothing_validated_nothing_kept():
    walk = Walk(patience=1)
    for _ in range(3):
        assert not walk.epoch(None)
    assert walk.best.weights is None


def test_patience_counts_epochs_without_a_rise():
    walk = Walk(patience=2)
    assert [walk.epoch(accuracy) for accuracy in (0.5, 0.4, 0.6, 0.6, 0.5)] == [False, False, False, False, True]


def test_the_state_goes_on_in_another_process():
    first, second = Walk(patience=2), Walk(patience=2)
    for accuracy in (0.5, 0.4):
        first.epoch(accuracy)
    second.best.load_state_dict(first.best.state_dict())
    second.best.on_train_start(second.trainer, second.module)
    assert not second.trainer.should_stop
    assert second.kept() == 1
    assert second.epoch(0.5)
    third = Walk(patience=2)
    third.best.load_state_dict(second.best.state_dict())
    third.best.on_train_start(third.trainer, third.module)
    assert third.trainer.should_stop  # killed after its last epoch, it is not taken further
