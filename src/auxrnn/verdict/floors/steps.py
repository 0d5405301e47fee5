"""What a floor knows of a step: the step itself and a short stretch before it. For a label a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.batch import InputSpec

Array = npt.NDArray[Any]

LAGS = 8
"""Steps that are seen as they are, the last of them the step itself."""

WINDOW = 32
"""Steps whose mean and deviation are seen."""

CHARACTER_LAGS = 4
MOST_CODES = 256
"""Characters that are told apart; others share their codes."""


def step_features(sequence: torch.Tensor, places: Array, spec: InputSpec) -> Array:
    """Features (P, F) float64 of the steps at `places` of one sequence, of nothing after them.

    Numbers: LAGS steps, zero before the beginning, and mean and deviation of the last WINDOW. Characters: the last
    CHARACTER_LAGS, one of MOST_CODES each.
    """
    if spec.kind == "characters":
        return _characters(sequence, places, min(spec.size, MOST_CODES))
    numbers = sequence.double().numpy()
    back = places[:, None] - np.arange(LAGS)
    seen = np.where((back >= 0)[:, :, None], numbers[np.maximum(back, 0)], 0.0)
    middle = numbers.mean(0)
    mean = _window_means(numbers - middle, places)
    squares = _window_means((numbers - middle) ** 2, places)
    deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
    return np.concatenate([seen.reshape(len(places), LAGS * spec.size), mean + middle, deviation], axis=1)


def _window_means(numbers: Array, places: Array) -> Array:
    sums = np.concatenate([np.zeros((1, numbers.shape[1])), np.cumsum(numbers, axis=0)])
    first = np.maximum(places + 1 - WINDOW, 0)
    return (sums[places + 1] - sums[first]) / (places + 1 - first)[:, None]


def _characters(sequence: torch.Tensor, places: Array, codes: int) -> Array:
    numbers = sequence.long().numpy() % codes
    back = places[:, None] - np.arange(CHARACTER_LAGS)
    seen = np.zeros((len(places), CHARACTER_LAGS, codes))
    rows, lags = np.nonzero(back >= 0)
    seen[rows, lags, numbers[back[rows, lags]]] = 1.0
    return seen.reshape(len(places), CHARACTER_LAGS * codes)
