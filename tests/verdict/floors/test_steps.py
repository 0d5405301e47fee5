"""Features of a step against plain slices; nothing after a step is seen."""

import numpy as np
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.verdict.floors.steps import CHARACTER_LAGS, LAGS, WINDOW, step_features

SPEC = InputSpec("values", 2)


def sequence(steps=80, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(1000, 1, (steps, 2)))


def test_lags_mean_and_deviation_are_those_of_the_slices():
    steps = sequence()
    places = np.array([0, 3, 40, 79])
    found = step_features(steps, places, SPEC)
    numbers = steps.numpy()
    for row, place in enumerate(places):
        lags = [numbers[place - lag] if place >= lag else np.zeros(2) for lag in range(LAGS)]
        window = numbers[max(0, place + 1 - WINDOW) : place + 1]
        expected = np.concatenate([*lags, window.mean(0), window.std(0)])
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_what_comes_after_a_step_changes_nothing():
    steps = sequence()
    changed = steps.clone()
    changed[50:] = 0
    places = np.arange(50)
    np.testing.assert_allclose(step_features(steps, places, SPEC), step_features(changed, places, SPEC), atol=1e-6)


def test_characters_are_one_of_many_at_each_lag():
    found = step_features(torch.tensor([3, 1, 2], dtype=torch.uint8), np.arange(3), InputSpec("characters", 5))
    assert found.shape == (3, CHARACTER_LAGS * 5)
    assert [np.flatnonzero(row).tolist() for row in found] == [[3], [1, 5 + 3], [2, 5 + 1, 10 + 3]]
