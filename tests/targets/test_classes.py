"""One class a sequence: losses and scores are torch's and scikit-learn's own."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.targets import ClassTarget

TARGET = ClassTarget(("a", "b", "c", "d"))


def drawn(number=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(number, 4, generator=generator, dtype=torch.float64)
    return outputs, torch.randint(0, 3, (number,), generator=generator)  # d is answered, never right


def test_loss_is_cross_entropy():
    outputs, labels = drawn()
    weights = torch.rand(200, dtype=torch.float64)
    found = TARGET.loss(outputs, labels)
    assert float(found.mean) == pytest.approx(float(functional.cross_entropy(outputs, labels)))
    each = functional.cross_entropy(outputs, labels, reduction="none")
    assert float(TARGET.loss(outputs, labels, weights).total) == pytest.approx(float((each * weights).sum()))


def test_scores_are_scikit_learns_and_those_of_parts_added_up():
    outputs, labels = drawn()
    answers = outputs.argmax(1)
    expected = {
        "accuracy": pytest.approx(accuracy_score(labels, answers)),
        "macro_f1": pytest.approx(f1_score(labels, answers, average="macro")),
    }
    assert TARGET.scores(TARGET.tally(outputs, labels)) == expected
    parts = [TARGET.tally(outputs[rows], labels[rows]) for rows in torch.arange(200).split(7)]
    assert TARGET.scores(torch.stack(parts).sum(0)) == expected
    assert TARGET.scores(torch.zeros(12, dtype=torch.float64)) == {"accuracy": 0.0, "macro_f1": 0.0}


def test_balanced_weights_are_scikit_learns():
    labels = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=labels.numpy())
    assert TARGET.balanced(labels, "set").tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_answers_in_words():
    assert TARGET.entry([0.1, 0.6, 0.25, 0.05], 2)["class"] == "b"
    assert TARGET.row([0.1, 0.6, 0.25, 0.05], 2) == {
        "class": "b", "probability": "0.60", "p(a)": "0.10", "p(b)": "0.60", "p(c)": "0.25", "p(d)": "0.05",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0.0, 1.0]), "labels \\(N,\\) of int64"),
        (torch.tensor([0, 1, 2]), "2 sequences and 3 labels"),
        (torch.tensor([0, 4]), "0 to 3 for 4 classes, got 4 at sequence 1"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(InputError, match=message):
        TARGET.check(labels, torch.ones(2), "set")


def test_a_class_that_is_tested_and_never_learned():
    assert TARGET.absent(torch.tensor([0, 1]), torch.tensor([1, 2, 3])) == "c"
    assert TARGET.absent(torch.tensor([0, 1, 2]), torch.tensor([1])) is None
