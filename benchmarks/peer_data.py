"""The data sets of `peers.py`: those that aeon ships, raw spoken digits, and noise in which one short event decides.

Letters: N sequences, T steps, C channels.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Sequences = Array | list[Array]
"""(N, T, C) float32, or N of (T_i, C)."""

UCR = (
    "GunPoint",
    "ItalyPowerDemand",
    "ArrowHead",
    "OSULeaf",
    "ACSF1",
    "BasicMotions",
    "JapaneseVowels",
    "PickupGestureWiimoteZ",
    "Covid3Month_disc",
    "UnitTest",
)
"""Every set for classification inside aeon's package, with its own split."""

FSDD_TEST = range(5)  # of each digit and speaker: the usual test split
EVENT = 150  # steps
CHANNELS = CLASSES = 3
PERIODS = (50, 25, 15)  # steps; of the burst


@dataclass(frozen=True)
class Split:
    """Sequences and labels 0, 1, ... to train and to test."""

    X: Sequences
    y: Array
    X_test: Sequences
    y_test: Array

    def channels_first(self) -> Split:
        """With sequences of one length as (N, C, T)."""
        X, X_test = (
            np.ascontiguousarray(X.swapaxes(1, 2)) if isinstance(X, np.ndarray) else X for X in (self.X, self.X_test)
        )
        return Split(X, self.y, X_test, self.y_test)

    def facts(self) -> dict[str, Any]:
        lengths = [len(sequence) for sequence in self.X]
        return {
            "train": len(self.y),
            "test": len(self.y_test),
            "classes": int(max(self.y.max(), self.y_test.max())) + 1,
            "channels": self.X[0].shape[1],
            "steps": [min(lengths), int(np.median(lengths)), max(lengths)],
            "mib": round(sum(sequence.nbytes for sequence in self.X) / 2**20, 1),
        }


@dataclass(frozen=True)
class Sensors:
    """Noise of deviation 1, (N, T, 3); an event of 150 steps says which of three classes a sequence is of.

    kind: "burst", an oscillation on all channels at random phases whose period, 50, 25 or 15 steps, is the class; or
        "bump", on the channel that is the class. Both swell and fade (Hann's window).
    amplitude: greatest height of the event. first, last: steps between which it lies whole.
    """

    kind: str = "burst"
    amplitude: float = 4.0
    first: int = 200
    last: int = 900
    steps: int = 5_000
    train: int = 240
    test: int = 60

    def make(self, seed: int) -> Split:
        draw = np.random.default_rng(seed)
        number = self.train + self.test
        X = draw.standard_normal((number, self.steps, CHANNELS), dtype=np.float32)
        y = np.arange(number) % CLASSES
        swell = self.amplitude * np.hanning(EVENT)[:, None]
        for sequence, label in zip(X, y, strict=True):
            place = draw.integers(self.first, self.last - EVENT, endpoint=True)
            phases = draw.uniform(0, 2 * np.pi, CHANNELS)
            if self.kind == "burst":
                wave_of = np.sin(2 * np.pi * np.arange(EVENT)[:, None] / PERIODS[label] + phases)
            else:
                wave_of = np.eye(CHANNELS)[label]
            sequence[place : place + EVENT] += (swell * wave_of).astype(np.float32)
        return Split(X[: self.train], y[: self.train], X[self.train :], y[self.train :])


SENSORS: dict[str, Sensors] = {
    "sensors": Sensors(),
    "sensors, bump": Sensors(kind="bump"),
    "sensors, cue in the middle": Sensors(first=2_200, last=2_900),
    "sensors, cue anywhere": Sensors(first=0, last=5_000),
    "sensors, amplitude 3": Sensors(amplitude=3.0),
    "sensors, amplitude 2": Sensors(amplitude=2.0),
    "sensors, amplitude 1.5": Sensors(amplitude=1.5),
    "sensors, 1,024 steps": Sensors(steps=1_024),
    "sensors, 16,384 steps": Sensors(steps=16_384),
    "sensors, 65,536 steps": Sensors(steps=65_536),
    "sensors, 262,144 steps": Sensors(steps=262_144),
}
"""The first is the sensor job itself: of the two kinds the one that a linear model on window statistics cannot do. (A
bump shows in the greatest value of its channel; a burst leaves mean, deviation and extremes of each channel alike.)"""


def sets(fsdd: Path | None, *, aeon: bool, smoke: bool) -> dict[str, Callable[[int], Split]]:
    """What makes each set from a seed, by name; smoke: the sensor jobs at a size for tests, and nothing else."""
    found: dict[str, Callable[[int], Split]] = {}
    if smoke:
        return {name: _smaller(job).make for name, job in SENSORS.items()}
    if aeon:
        found |= {name: _Ucr(name) for name in UCR}
    found |= {name: job.make for name, job in SENSORS.items()}
    if fsdd is not None:
        found["spoken digits"] = _SpokenDigits(fsdd)
    return found


def _smaller(job: Sensors) -> Sensors:
    return replace(job, first=0, last=200, steps=job.steps // 1_000 + 200, train=24, test=9)


@dataclass(frozen=True)
class _Ucr:
    """A set of aeon's; without a seed, for its split is given."""

    name: str

    def __call__(self, seed: int) -> Split:
        from aeon.datasets import load_classification

        parts = [load_classification(self.name, split=part) for part in ("train", "test")]
        classes = sorted({label for _, labels in parts for label in labels})
        (X, y), (X_test, y_test) = ((_steps_first(own), _numbered(labels, classes)) for own, labels in parts)
        return Split(X, y, X_test, y_test)


def _steps_first(sequences: Any) -> Sequences:
    """(N, C, T), or N of (C, T_i), as (N, T, C) or N of (T_i, C)."""
    if isinstance(sequences, np.ndarray):
        return np.ascontiguousarray(sequences.swapaxes(1, 2), np.float32)
    return [np.ascontiguousarray(sequence.T, np.float32) for sequence in sequences]


def _numbered(labels: Any, classes: list[Any]) -> Array:
    return np.array([classes.index(label) for label in labels])


@dataclass(frozen=True)
class _SpokenDigits:
    """The Free Spoken Digit Dataset as raw samples, one a step; DIGIT_SPEAKER_INDEX.wav."""

    folder: Path

    def __call__(self, seed: int) -> Split:
        found: dict[bool, tuple[list[Array], list[int]]] = {False: ([], []), True: ([], [])}
        for path in sorted(self.folder.glob("*.wav")):
            digit, _, index = path.stem.split("_")
            with wave.open(str(path)) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            X, y = found[int(index) in FSDD_TEST]
            X.append((samples / 2**15).astype(np.float32)[:, None])
            y.append(int(digit))
        (X, y), (X_test, y_test) = found[False], found[True]
        return Split(X, np.array(y), X_test, np.array(y_test))
