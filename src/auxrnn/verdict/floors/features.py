"""What a floor knows of a sequence as a whole: statistics of its stretches, of the states of an untrained network.

Each is made with what it learns of the training sequences, without their labels, and gives a row of features a
sequence, (N, F) float64 or sparse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.sources.dataset import SequenceData
from auxrnn.verdict.floors.stretches import MOST_CHANNELS, Stretches, read_stretches

Array = npt.NDArray[Any]

MOST_FEATURES = 1024
WINDOWS = (1, 4, 16)
"""Equal stretches whose statistics are taken; the finer ones only where that makes no more than MOST_FEATURES."""

TOKENS = 256
"""Steps that the untrained network reads at most: a longer sequence is cut into stretches, each of them one step."""

UNITS = 96
"""Of the untrained network."""

ROWS = 256
"""Sequences that it reads side by side."""

MOST_CHARACTERS = 1_000
"""Of a text that are read, from its beginning."""

LONGEST_NGRAM = 4
NGRAM_BITS = 18
NGRAMS = 2**NGRAM_BITS
"""Places of n-grams of characters; some share one."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)


class Features(Protocol):
    """Gives features of sequences like those that it was made with."""

    def of(self, data: SequenceData) -> Any: ...


class WindowStatistics:
    """Mean, deviation, least, greatest and roughness of the whole sequence and of equal stretches, and its length."""

    def __init__(self, train: SequenceData, seed: int) -> None:
        channels = min(train.spec.size, MOST_CHANNELS)
        fits = [
            number for number in range(1, len(WINDOWS)) if 5 * channels * sum(WINDOWS[: number + 1]) < MOST_FEATURES
        ]
        self._windows = WINDOWS[: max([0, *fits]) + 1]

    def of(self, data: SequenceData) -> Array:
        return np.concatenate([self._row(batch) for batch in read_stretches(data, self._windows[-1])])

    def _row(self, batch: Stretches) -> Array:
        levels = [batch.merged(number) for number in self._windows]
        found = [
            part.reshape(len(part), -1)
            for level in levels
            for part in (level.mean, level.deviation, level.roughness, level.least, level.greatest)
        ]
        return np.concatenate([*found, np.log(batch.steps)[:, None]], axis=1)


class UntrainedStates:
    """Mean, deviation and last of the states of a recurrent network with random weights (an echo-state network).

    Leaky tanh units with time constants of 1 to 128 steps, recurrent weights of spectral radius 0.95 (Jaeger 2001).
    """

    def __init__(self, train: SequenceData, seed: int) -> None:
        median = int(train.lengths.median())
        self._tokens = 16 * min(max(median // 16, 1), TOKENS // 16)
        first = self._read(next(read_stretches(train, self._tokens))).reshape(
            -1, 3 * min(train.spec.size, MOST_CHANNELS)
        )
        self._mean = first.mean(0)
        deviation = first.std(0)
        self._scale = np.where(deviation > 1e-9, deviation, 1.0)
        draw = np.random.default_rng([seed, 1])
        size = len(self._mean)
        self._input = (draw.normal(size=(size, UNITS)) / np.sqrt(size)).astype(np.float32)
        self._bias = draw.normal(size=UNITS).astype(np.float32) * np.float32(0.2)
        recurrent = draw.normal(size=(UNITS, UNITS))
        recurrent *= 0.95 / np.abs(np.linalg.eigvals(recurrent)).max()
        self._recurrent = recurrent.astype(np.float32)
        self._leak = np.geomspace(1.0, 1 / 128, UNITS).astype(np.float32)

    def of(self, data: SequenceData) -> Array:
        found = []
        for batch in read_stretches(data, self._tokens):
            steps = ((self._read(batch) - self._mean) / self._scale).astype(np.float32)
            found += [self._states(steps[start : start + ROWS]) for start in range(0, len(steps), ROWS)]
        return np.concatenate(found)

    def _read(self, batch: Stretches) -> Array:
        """(B, S, 3 C): what the network is shown of each stretch."""
        return np.concatenate([batch.mean, batch.deviation, batch.roughness], axis=2)

    def _states(self, steps: Array) -> Array:
        """Steps (B, S, 3 C) -> features (B, 3 UNITS)."""
        state, total, squares = np.zeros((3, len(steps), UNITS), np.float32)
        for step in np.ascontiguousarray(steps.swapaxes(0, 1)):
            change = step @ self._input
            change += state @ self._recurrent
            change += self._bias
            np.tanh(change, out=change)
            change -= state
            change *= self._leak
            state += change
            total += state
            squares += np.square(state, out=change)
        mean = total / steps.shape[1]
        deviation = np.sqrt(np.maximum(squares / steps.shape[1] - mean**2, 0.0))
        return np.concatenate([mean, deviation, state], axis=1).astype(np.float64)


class CharacterNgrams:
    """TF-IDF of one to LONGEST_NGRAM characters in a row, counted by their hash, in lower case."""

    def __init__(self, train: SequenceData, seed: int) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer

        self._weights = TfidfTransformer(sublinear_tf=True)
        self._weights.fit(self._counts(train))

    def of(self, data: SequenceData) -> Any:
        return self._weights.transform(self._counts(data))

    def _counts(self, data: SequenceData) -> Any:
        """How often each n-gram occurs, (N, NGRAMS) sparse; scikit-learn's vectorizer takes some 50 times as long."""
        from scipy.sparse import csr_array

        places = [_hashes(text) for text in texts_of(data)]
        ends = np.cumsum([0, *map(len, places)])
        counts = csr_array((np.ones(ends[-1]), np.concatenate(places), ends), shape=(len(data), NGRAMS))
        counts.sum_duplicates()
        return counts


class Words:
    """TF-IDF of words: whatever stands between blanks."""

    def __init__(self, train: SequenceData, seed: int) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._weights = TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True)
        self._weights.fit(texts_of(train))

    def of(self, data: SequenceData) -> Any:
        return self._weights.transform(texts_of(data))


def _hashes(text: str) -> Array:
    """The places of all n-grams of a text among NGRAMS, int32."""
    codes = np.frombuffer(text.lower().encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    hashes, found = np.zeros(len(codes), np.uint64), []
    for length in range(min(LONGEST_NGRAM, len(codes))):
        hashes = hashes[: len(codes) - length] * _FACTOR + codes[length:] + np.uint64(1)
        mixed = hashes * _FACTOR  # its upper bits depend on all of the lower
        found.append((mixed >> np.uint64(64 - NGRAM_BITS)).astype(np.int32))
    return np.concatenate(found)


def texts_of(data: SequenceData) -> Iterator[str]:
    """The beginnings of texts as characters; one that the set does not know is U+FFFD."""
    known = data.characters or "".join(chr(0x4E00 + number) for number in range(1, data.spec.size))
    alphabet = np.array([0xFFFD, *map(ord, known)], dtype="<u4")
    for sequence in data.inputs:
        places = torch.as_tensor(sequence)[:MOST_CHARACTERS].long().numpy()
        yield alphabet[places].tobytes().decode("utf-32-le", "surrogatepass")
