"""What is made is noise and an event; the classes differ in the order of the event alone."""

import io
from dataclasses import replace

import numpy as np
import pytest

from auxrnn.experiments.sensors import CLASSES, SensorTask, event_of, make_sensors, sensors_file

TASK = SensorTask(train=40, test=9, steps=90, channels=2, event=12, first=5, last=40)


def test_sizes():
    train, test = make_sensors(TASK)
    assert (train.inputs.shape, train.inputs.dtype) == ((40, 90, 2), np.float32)
    assert (test.inputs.shape, test.labels.shape, test.starts.shape) == ((9, 90, 2), (9,), (9,))
    assert [int((train.labels == name).sum()) for name in CLASSES] == [20, 20]
    assert [int((test.labels == name).sum()) for name in CLASSES] == [5, 4]


def test_it_is_noise_and_the_event_of_the_class():
    """The same seed without an amplitude gives the noise; what is left is a sine by hand, and nothing outside it."""
    noise = make_sensors(replace(TASK, amplitude=0.0))
    sine = [4 * np.sin(np.pi * (2 * step + 1) / 12) for step in range(12)]
    for made, plain in zip(make_sensors(TASK), noise, strict=True):
        for sequence, still, label, start in zip(made.inputs, plain.inputs, made.labels, made.starts, strict=True):
            expected = np.zeros((90, 2))
            expected[start : start + 12] = np.array(sine if label == "up-down" else [-step for step in sine])[:, None]
            assert sequence - still == pytest.approx(expected, abs=1e-5)
    assert noise[0].inputs.mean() == pytest.approx(0, abs=0.05)
    assert noise[0].inputs.std() == pytest.approx(1, abs=0.05)


def test_events_lie_anywhere_between_first_and_last():
    starts = make_sensors(replace(TASK, train=2_000))[0].starts
    assert set(starts) == set(range(5, 40 - 12 + 1))


def test_no_statistic_without_order_tells_the_classes_apart():
    up, down = (np.pad(event_of(TASK, name).astype(np.float64), 3) for name in CLASSES)
    assert up[4] > 0 > down[4]
    for of in (np.sum, lambda event: np.sum(event**2), np.max, np.min, lambda event: np.sum(np.diff(event) ** 2)):
        assert of(up) == pytest.approx(of(down), abs=1e-6)
    assert np.sort(up) == pytest.approx(np.sort(down), abs=1e-6)


def test_it_is_a_function_of_the_seed():
    a, b, c = (sensors_file(*make_sensors(TASK, seed)) for seed in (0, 0, 1))
    assert a == b != c
    train, test = make_sensors(TASK)
    assert not np.array_equal(train.inputs[:9], test.inputs)
    with np.load(io.BytesIO(a)) as stored:
        assert set(stored) == {"X_train", "y_train", "X_test", "y_test"}
        assert np.array_equal(stored["X_test"], test.inputs)
        assert np.array_equal(stored["y_train"], train.labels)
