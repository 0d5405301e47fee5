"""Which losses each phase minimises, and the schedule of scheduled sampling."""

import pytest

from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.training.phases import plan_phases, truth_share


@pytest.mark.parametrize(
    ("model", "auxiliaries"),
    [("r-lstm", ("reconstruct",)), ("p-lstm", ("predict",)), ("rp-lstm", ("reconstruct", "predict"))],
)
def test_pretraining_on_the_auxiliary_losses_then_all(model, auxiliaries):
    first, second = plan_phases(ModelConfig(model=model), TrainingConfig(pretrain_epochs=2, max_epochs=3))
    assert (first.objectives, first.epochs, first.supervised) == (auxiliaries, 2, False)
    assert (second.objectives, second.epochs, second.supervised) == (("supervised", *auxiliaries), 3, True)


def test_a_plain_network_has_nothing_to_pretrain_on():
    (only,) = plan_phases(ModelConfig(model="lstm"), TrainingConfig(pretrain_epochs=2, max_epochs=3))
    assert (only.objectives, only.epochs) == (("supervised",), 3)


@pytest.mark.parametrize(("pretrain", "epochs", "names"), [(0, 2, ["train"]), (2, 0, ["pretrain"]), (0, 0, [])])
def test_a_phase_of_no_epochs_is_left_out(pretrain, epochs, names):
    found = plan_phases(ModelConfig(), TrainingConfig(pretrain_epochs=pretrain, max_epochs=epochs))
    assert [phase.name for phase in found] == names


def test_truth_share_is_linear_and_stays_within_its_ends():
    assert [truth_share(1.0, 0.0, at) for at in (-1, 0, 0.25, 0.5, 1, 2)] == [1.0, 1.0, 0.75, 0.5, 0.0, 0.0]
    assert truth_share(0.3, 0.3, 0.7) == pytest.approx(0.3)
