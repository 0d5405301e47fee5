"""A class for every step: losses and scores over labelled steps are torch's and scikit-learn's own."""

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.targets import TagsTarget

TARGET = TagsTarget(("on", "off", "idle"))


def drawn():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(5, 20, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(-1, 3, (5, 20), generator=generator)
    return outputs, labels, labels != -1


def test_loss_is_the_mean_cross_entropy_of_labelled_steps():
    outputs, labels, there = drawn()
    found = TARGET.loss(outputs, labels)
    assert float(found.mean) == pytest.approx(float(functional.cross_entropy(outputs[there], labels[there])))
    assert found.count == int(there.sum())
    weights = torch.rand(5, 20, dtype=torch.float64)
    each = functional.cross_entropy(outputs[there], labels[there], reduction="none") * weights[there]
    assert float(TARGET.loss(outputs, labels, weights).total) == pytest.approx(float(each.sum()))


def test_what_stands_at_unlabelled_steps_changes_nothing():
    outputs, labels, there = drawn()
    other = outputs.masked_fill(~there.unsqueeze(-1), torch.nan)
    assert torch.equal(TARGET.loss(outputs, labels).total, TARGET.loss(other, labels).total)
    assert torch.equal(TARGET.tally(outputs, labels), TARGET.tally(other, labels))


def test_no_labelled_step_is_a_loss_of_zero_with_a_gradient():
    outputs = torch.randn(2, 3, 3, requires_grad=True)
    found = TARGET.loss(outputs, torch.full((2, 3), -1))
    found.mean.backward()
    assert (float(found.total.detach()), found.count) == (0.0, 0)
    assert torch.equal(outputs.grad, torch.zeros(2, 3, 3))


def test_scores_are_scikit_learns():
    outputs, labels, there = drawn()
    answers = outputs.argmax(-1)[there]
    assert TARGET.scores(TARGET.tally(outputs, labels)) == {
        "step_accuracy": pytest.approx(accuracy_score(labels[there], answers)),
        "macro_f1": pytest.approx(f1_score(labels[there], answers, average="macro")),
    }


def test_labels_of_unequal_lengths():
    lengths = torch.tensor([2, 3])
    labels = [torch.tensor([0, -1]), torch.tensor([2, 2, 0])]
    TARGET.check(labels, lengths, "set")
    assert TARGET.labelled(labels) == 4
    assert TARGET.balanced(labels, "set").tolist() == [1.0, 4.0 / 2, 1.0]  # 4 labels, 2 classes that occur
    assert TARGET.absent(labels[:1], labels) == "idle"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([torch.tensor([0, 1])], "1 labels"),
        ([torch.tensor([0, 1]), torch.tensor([0, 1])], r"sequence 1: expected a tag for each of its 3 steps.*\(2,\)"),
        (
            [torch.tensor([0, 3]), torch.tensor([0, 1, 1])],
            "sequence 0: expected tags from 0 to 2, or -1 for none, got 3",
        ),
        ([torch.tensor([0, -2]), torch.tensor([0, 1, 1])], "got -2"),
        ([torch.tensor([0.0, 1.0]), torch.tensor([0, 1, 1])], "torch.float32"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(InputError, match=message):
        TARGET.check(labels, torch.tensor([2, 3]), "set")
