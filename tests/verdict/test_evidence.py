"""Evidence takes the model's answers to the very sequences that the floors answered."""

import pytest
import torch

from auxrnn.targets import ClassTarget
from auxrnn.verdict import gather_evidence
from auxrnn.verdict.floors import Floor, Floors, Judged

TARGET = ClassTarget(("a", "b"))
LABELS = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])


def tallies(answers, labels):
    return TARGET.tallies(torch.nn.functional.one_hot(torch.tensor(answers), 2).double(), labels)


def floors_of(rows, *answers):
    labels = LABELS[rows]
    found = tuple(
        Floor(name, 0.1, tallies(validation, labels), tallies(test, labels)) for name, validation, test in answers
    )
    part = Judged(rows, len(LABELS))
    return Floors(TARGET, found, 20, part, part)


ROWS = torch.tensor([0, 1, 2, 3, 6, 7, 9])
A, RIGHT = [0] * 7, [0, 1, 0, 1, 0, 1, 1]


def test_the_sequences_that_the_floors_answered():
    floors = floors_of(ROWS, ("majority class", A, A), ("linear", RIGHT, [0, 1, 0, 1, 0, 0, 0]))
    ours = tallies([0, 1, 0, 1, 1, 0, 0, 1, 1, 1], LABELS)  # wrong at 4, 5, 8 alone, which no floor answered
    found = gather_evidence(floors, ours, "test", (), 3)
    assert (found.value, found.sequences, found.of) == (1.0, 7, 10)
    assert (found.trivial.name, found.trivial.score) == ("majority class", pytest.approx(3 / 7))
    assert (found.floor.name, found.floor.score) == ("linear", pytest.approx(5 / 7))
    assert found.floor.difference.value == pytest.approx(2 / 7)


def test_a_trivial_floor_that_is_the_best_is_told_once():
    floors = floors_of(ROWS, ("majority class", A, A), ("linear", A, RIGHT))
    found = gather_evidence(floors, tallies([0] * 10, LABELS), "test", (), 3)
    assert found.floor is found.trivial


def test_the_validation_part():
    floors = floors_of(ROWS, ("majority class", A, RIGHT), ("linear", RIGHT, A))
    found = gather_evidence(floors, tallies([0] * 10, LABELS), "validation", (), 10)
    assert (found.trivial.score, found.floor.score) == (pytest.approx(3 / 7), 1.0)


def test_the_curve_is_that_of_the_epochs_that_were_validated():
    rows = [
        {"phase": "pretrain", "epoch": 1},
        {"phase": "train", "epoch": 1, "train_accuracy": 0.5, "validation_accuracy": 0.4},
        {"phase": "train", "epoch": 2, "train_accuracy": 0.75, "validation_accuracy": 0.25},
    ]
    floors = floors_of(ROWS, ("majority class", A, A))
    found = gather_evidence(floors, tallies([0] * 10, LABELS), "test", rows, 8)
    assert (found.train, found.validation, found.validated) == ((0.5, 0.75), (0.4, 0.25), 8)
