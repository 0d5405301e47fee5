"""The loss of the labels against an obvious loop, and the paths of its gradient."""

import pytest
import torch
from torch.nn import functional

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.objectives import label_loss
from oracles import assert_same, gradients, slow_window
from slow_losses import CLASSES, LENGTHS, assert_equal_to_slow, make_batch, make_encoder, supervised, token_loss, walk


@pytest.mark.parametrize("bptt", [0, 1, 5, 100, None])
def test_supervised_equals_the_slow_loop(bptt: int | None) -> None:
    core, batch = make_encoder(), make_batch()
    objective = supervised(core, bptt)
    found, _ = walk(objective, core, batch)
    assert batch.labels is not None
    total, correct = torch.zeros((), dtype=torch.float64), 0
    for sequence, length, label in zip(batch.inputs, LENGTHS, batch.labels.tolist(), strict=True):
        back = length if bptt is None else min(max(bptt, 1), length)
        outputs, _ = slow_window(core, sequence, length - back, length)
        assert outputs is not None
        logits = objective.head(outputs[-1].detach() if bptt == 0 else outputs[-1])  # each sequence's own last step
        total = total + token_loss(logits, torch.tensor(label), CLASSES)
        correct += int(logits.argmax()) == label
    assert_equal_to_slow(found, (total, len(LENGTHS)), core, objective, batch)
    assert found.tally[2 * CLASSES :].sum() == correct


@pytest.mark.parametrize("bptt", [0, 1, 5, 100, None])
def test_supervised_gradient_reaches_the_last_steps_alone(bptt: int | None) -> None:
    core, batch = make_encoder(), make_batch()
    objective = supervised(core, bptt)
    loss, _ = walk(objective, core, batch)
    (back,) = gradients(loss.mean, [batch.inputs])
    for b, length in enumerate(LENGTHS):
        first = 0 if bptt is None else max(length - bptt, 0)
        assert back[b].any(-1).nonzero().flatten().tolist() == list(range(first, length))
    assert all(gradient.any() for gradient in gradients(loss.mean, objective.head.parameters()))
    if bptt == 0:
        assert not any(gradient.any() for gradient in gradients(loss.mean, core.parameters()))


def test_supervised_needs_labels() -> None:
    core, batch = make_encoder(), make_batch()
    with pytest.raises(ValueError, match="batch with labels"):
        walk(supervised(core, 3), core, SequenceBatch(batch.inputs, batch.lengths))


def test_weighted_labels_are_torchs_own():
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0, 0])
    batch = SequenceBatch(torch.zeros(6, 1, 1), torch.ones(6, dtype=torch.int64), labels)
    weights = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
    oracle = functional.cross_entropy(logits, labels, weights, reduction="sum")
    weighted = label_loss(logits, SequenceBatch(batch.inputs, batch.lengths, labels, weights[labels]))
    assert_same([weighted.total], [oracle])
    assert weighted.count == 6
    assert_same([label_loss(logits, batch).total], [functional.cross_entropy(logits, labels, reduction="sum")])
    assert weighted.tally[6:].sum() == (logits.argmax(1) == labels).sum()
    with pytest.raises(ValueError, match="a batch with labels"):
        label_loss(logits, SequenceBatch(batch.inputs, batch.lengths))
