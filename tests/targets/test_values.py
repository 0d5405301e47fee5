"""Numbers: losses and scores are torch's and scikit-learn's own, in the units of the labels."""

import json

import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.targets import ValueTarget, target_of

LABELS = torch.tensor([[100.0, -3e6], [104.0, 2e6], [97.0, 5e6], [99.0, 0.0], [100.5, 1e6]], dtype=torch.float64)
TARGET = ValueTarget(("mass", "money")).fitted(LABELS, "y")


def outputs():
    return torch.randn(5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_learned_numbers_are_those_of_the_labels():
    assert TARGET.mean == pytest.approx(LABELS.mean(0).tolist())
    assert TARGET.scale == pytest.approx(LABELS.std(0, correction=0).tolist())
    assert ValueTarget(("x",)).fitted(torch.full((3, 1), 0.1), "y").scale == (1.0,)


def test_loss_is_the_squared_error_of_standardised_labels():
    standard = (LABELS - LABELS.mean(0)) / LABELS.std(0, correction=0)
    found = TARGET.loss(outputs(), LABELS)
    assert float(found.mean) == pytest.approx(float(functional.mse_loss(outputs(), standard)))
    assert found.count == 5


def test_gradient_by_finite_differences():
    assert torch.autograd.gradcheck(lambda given: TARGET.loss(given, LABELS).total, outputs().requires_grad_())


def test_scores_are_scikit_learns_and_those_of_parts_added_up():
    answers = TARGET.answers(outputs())
    expected = {
        "r2": pytest.approx(r2_score(LABELS, answers)),
        "rmse": pytest.approx(root_mean_squared_error(LABELS, answers)),
        "mae": pytest.approx(mean_absolute_error(LABELS, answers)),
    }
    assert TARGET.scores(TARGET.tally(outputs(), LABELS)) == expected
    parts = [TARGET.tally(outputs()[rows], LABELS[rows]) for rows in torch.arange(5).split(2)]
    assert TARGET.scores(torch.stack(parts).sum(0)) == expected


def test_labels_far_from_zero_cost_no_digits():
    labels = 1e9 + torch.arange(6, dtype=torch.float64).unsqueeze(1)
    target = ValueTarget(("x",)).fitted(labels, "y")
    said = torch.zeros(6, 1, dtype=torch.float64)
    assert target.scores(target.tally(said, labels))["r2"] == pytest.approx(0.0, abs=1e-9)


def test_scores_of_labels_that_never_change():
    target, labels = ValueTarget(("x",)), torch.full((4, 1), 2.0)
    assert target.scores(target.tally(labels.clone(), labels))["r2"] == 1.0
    assert target.scores(target.tally(labels + 1, labels))["r2"] == 0.0  # as scikit-learn has it


def test_there_and_back_through_json():
    again = target_of(TARGET.names, json.loads(json.dumps(TARGET.to_dict())))
    assert again == TARGET
    said = TARGET.answers(outputs())
    assert torch.equal(again.shares(outputs()), said)
    standard = (said - LABELS.mean(0)) / LABELS.std(0, correction=0)
    torch.testing.assert_close(standard, outputs())


def test_answers_in_words():
    assert TARGET.entry([1.23456789012, -4e-12], 6) == {"values": {"mass": 1.2345679, "money": -4e-12}}
    assert TARGET.row([0.5, 1e10], 6) == {"mass": "0.5", "money": "10000000000"}


def test_a_value_far_from_zero_has_the_digits_of_its_deviation():
    far = ValueTarget(("time", "speed"), (1.7e9, 0.0), (3.0, 1.0))
    assert far.row([1.7e9 + 0.123456, 0.25], 6) == {"time": "1700000000.123456", "speed": "0.25"}
    assert far.entry([1.7e9 - 3.25, 1e-9], 6) == {"values": {"time": 1699999996.75, "speed": 1e-9}}
    assert ValueTarget(("x",), (1e300,), (1e-300,)).row([1 / 3], 6) == {"x": "0.33333333333333331"}
    assert ValueTarget(("x",)).row([1.7e9 + 3], 6) == {"x": "1.7e+09"}  # float32 outputs as they are


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(2), r"shape \(N, 2\)"),
        (torch.zeros(3, 2), "2 sequences and 3 labels"),
        (torch.tensor([[0.0, 1.0], [torch.nan, 0.0]]), "finite values, got .nan, 0.0. at sequence 1"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(InputError, match=message):
        TARGET.check(labels, torch.ones(2), "set")


def test_numbers_that_fit_no_target():
    with pytest.raises(InputError, match="one finite mean"):
        ValueTarget(("x",), (1.0, 2.0), (1.0,))
    with pytest.raises(InputError, match="scales above 0"):
        ValueTarget(("x",), (1.0,), (0.0,))
    with pytest.raises(InputError, match=r"a\.csv: .* too large"):
        ValueTarget(("x",)).fitted(torch.tensor([[1e300], [-1e300]], dtype=torch.float64), "a.csv")
