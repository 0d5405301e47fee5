"""Predicting a set gives what each sequence gives alone."""

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec, batches_by_length
from auxrnn.core.build import build_model
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassTarget
from auxrnn.use.inference import measure, predict_logits

LENGTHS = [7, 1, 12, 3, 7, 2, 9]


@pytest.fixture
def data():
    return SequenceData("some", InputSpec("values", 2), [torch.randn(length, 2) for length in LENGTHS])


@pytest.fixture
def network():
    return build_model(ModelConfig(model="rp-lstm", bptt=3, hidden_size=6, segment_length=4), InputSpec("values", 2), 3)


@pytest.mark.parametrize("batch_size", [1, 3, 256])
def test_logits_of_unequal_lengths_are_those_of_each_alone_in_their_order(network, data, batch_size):
    found = predict_logits(network, data, batch_size)
    network.eval()
    with torch.no_grad():
        alone = torch.cat([network(data.batch([index])) for index in range(len(data))])
    torch.testing.assert_close(found, alone)
    assert not torch.allclose(found[0], found[1])  # else the order would prove nothing


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_and_dropout_is_off(network, data, training):
    network.train(training)
    assert torch.equal(predict_logits(network, data), predict_logits(network, data))
    assert network.training is training
    assert network.supervised.training is training


def test_the_mode_is_restored_after_an_error(network, data):
    network.train()
    wrong = SequenceData("wrong", InputSpec("values", 3), [torch.zeros(2, 3)])
    with pytest.raises((ValueError, RuntimeError)):
        predict_logits(network, wrong)
    assert network.training


def test_no_graph_is_kept(network, data):
    assert not predict_logits(network, data).requires_grad


def test_batches_hold_every_sequence_once_and_neighbours_in_length():
    lengths = torch.tensor(LENGTHS)
    batches = batches_by_length(lengths, 3)
    assert sorted(torch.cat(batches).tolist()) == list(range(len(LENGTHS)))
    assert lengths[torch.cat(batches)].tolist() == sorted(LENGTHS)
    assert [len(batch) for batch in batches] == [3, 3, 1]
    few = batches_by_length(lengths, 3, most_steps=2 * max(LENGTHS))
    assert torch.equal(torch.cat(few), torch.cat(batches))
    assert all(len(batch) == 1 or len(batch) * int(lengths[batch].max()) <= 2 * max(LENGTHS) for batch in few)
    assert len(few) > len(batches)


@pytest.mark.parametrize("batch_size", [2, 256])
def test_measures_are_torchs_and_scikit_learns(network, data, batch_size):
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    labelled = replace(data, labels=labels, classes=("a", "b", "c"), target=ClassTarget(("a", "b", "c")))
    loss, scores, tallies = measure(network, labelled, batch_size)
    logits = predict_logits(network, data)
    assert loss == pytest.approx(float(functional.cross_entropy(logits, labels)), rel=1e-5)
    answers = logits.argmax(1)
    assert scores == {
        "accuracy": pytest.approx(accuracy_score(labels, answers)),
        "macro_f1": pytest.approx(f1_score(labels, answers, average="macro")),
    }
    answered = torch.cat([functional.one_hot(answers, 3), functional.one_hot(labels, 3)], 1)
    assert torch.equal(tallies[:, [3, 4, 5, 0, 1, 2]].long(), answered)
    assert torch.equal(tallies[:, 6:].sum(1) > 0, labels == answers)
