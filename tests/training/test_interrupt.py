"""SIGINT and SIGTERM at any moment save and stop; what is resumed ends with the same bits."""

import os
import re
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch

from auxrnn.core.model import SequenceClassifier
from auxrnn.training import checkpoints, loop
from auxrnn.training.checkpoints import Checkpoints
from auxrnn.training.interrupt import SIGNALS, InterruptedRun
from auxrnn.training.step import TrainingStep
from tiny_runs import TRAINING, assert_same_weights, child_trains, newest, resume_tiny, start_child, train_tiny


class Unheard(BaseException):
    """The signal reached whoever would have got it without a training."""


@pytest.fixture(autouse=True)
def outer_handlers():
    """Handlers of the process around the training, so that a signal that slips through does not end the tests."""

    def unheard(signum, frame):
        raise Unheard(signum)

    before = {signum: signal.signal(signum, unheard) for signum in SIGNALS}
    yield unheard
    restored = {signum: signal.getsignal(signum) for signum in SIGNALS}
    for signum, handler in before.items():
        signal.signal(signum, handler)
    assert set(restored.values()) == {unheard}


@pytest.fixture(scope="module")
def untouched():
    torch.manual_seed(0)
    return train_tiny()[:2]


def signal_at(monkeypatch, owner, method, call, signum, times=1):
    """Let the signal arrive right before the call of that number (from 0) of a method."""
    calls = iter(range(10**6))
    plain = getattr(owner, method)

    def struck(*arguments, **options):
        if next(calls) == call:
            for _ in range(times):
                signal.raise_signal(signum)
        return plain(*arguments, **options)

    monkeypatch.setattr(owner, method, struck)


MOMENTS = {
    "before the first phase": (loop, "TrainingStep", 0, (0, 1)),
    "in the first step": (TrainingStep, "losses", 0, (0, 1)),
    "in mid-epoch": (TrainingStep, "losses", 4, (0, 5)),
    "in the last step of an epoch": (TrainingStep, "losses", 2, (0, 3)),
    "in the last step of a phase": (TrainingStep, "losses", 5, (0, 6)),
    "between the phases": (loop, "TrainingStep", 1, (1, 1)),
    "in validation": (SequenceClassifier, "measured", 0, (1, 3)),
    "while saving": (Checkpoints, "save", 3, (0, 4)),
    "at the end of an epoch": (checkpoints, "save_checkpoint", 0, (0, 3)),
    "when a phase is torn down": (TrainingStep, "__exit__", 0, (0, 6)),
    "in the last step of all": (TrainingStep, "losses", 14, (1, 9)),
    "when all is done": (TrainingStep, "__exit__", 1, (1, 9)),
}


@pytest.mark.parametrize(("owner", "method", "call", "saved"), MOMENTS.values(), ids=MOMENTS)
def test_a_signal_saves_and_stops_and_resuming_gives_the_same_bits(
    tmp_path, monkeypatch, untouched, owner, method, call, saved
):
    signum = signal.SIGTERM if call % 2 else signal.SIGINT
    training = replace(TRAINING, checkpoint_steps=None)
    if method == "save":
        training = TRAINING
    with monkeypatch.context() as patched:
        signal_at(patched, owner, method, call, signum)
        with pytest.raises(InterruptedRun) as stopped:
            train_tiny(tmp_path, training=training)
    assert stopped.value.signum == signum
    assert str(stopped.value) == f"interrupted by {signum.name}"
    phase, path = newest(tmp_path)
    assert (phase, int(path.stem.rpartition("-")[2])) == saved
    weights, rows, _ = resume_tiny(tmp_path, training=training)
    assert_same_weights(weights, untouched[0])
    assert rows == untouched[1]


def test_a_checkpoint_due_at_the_step_of_a_signal_is_written_once(tmp_path, monkeypatch):
    written, plain = [], checkpoints.save_checkpoint
    monkeypatch.setattr(
        checkpoints, "save_checkpoint", lambda path, content: (written.append(path.stem), plain(path, content))
    )
    signal_at(monkeypatch, TrainingStep, "losses", 1, signal.SIGINT)
    with pytest.raises(InterruptedRun):
        train_tiny(tmp_path)  # one is due at every step
    assert written == ["phase-0-step-000000001", "phase-0-step-000000002"]


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_second_signal_does_what_it_always_does(tmp_path, monkeypatch, signum):
    signal_at(monkeypatch, TrainingStep, "losses", 4, signum, times=2)
    with pytest.raises(Unheard):
        train_tiny(tmp_path)


def test_a_second_signal_during_the_end_does_what_it_always_does(tmp_path, monkeypatch):
    signal_at(monkeypatch, TrainingStep, "losses", 4, signal.SIGTERM)
    calls = iter(range(10))
    plain = TrainingStep.__exit__

    def struck(self, *error):
        plain(self, *error)
        if next(calls) == 0:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(TrainingStep, "__exit__", struck)
    with pytest.raises(Unheard):
        train_tiny(tmp_path)


def test_the_message_goes_past_pythons_buffers(tmp_path, monkeypatch, capfd):
    signal_at(monkeypatch, TrainingStep, "losses", 1, signal.SIGINT)
    with pytest.raises(InterruptedRun):
        train_tiny(tmp_path)
    assert capfd.readouterr().err == "\nSIGINT: finishing this step and saving ...\n"


def test_without_a_folder_signals_are_left_alone(monkeypatch):
    signal_at(monkeypatch, TrainingStep, "losses", 1, signal.SIGINT)
    with pytest.raises(Unheard):
        train_tiny()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_in_another_thread_training_goes_without_signals(tmp_path, untouched):
    found = []
    thread = threading.Thread(target=lambda: found.append(train_tiny(tmp_path)))
    thread.start()
    thread.join()
    assert_same_weights(found[0][0], untouched[0])


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_from_outside_stops_a_process_at_a_checkpoint(tmp_path, signum):
    training = replace(TRAINING, max_epochs=1000, checkpoint_steps=None)
    child = start_child(child_trains, tmp_path, training)
    for _ in range(30_000):
        if (tmp_path / "metrics.csv").exists():
            break
        time.sleep(0.01)
    os.kill(child.pid, signum)
    child.join(300)
    assert child.exitcode == 64 + signum
    assert re.fullmatch(r"phase-\d-step-\d{9}", newest(tmp_path)[1].stem)
    assert not (tmp_path / "finished.pt").exists()
