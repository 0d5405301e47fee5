"""Which losses each phase minimises, and the schedule of scheduled sampling."""

import itertools
import math

import pytest

from auxrnn.config import AuxiliaryConfig, ModelConfig, TrainingConfig
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


@pytest.mark.parametrize(
    ("model", "joint", "objectives"),
    [
        ("sa-lstm", None, ("supervised",)),
        ("lm-lstm", None, ("supervised",)),
        ("sa-lstm", True, ("supervised", "reconstruct")),
        ("rp-lstm", False, ("supervised",)),
        ("rp-lstm", None, ("supervised", "reconstruct", "predict")),
    ],
)
def test_training_on_the_labels_alone_after_pretraining(model, joint, objectives):
    config = ModelConfig(model=model, aux=AuxiliaryConfig(joint=joint))
    first, second = plan_phases(config, TrainingConfig(pretrain_epochs=2, max_epochs=3))
    assert (first.name, first.objectives, first.auxiliary) == ("pretrain", config.auxiliaries, True)
    assert (second.name, second.objectives, second.auxiliary) == ("train", objectives, len(objectives) > 1)


@pytest.mark.parametrize("schedule", ["linear", "exponential", "inverse_sigmoid"])
def test_every_schedule_falls_from_its_start_to_its_end(schedule):
    found = [truth_share(0.9, 0.2, at / 20, schedule) for at in range(21)]
    assert (found[0], found[-1]) == (pytest.approx(0.9), pytest.approx(0.2))
    assert all(later < earlier for earlier, later in itertools.pairwise(found))


def test_schedules_of_bengio():
    """k^i with k^n = 0.01 is 0.1 halfway, stretched to end at 0; the inverse sigmoid is symmetric and flat outside."""
    assert truth_share(1.0, 0.0, 0.5, "exponential") == pytest.approx((0.1 - 0.01) / 0.99)
    assert truth_share(1.0, 0.0, 0.5, "inverse_sigmoid") == pytest.approx(0.5)
    k = 20.0  # k / (k + exp(i / k)) is steepest at i = k ln k; 0.2 of the way are 2 units of k behind that
    i = k * math.log(k) + 2 * k
    first, last = 1 / (1 + math.exp(-5)), 1 / (1 + math.exp(5))
    expected = (k / (k + math.exp(i / k)) - last) / (first - last)
    assert truth_share(1.0, 0.0, 0.7, "inverse_sigmoid") == pytest.approx(expected)
    assert truth_share(0.8, 0.0, 0.5, "constant") == 0.8
    with pytest.raises(ValueError, match="linear, inverse_sigmoid, exponential, constant, got 'cubic'"):
        truth_share(1.0, 0.0, 0.5, "cubic")
