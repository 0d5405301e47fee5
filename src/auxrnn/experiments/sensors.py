"""Recordings made for the demonstration: one short event early in long noise decides the class.

The event is a full period of a sine on all channels: up and then down in one class, down and then up in the other. One
is the other backwards, so mean, energy, extremes and sizes of steps are the same in both, over any stretch that holds
the event; only the order in time tells them apart.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CLASSES = ("up-down", "down-up")


@dataclass(frozen=True)
class SensorTask:
    """What is made: so many recordings to train and to test, of so many steps and channels, in noise of deviation 1.

    event: steps of the event. first, last: steps between which it lies whole. amplitude: its height.
    """

    train: int = 240
    test: int = 60
    steps: int = 5_000
    channels: int = 3
    event: int = 150
    first: int = 200
    last: int = 900
    amplitude: float = 4.0


@dataclass(frozen=True)
class Recordings:
    """inputs (N, T, C) float32; labels (N,), names of CLASSES; starts (N,), the step that each event begins with."""

    inputs: npt.NDArray[np.float32]
    labels: npt.NDArray[np.str_]
    starts: npt.NDArray[np.int64]


def make_sensors(task: SensorTask, seed: int = 0) -> tuple[Recordings, Recordings]:
    """Recordings to train and to test, a function of the seed; in both as many of each class, up to one."""
    generator = np.random.default_rng(seed)
    return _recordings(task, task.train, generator), _recordings(task, task.test, generator)


def event_of(task: SensorTask, name: str) -> npt.NDArray[np.float32]:
    """The event of a class, (event,): without noise."""
    turn = np.sin(2 * np.pi * (np.arange(task.event) + 0.5) / task.event)
    return (task.amplitude * (turn if name == CLASSES[0] else -turn)).astype(np.float32)


def _recordings(task: SensorTask, count: int, generator: np.random.Generator) -> Recordings:
    inputs = generator.standard_normal((count, task.steps, task.channels), dtype=np.float32)
    labels = np.array(CLASSES)[generator.permutation(np.arange(count) % len(CLASSES))]
    starts = generator.integers(task.first, task.last - task.event, count, endpoint=True)
    for sequence, label, start in zip(inputs, labels, starts, strict=True):
        sequence[start : start + task.event] += event_of(task, label)[:, None]
    return Recordings(inputs, labels, starts)


def sensors_file(train: Recordings, test: Recordings) -> bytes:
    """An NPZ file of X_train, y_train, X_test and y_test."""
    arrays: dict[str, Any] = {
        f"{kind}_{part}": array
        for part, made in (("train", train), ("test", test))
        for kind, array in (("X", made.inputs), ("y", made.labels))
    }
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()
