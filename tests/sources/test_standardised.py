"""Large values are standardised when they are asked for, as small ones at once."""

import numpy as np
import pytest
import torch

from auxrnn import LongSequenceClassifier
from auxrnn.errors import InputError
from auxrnn.sources import preprocessing as room
from auxrnn.sources.preprocessing import Preprocessing, StandardisedSequences, read_sequences


@pytest.fixture
def nothing_is_small(monkeypatch):
    monkeypatch.setattr(room, "LARGE", 0)


@pytest.mark.parametrize("form", ["array", "list"])
def test_equals_what_is_standardised_at_once(nothing_is_small, monkeypatch, form):
    draw = np.random.default_rng(0)
    X = draw.normal(5, 3, (6, 40, 2)) if form == "array" else [draw.normal(5, 3, (n, 2)) for n in (3, 50, 7)]
    raw = read_sequences(X)
    learned = Preprocessing.learn(raw)
    expected = list(learned.apply(raw))
    monkeypatch.setattr(room, "PIECE", 8)  # in pieces of 4 steps
    found = learned.prepared(raw)
    assert isinstance(found, StandardisedSequences)
    assert found.lengths.tolist() == [len(item) for item in expected]
    assert all(map(torch.equal, found, expected))
    assert torch.equal(found.subset(torch.tensor([2, 0]))[1], expected[0])


def test_parts_of_a_large_array_share_its_memory(nothing_is_small):
    raw = read_sequences(np.random.default_rng(0).standard_normal((4, 9, 1)))
    part = raw.subset(torch.tensor([3, 1]))
    assert np.shares_memory(part.items[0], raw.items)
    assert np.array_equal(part.items[0], raw.items[3])


def test_what_becomes_too_large_is_refused_before_it_is_read(nothing_is_small):
    learned = Preprocessing("values", 1, (0.0,), (1e-30,))
    with pytest.raises(InputError, match="X, sequence 1: expected finite values near those of training"):
        learned.prepared(read_sequences([np.ones((3, 1)), np.array([[1.0], [1e20], [0.0]])]))


def test_a_part_is_that_part_of_the_whole(nothing_is_small):
    raw = read_sequences([np.random.default_rng(0).normal(5, 3, (n, 2)) for n in (50, 7)])
    found = Preprocessing.learn(raw).prepared(raw)
    assert found.has_parts
    assert torch.equal(found.part(0, 3, 20), found[0][3:20])


def test_an_estimator_copies_no_large_array_to_predict(nothing_is_small, monkeypatch):
    X = np.random.default_rng(0).normal(5, 3, (8, 40, 1)).astype(np.float32)
    model = LongSequenceClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, np.arange(8) % 2)
    assert isinstance(model._read(X).inputs, StandardisedSequences)
    lazily = model.predict_proba(X)
    monkeypatch.setattr(room, "LARGE", 2**24)
    assert isinstance(model._read(X).inputs, torch.Tensor)
    np.testing.assert_array_equal(lazily, model.predict_proba(X))
