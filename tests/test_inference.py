"""Predicting a set gives what each sequence gives alone."""

import pytest
import torch
from sklearn.metrics import f1_score

from auxrnn.batch import InputSpec
from auxrnn.build import build_model
from auxrnn.config import ModelConfig
from auxrnn.data.dataset import SequenceData
from auxrnn.inference import accuracy, batches_by_length, macro_f1, predict_logits

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


def test_accuracy():
    logits = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0], [0.0, 1.0]])
    assert accuracy(logits, torch.tensor([1, 0, 0, 1])) == 0.75


def test_macro_f1_is_scikit_learns():
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 4, (200,), generator=torch.Generator().manual_seed(1))  # class 4 is answered, never right
    oracle = f1_score(labels.numpy(), logits.argmax(1).numpy(), average="macro")
    assert macro_f1(logits, labels) == pytest.approx(oracle)
    assert macro_f1(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0])) == 1.0
