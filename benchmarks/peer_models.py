"""The models of `peers.py`: ours and what somebody would take instead, each as `fit(X, y)` and `predict(X)`.

X is (N, T, C) float32 or N of (T_i, C), y (N,) of 0, 1, ...; no model is tuned to a set. What reads no sequences of
unequal lengths pads them with zeros to the longest of the training set, and cuts longer ones off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from peer_data import Array, Sequences
from torch import Tensor, nn

import auxrnn
from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets.moments import channel_moments
from auxrnn.verdict.floors.features import WindowStatistics
from auxrnn.verdict.floors.linear import LinearModel

STEPS = 1_200
"""Of an optimiser, for the plain networks: as many as our recipe makes at least."""

BATCH = 16
HIDDEN = 64  # as in our recipe
PUSH = 256  # steps that a stream is given at a time


class Model(Protocol):
    """settings: what is worth recording of a fitted model."""

    settings: dict[str, Any]

    def fit(self, X: Sequences, y: Array) -> None: ...

    def predict(self, X: Sequences) -> Array: ...

    def answer(self, sequence: Array) -> Any:
        """The answer on one sequence (T, C), in the way that takes the least memory."""


class Ours:
    """All settings at their defaults."""

    def __init__(self, seed: int, seconds: float | None) -> None:
        shortest = {"max_epochs": 1, "candidates": 1} if seconds is None else {}
        self.model = auxrnn.LongSequenceClassifier(random_state=seed, **shortest)
        self.settings: dict[str, Any] = {}

    def fit(self, X: Sequences, y: Array) -> None:
        self.model.fit(X, y)
        self.settings = {"chosen": self.model.tried_}

    def predict(self, X: Sequences) -> Array:
        return np.asarray(self.model.predict(X))

    def answer(self, sequence: Array) -> Any:
        """Streamed, PUSH steps at a time."""
        stream = self.model.stream()
        for start in range(0, len(sequence), PUSH):
            found = stream.push(sequence[start : start + PUSH])
        return self.model.classes_[found.argmax()]


class Aeon:
    """A classifier of aeon's, which takes (N, C, T): X is that here, or N of (T_i, C)."""

    def __init__(self, name: str, seed: int) -> None:
        from aeon.classification import convolution_based

        self.model = getattr(convolution_based, name)(random_state=seed, n_jobs=1)
        self.settings: dict[str, Any] = {}
        self._steps = 0

    def fit(self, X: Sequences, y: Array) -> None:
        self._steps = 0 if isinstance(X, np.ndarray) else max(len(sequence) for sequence in X)
        self.model.fit(self._padded(X), y)

    def predict(self, X: Sequences) -> Array:
        return np.asarray(self.model.predict(self._padded(X)))

    def answer(self, sequence: Array) -> Any:
        return self.predict(sequence[None] if self._steps == 0 else [sequence])[0]

    def _padded(self, X: Sequences) -> Array:
        if isinstance(X, np.ndarray):
            return X
        found = np.zeros((len(X), X[0].shape[1], self._steps), np.float32)
        for row, sequence in zip(found, X, strict=True):
            row[:, : len(sequence)] = sequence[: self._steps].T
        return found


class Linear:
    """Ridge regression on statistics of 1, 4 and 16 windows: one of our floors."""

    def __init__(self, seed: int, seconds: float | None) -> None:
        self._seed = seed
        self.settings: dict[str, Any] = {}

    def fit(self, X: Sequences, y: Array) -> None:
        data = _as_data(X, y)
        self._features = WindowStatistics(data, self._seed)
        self._model = LinearModel(self._features.of(data), data.target.codes(torch.from_numpy(y)))

    def predict(self, X: Sequences) -> Array:
        return self._model.outputs(self._features.of(_as_data(X))).argmax(1).numpy()

    def answer(self, sequence: Array) -> Any:
        return self.predict(sequence[None])[0]


def _as_data(X: Sequences, y: Array | None = None) -> SequenceData:
    inputs = torch.from_numpy(X) if isinstance(X, np.ndarray) else [torch.from_numpy(sequence) for sequence in X]
    labels = None if y is None else torch.from_numpy(y)
    classes = ("0", "1") if y is None else tuple(map(str, range(int(y.max()) + 1)))
    return SequenceData("X", InputSpec("values", X[0].shape[1]), inputs, labels, classes)


class Majority:
    def __init__(self, seed: int, seconds: float | None) -> None:
        self.settings: dict[str, Any] = {}

    def fit(self, X: Sequences, y: Array) -> None:
        self._class = np.bincount(y).argmax()

    def predict(self, X: Sequences) -> Array:
        return np.full(len(X), self._class)

    def answer(self, sequence: Array) -> Any:
        return self._class


class LastState(nn.Module):
    """An LSTM with full back-propagation, read at the end of each sequence."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.core, self.head = nn.LSTM(channels, HIDDEN, batch_first=True), nn.Linear(HIDDEN, classes)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        outputs, _ = self.core(inputs)  # (B, T, H)
        return self.head(outputs[torch.arange(len(lengths)), lengths - 1])


class StridedConvolutions(nn.Module):
    """Three convolutions of stride 4, 2 and 2 with batch norm; mean and greatest value of each feature over the steps.

    Kernels of 8, 5 and 3 and the widths are those of the FCN of Wang, Yan and Oates (2017), halved.
    """

    STRIDES = (4, 2, 2)

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        widths = (channels, 64, 128, 64)
        layers: list[nn.Module] = []
        for place, (kernel, stride) in enumerate(zip((8, 5, 3), self.STRIDES, strict=True)):
            own = nn.Conv1d(widths[place], widths[place + 1], kernel, stride, padding=kernel // 2)
            layers += [own, nn.BatchNorm1d(widths[place + 1]), nn.ReLU()]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(2 * widths[-1], classes)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        features = self.body(inputs.transpose(1, 2))  # (B, 64, S)
        kept = torch.ceil(lengths / np.prod(self.STRIDES)).clamp(max=features.shape[2])
        there = torch.arange(features.shape[2]) < kept[:, None]
        features = features * there[:, None]  # none is below 0
        return self.head(torch.cat([features.sum(2) / kept[:, None], features.amax(2)], 1))


class PlainLoop:
    """A network of torch's in a plain loop: AdamW, 1e-3 falling to 0 by a cosine, STEPS batches of BATCH at random.

    seconds: of the CPU, that training may take; fewer steps are made where STEPS would take longer. None: two steps.
    """

    LEAST = 20

    def __init__(self, make: Callable[[int, int], nn.Module], seed: int, seconds: float | None) -> None:
        self._make, self._seed, self._seconds = make, seed, seconds
        self.settings: dict[str, Any] = {}

    def fit(self, X: Sequences, y: Array) -> None:
        torch.manual_seed(self._seed)
        draw = np.random.default_rng(self._seed)
        self._mean, self._scale = (np.float32(found) for found in channel_moments(lambda: iter(X), "X"))
        network = self._network = self._make(X[0].shape[1], int(y.max()) + 1).train()
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
        labels, began, step = torch.from_numpy(y), time.process_time(), 0
        steps = 2 if self._seconds is None else STEPS
        while step < steps:
            rows = draw.choice(len(X), min(BATCH, len(X)), replace=False)
            for group in optimizer.param_groups:
                group["lr"] = 0.5e-3 * (1 + np.cos(np.pi * step / steps))
            loss = nn.functional.cross_entropy(network(*self._batch(X, rows)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            step += 1
            if step == self.LEAST and self._seconds is not None:  # what a step takes is known by now
                steps = min(STEPS, int(self._seconds / (time.process_time() - began) * step))
        self.settings = {"steps": step}

    @torch.no_grad()
    def predict(self, X: Sequences) -> Array:
        self._network.eval()
        parts = np.array_split(np.arange(len(X)), -(-len(X) // BATCH))
        return np.concatenate([self._network(*self._batch(X, rows)).argmax(1).numpy() for rows in parts])

    def answer(self, sequence: Array) -> Any:
        return self.predict(sequence[None])[0]

    def _batch(self, X: Sequences, rows: Array) -> tuple[Tensor, Tensor]:
        """Inputs (B, T, C), standardised and padded with zeros, and lengths (B,)."""
        chosen = [torch.from_numpy((X[row] - self._mean) / self._scale) for row in rows]
        lengths = torch.tensor([len(sequence) for sequence in chosen])
        return nn.utils.rnn.pad_sequence(chosen, batch_first=True), lengths


MODELS: dict[str, Callable[[int, float | None], Model]] = {
    "auxrnn": Ours,
    "MiniRocket": lambda seed, seconds: Aeon("MiniRocketClassifier", seed),
    "MultiRocket-Hydra": lambda seed, seconds: Aeon("MultiRocketHydraClassifier", seed),
    "strided CNN": lambda seed, seconds: PlainLoop(StridedConvolutions, seed, seconds),
    "LSTM, full BPTT": lambda seed, seconds: PlainLoop(LastState, seed, seconds),
    "window statistics": Linear,
    "majority class": Majority,
}
"""Each from a seed and the CPU seconds that it may train; None: as short as can be, to see that it works."""

OF_AEON = ("MiniRocket", "MultiRocket-Hydra")
"""They are given sequences of one length as (N, C, T), as their users have them."""
