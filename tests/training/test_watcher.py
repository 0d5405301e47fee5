"""Watchers hear of every moment; the curve in TensorBoard is the curve of the history."""

from dataclasses import replace

import numpy as np
import pytest

from auxrnn import LongSequenceClassifier
from auxrnn.training.loop import fit
from auxrnn.training.watcher import TensorBoardCurve, Watcher
from tiny_runs import MODEL, TRAINING, make_data, make_model


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own, of protobuf and NumPy
def test_every_row_is_there(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert TensorBoardCurve.is_installed()
    found = fit(make_model(), make_data(), make_data(), MODEL, TRAINING, folder=tmp_path, quiet=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    rows = [row for row in found.history if row["phase"] == "train"]
    assert len(rows) > 1
    for name in ("loss", "validation_accuracy"):
        scalars = events.Scalars(f"train/{name}")
        assert [scalar.step for scalar in scalars] == [row["epoch"] for row in rows]
        assert [scalar.value for scalar in scalars] == pytest.approx([row[name] for row in rows])


def test_one_of_ones_own_hears_of_every_moment():
    heard = []

    class Notes(Watcher):
        def phase_begins(self, step, history, steps):
            heard.append((step.phase.name, steps))

        def step_ends(self, step, history):
            heard.append((step.number, set(history.running())))

        def epoch_ends(self, step, history):
            heard.append(history.rows[-1])

        def close(self):
            heard.append("end")

    training = replace(TRAINING, pretrain_epochs=1, max_epochs=1)
    found = fit(make_model(), make_data(), None, MODEL, training, quiet=True, watchers=[Notes()])
    auxiliary = {"reconstruct", "predict"}
    assert heard == [
        ("pretrain", 3), *((number, auxiliary) for number in (1, 2, 3)), found.history[0],
        ("train", 3), *((number, {*auxiliary, "supervised", "accuracy"}) for number in (1, 2, 3)), found.history[1],
        "end",
    ]  # fmt: skip


def test_what_ended_the_training_counts_more_than_a_watcher_that_cannot_close():
    class Broken(Watcher):
        def step_ends(self, step, history):
            raise RuntimeError("mine")

        def close(self):
            raise OSError("disk full")

    with (
        pytest.warns(UserWarning, match="Broken could not close: disk full"),
        pytest.raises(RuntimeError, match="mine"),
    ):
        fit(make_model(), make_data(), None, MODEL, TRAINING, quiet=True, watchers=[Broken()])


def test_an_estimator_hands_watchers_on():
    epochs = []

    class Notes(Watcher):
        def epoch_ends(self, step, history):
            epochs.append(history.rows[-1]["epoch"])

    inputs = np.random.default_rng(0).normal(size=(12, 6, 1))
    LongSequenceClassifier(max_epochs=2, candidates=1).fit(inputs, [0, 1] * 6, watchers=[Notes()])
    assert epochs == [1, 2]


def test_no_gradient_is_left():
    model = make_model()
    fit(model, make_data(), None, MODEL, TRAINING, quiet=True)
    assert all(weight.grad is None for weight in model.parameters())
