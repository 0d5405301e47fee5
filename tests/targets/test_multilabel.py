"""Several classes a sequence: losses and scores are torch's and scikit-learn's own."""

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.targets import ClassesTarget

TARGET = ClassesTarget(("red", "round", "small"))


def drawn(number=150):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(number, 3, generator=generator, dtype=torch.float64)
    return outputs, (torch.rand(number, 3, generator=generator) < 0.3).to(torch.uint8)


def test_loss_is_the_mean_binary_cross_entropy():
    outputs, labels = drawn()
    expected = functional.binary_cross_entropy_with_logits(outputs, labels.double())
    assert float(TARGET.loss(outputs, labels).mean) == pytest.approx(float(expected))


def test_gradient_by_finite_differences():
    outputs, labels = drawn(4)
    assert torch.autograd.gradcheck(lambda given: TARGET.loss(given, labels).total, outputs.requires_grad_())


def test_scores_are_scikit_learns_and_those_of_parts_added_up():
    outputs, labels = drawn()
    answers = TARGET.answers(outputs)
    expected = {
        "micro_f1": pytest.approx(f1_score(labels, answers, average="micro")),
        "macro_f1": pytest.approx(f1_score(labels, answers, average="macro")),
        "exact_match": pytest.approx(accuracy_score(labels, answers)),
    }
    assert TARGET.scores(TARGET.tally(outputs, labels)) == expected
    parts = [TARGET.tally(outputs[rows], labels[rows]) for rows in torch.arange(150).split(11)]
    assert TARGET.scores(torch.stack(parts).sum(0)) == expected


def test_answers_in_words():
    assert TARGET.entry([0.7, 0.2, 0.51], 2) == {
        "classes": ["red", "small"], "probabilities": {"red": 0.7, "round": 0.2, "small": 0.51},
    }  # fmt: skip
    assert TARGET.row([0.7, 0.2, 0.51], 1)["classes"] == "red|small"
    assert TARGET.row([0.1, 0.2, 0.3], 1)["classes"] == ""


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1]), r"shape \(N, 3\), got \(2,\)"),
        (torch.tensor([[0, 1, 2], [0, 0, 0]]), "0 and 1, got .0, 1, 2. at sequence 0"),
        (torch.zeros(3, 3), "2 sequences and 3 labels"),
        (torch.tensor([[0.0, 1.0, torch.nan]] * 2), "finite labels"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(InputError, match=message):
        TARGET.check(labels, torch.ones(2), "set")


def test_weights_of_classes_are_refused():
    with pytest.raises(InputError, match="to balance by class_weights, got any of 3 classes"):
        TARGET.balanced(drawn()[1], "set")


def test_a_class_that_is_tested_and_never_learned():
    train, test = torch.tensor([[1, 0, 0], [0, 1, 0]]), torch.tensor([[1, 0, 1]])
    assert TARGET.absent(train, test) == "small"
    assert TARGET.absent(train, train) is None
