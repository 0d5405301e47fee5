"""Features of whole sequences against plain loops."""

import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.vocabulary import encode, learn_characters, vocabulary_size
from auxrnn.verdict.floors import features as room
from auxrnn.verdict.floors.features import CharacterNgrams, UntrainedStates, WindowStatistics, Words, texts_of


def values(number=5, steps=40, channels=2, seed=0):
    inputs = torch.from_numpy(np.random.default_rng(seed).normal(size=(number, steps, channels)).astype(np.float32))
    return SequenceData("x", InputSpec("values", channels), inputs)


def texts(*said):
    characters = learn_characters(said)
    inputs = [torch.from_numpy(encode(text, characters)) for text in said]
    return SequenceData("x", InputSpec("characters", vocabulary_size(characters)), inputs, characters=characters)


def test_window_statistics_are_those_of_the_slices():
    data = values(steps=32)
    found = WindowStatistics(data, 0).of(data)
    assert found.shape == (5, 5 * 2 * (1 + 4 + 16) + 1)
    whole = data.inputs[0].double().numpy()
    np.testing.assert_allclose(found[0, :2], whole.mean(0))
    np.testing.assert_allclose(found[0, 2:4], whole.std(0))
    np.testing.assert_allclose(found[0, 6:8], whole.min(0))
    quarters = found[0, 10:18].reshape(4, 2)
    np.testing.assert_allclose(quarters, whole.reshape(4, 8, 2).mean(1))
    assert found[0, -1] == np.log(32)


@pytest.mark.parametrize(("channels", "windows"), [(1, 21), (9, 21), (10, 5), (41, 1)])
def test_many_channels_have_fewer_windows(channels, windows):
    data = values(number=2, steps=20, channels=channels)
    assert WindowStatistics(data, 0).of(data).shape[1] == 5 * channels * windows + 1
    assert 5 * channels * windows < room.MOST_FEATURES


def test_untrained_states_are_those_of_a_plain_loop(monkeypatch):
    monkeypatch.setattr(room, "UNITS", 5)
    monkeypatch.setattr(room, "ROWS", 2)
    data = values(number=3, steps=16, channels=1)
    network = UntrainedStates(data, 0)
    found = network.of(data)
    steps = data.inputs.double().numpy()  # 16 stretches of a step each: the mean is the step, no deviation
    jumps = np.abs(np.diff(steps, axis=1, prepend=steps[:, :1]))
    shown = (np.concatenate([steps, np.zeros_like(steps), jumps], axis=2) - network._mean) / network._scale
    for row in range(3):
        state, states = np.zeros(5), []
        for step in shown[row]:
            new = np.tanh(step @ network._input + state @ network._recurrent + network._bias)
            state = (1 - network._leak) * state + network._leak * new
            states.append(state)
        expected = np.concatenate([np.mean(states, 0), np.std(states, 0), state])
        np.testing.assert_allclose(found[row], expected, atol=1e-4)
    assert np.abs(np.linalg.eigvals(network._recurrent)).max() == pytest.approx(0.95, abs=1e-4)


def test_the_untrained_network_is_a_function_of_its_seed():
    data = values()
    first, same, other = (UntrainedStates(data, seed).of(data) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01


def test_a_long_sequence_is_read_in_few_steps(monkeypatch):
    """A network of a time constant of one step in a recurrence of 0 sees nothing but the last stretch at its end."""
    monkeypatch.setattr(room, "TOKENS", 16)
    data = values(number=2, steps=1600, channels=1)
    network = UntrainedStates(data, 0)
    network._recurrent[:] = 0
    network._leak[:] = 1
    last = data.inputs[:, 1500:].double()
    before = torch.cat([data.inputs[:, 1499:1500], data.inputs[:, 1500:]], dim=1).double()
    rough = before.diff(dim=1).square().mean(1).sqrt()
    shown = torch.cat([last.mean(1), last.std(1, correction=0), rough], dim=1).numpy()
    expected = np.tanh((shown - network._mean) / network._scale @ network._input + network._bias)
    np.testing.assert_allclose(network.of(data)[:, -room.UNITS :], expected, atol=1e-5)


def test_texts_are_read_back():
    data = texts("Hello, wörld", "a b")
    assert list(texts_of(data)) == ["Hello, wörld", "a b"]
    unknown = SequenceData("x", data.spec, [torch.tensor([0, 1])], characters=data.characters)
    assert list(texts_of(unknown)) == ["\ufffd "]


def test_the_beginning_of_a_long_text(monkeypatch):
    monkeypatch.setattr(room, "MOST_CHARACTERS", 3)
    assert list(texts_of(texts("abcdef"))) == ["abc"]


def test_words_are_weighted_as_scikit_learn_s_smoothed_tf_idf():
    """ln((1 + n) / (1 + df)) + 1, rows of length 1, for words that come once each."""
    data = texts("good day", "bad day")
    found = Words(data, 0).of(data).toarray()
    rare, common = np.log(3 / 2) + 1, 1.0
    length = np.hypot(rare, common)
    assert sorted(found[0][found[0] > 0]) == pytest.approx(sorted([rare / length, common / length]))


def test_ngrams_are_counted_in_lower_case():
    data = texts("abab", "ABAB", "cccc")
    counts = CharacterNgrams(data, 0)._counts(data).toarray()
    np.testing.assert_array_equal(counts[0], counts[1])
    assert counts[0].sum() == 4 + 3 + 2 + 1
    assert sorted(counts[0][counts[0] > 0]) == [1, 1, 1, 1, 2, 2, 2]  # abab aba bab ba | a b ab
    assert sorted(counts[2][counts[2] > 0]) == [1, 2, 3, 4]


def test_a_text_of_one_character_has_an_ngram():
    data = texts("a", "b")
    assert CharacterNgrams(data, 0).of(data).toarray().sum(1).tolist() == [1, 1]
