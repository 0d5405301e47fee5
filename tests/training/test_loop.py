"""A whole training: the same bits as one obvious loop, and the same bits however often it is stopped and resumed."""

import math
import os
import random
import shutil
import signal
import time
from dataclasses import replace

import pytest
import torch

from auxrnn.config import AuxiliaryConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.model import SequenceClassifier
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.training import loop
from auxrnn.training.checkpoints import Checkpoints
from auxrnn.training.loop import fit
from auxrnn.training.optimizers import TensorFlowRMSprop
from auxrnn.training.order import BatchOrder
from auxrnn.training.precision import usable_precision
from auxrnn.training.step import TrainingStep
from tiny_runs import (
    MODEL,
    TRAINING,
    assert_same_weights,
    child_trains,
    make_data,
    make_model,
    newest,
    obvious_training,
    quiet_aux,
    resume_tiny,
    start_child,
    train_tiny,
    weights_of,
    without_seconds,
)

# One obvious loop -----------------------------------------------------------------------------------------------------

CONSTANT = [[0.01] * 6, [0.01] * 9]
BY_STEP = [
    [0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001],
    [0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.0001, 0.0001, 0.0001],
]
COSINE = [[0.005 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)] for steps in (6, 9)]


@pytest.mark.parametrize(
    ("name", "optimizer", "schedule", "rates", "clip"),
    [
        ("rmsprop_tf", TensorFlowRMSprop, "constant", CONSTANT, 1.0),
        ("rmsprop", torch.optim.RMSprop, "constant", CONSTANT, None),
        ("adam", torch.optim.Adam, "cosine", COSINE, 0.02),
        ("adamw", torch.optim.AdamW, "step", BY_STEP, 1.0),
        ("sgd", torch.optim.SGD, "constant", CONSTANT, 0.02),
        ("sgd", torch.optim.SGD, "constant", CONSTANT, None),
    ],
)
def test_training_is_one_obvious_loop(name, optimizer, schedule, rates, clip):
    config = replace(MODEL, aux=AuxiliaryConfig(weight=3.0))
    training = replace(TRAINING, optimizer=name, lr_schedule=schedule, gradient_clip=clip)
    expected = make_model(config)
    obvious_training(
        expected,
        config,
        training,
        rates=rates,
        clip=clip,
        optimizer=lambda weights: optimizer(weights, lr=0.01),
        weight_of=lambda name: 1.0 if name == "supervised" else 3.0,
    )
    found, _, _ = train_tiny(config=config, training=training, validation=False)
    for key, weight in weights_of(expected).items():
        torch.testing.assert_close(found[key], weight, rtol=1e-6, atol=1e-8)


def test_seed_matters_and_nothing_else_random_does():
    first, rows, _ = train_tiny()
    torch.manual_seed(99)
    model = make_model()
    torch.manual_seed(1234)
    again, rows_again, _ = train_tiny(model=model)
    assert_same_weights(again, first)
    assert rows_again == rows
    other, _, _ = train_tiny(training=replace(TRAINING, seed=8))
    assert any(not torch.equal(other[name], first[name]) for name in first)


def test_the_callers_random_state_is_left_as_it_was():
    model = make_model()
    before = torch.get_rng_state()
    train_tiny(model=model)
    assert torch.equal(torch.get_rng_state(), before)


# What is read ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """(set, indices) of every batch that is read."""
    found = []
    plain = SequenceData.batch

    def recording(data, indices, **how):
        found.append((data.name, list(indices)))
        return plain(data, indices, **how)

    monkeypatch.setattr(SequenceData, "batch", recording)
    return found


def expected_reads():
    """Each epoch's own permutation, and after each epoch of the second phase the validation set in its order."""
    found = []
    for phase, epochs in enumerate((2, 3)):
        order = BatchOrder(20, 8, seed=TRAINING.seed, phase=phase)
        for epoch in range(epochs):
            order.set_epoch(epoch)
            found += [("train", batch) for batch in order]
            found += [("validation", list(range(7)))] * phase
    return found


def test_reads_each_epochs_own_order_and_validates_once_an_epoch(reads):
    train_tiny()
    assert reads == expected_reads()


@pytest.mark.parametrize("stop", [1, 4, 7, 8, 10, 13])
def test_a_resumed_run_neither_repeats_nor_skips_a_batch(tmp_path, monkeypatch, reads, stop):
    die_at(monkeypatch, TrainingStep, "losses", stop)
    with pytest.raises(Killed):
        train_tiny(tmp_path)
    monkeypatch.undo()
    before = sum(1 for name, _ in reads if name == "train") - 1  # the last was read, its step not made
    found = []
    plain = SequenceData.batch
    monkeypatch.setattr(
        SequenceData, "batch", lambda data, at, **how: found.append((data.name, list(at))) or plain(data, at, **how)
    )
    resume_tiny(tmp_path)
    trained = [batch for name, batch in expected_reads() if name == "train"]
    assert [batch for name, batch in found if name == "train"] == trained[before:]


# Exact resume ---------------------------------------------------------------------------------------------------------


class Killed(Exception):  # noqa: N818
    """Stands for anything that ends a run in the middle."""


def die_at(monkeypatch, owner, method, call):
    """Let the call of that number (from 0) of a method end the run."""
    calls = iter(range(10**6))
    plain = getattr(owner, method)

    def dying(*arguments, **options):
        if next(calls) == call:
            raise Killed
        return plain(*arguments, **options)

    monkeypatch.setattr(owner, method, dying)


RUNS = {
    "rp-lstm, dropconnect, Adam, cosine, decoder fed with its own steps": {
        "training": replace(TRAINING, optimizer="adam", lr_schedule="cosine", max_epochs=2),
    },
    "r-gru, dropout, RMSProp, step, decoder fed with nothing, unequal lengths, no validation": {
        "config": replace(
            MODEL,
            model="r-lstm",
            cell="gru",
            regulariser="dropout",
            aux=AuxiliaryConfig(unfed="blank", placement="distant"),
        ),
        "training": replace(TRAINING, optimizer="rmsprop", lr_schedule="step", max_epochs=2),
        "unequal": True,
        "validation": False,
    },
    "p-lstm, patience that ends the run early": {
        "config": replace(MODEL, model="p-lstm"),
        "training": replace(TRAINING, patience=1, max_epochs=6, pretrain_epochs=1, lr=0.001),
    },
    "tokens, all of them read, labels at anchors, unequal lengths": {
        "config": replace(
            MODEL,
            model="r-lstm",
            stem="conv",
            stride=2,
            kernel=2,
            readout="stats-max",
            bptt=2,
            num_windows=1,
            top_windows=1,
            anchor_labels=0.5,
            segment_length=2,
        ),
        "training": replace(TRAINING, pretrain_epochs=1),
        "unequal": True,
    },
    "lstm in one phase of SGD": {
        "config": replace(MODEL, model="lstm"),
        "training": replace(TRAINING, optimizer="sgd", max_epochs=4, lr=0.5),
    },
}


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_resuming_from_every_checkpoint_gives_the_same_bits(tmp_path, monkeypatch, options):
    run = tmp_path / "run"
    moments = []
    plain = Checkpoints.save

    def saving(self, *given):
        path = plain(self, *given)
        moments.append(tmp_path / f"moment-{len(moments)}")
        shutil.copytree(run, moments[-1])
        return path

    monkeypatch.setattr(Checkpoints, "save", saving)
    weights, rows, fitted = train_tiny(run, **options)
    monkeypatch.undo()
    steps = rows[-1]["step"] + sum(row["step"] for row in rows if row["phase"] == "pretrain" and row["epoch"] == 2)
    assert len(moments) >= steps - 3
    curve = (run / "metrics.csv").read_text()
    if "patience" in str(options["training"]) and options["training"].patience:
        assert len(rows) < 7  # it did end early
    for moment in moments if options is next(iter(RUNS.values())) else moments[::2]:
        resumed, resumed_rows, again = resume_tiny(moment, **options)
        assert_same_weights(resumed, weights)
        assert resumed_rows == rows
        assert (again.best_epoch, again.best_score) == (fitted.best_epoch, fitted.best_score)
        assert no_seconds((moment / "metrics.csv").read_text()) == no_seconds(curve)


def no_seconds(text):
    return [line.rpartition(",")[0] for line in text.splitlines()]


@pytest.fixture(scope="module")
def untouched():
    """Weights and curve of the run that nothing stops."""
    torch.manual_seed(0)
    weights, rows, _ = train_tiny()
    return weights, rows


@pytest.mark.parametrize(
    ("step", "every"), [*((step, 2) for step in (0, 1, 2, 3, 5, 6, 8, 9, 11, 14)), *((step, None) for step in (5, 11))]
)
def test_dying_in_a_step_and_resuming_gives_the_same_bits(tmp_path, monkeypatch, untouched, step, every):
    training = replace(TRAINING, checkpoint_steps=every)
    die_at(monkeypatch, TrainingStep, "losses" if step % 2 else "clip_gradient", step)
    with pytest.raises(Killed):
        train_tiny(tmp_path, training=training)
    monkeypatch.undo()
    weights, rows, _ = (
        resume_tiny(tmp_path, training=training) if newest(tmp_path) else train_tiny(tmp_path, training=training)
    )
    assert_same_weights(weights, untouched[0])
    assert rows == untouched[1]


@pytest.mark.parametrize(
    ("owner", "method", "calls"),
    [
        (SequenceClassifier, "measured", (0, 2)),
        (Checkpoints, "save", (0, 3, 8, 14)),
        (loop, "TrainingStep", (1,)),  # between the phases
        (TensorFlowRMSprop, "step", (4, 11)),
    ],
    ids=["validation", "saving", "between phases", "optimiser"],
)
def test_dying_elsewhere_and_resuming_gives_the_same_bits(tmp_path, monkeypatch, untouched, owner, method, calls):
    for call in calls:
        folder = tmp_path / str(call)
        with monkeypatch.context() as patched:
            die_at(patched, owner, method, call)
            with pytest.raises(Killed):
                train_tiny(folder)
        weights, rows, _ = resume_tiny(folder) if newest(folder) else train_tiny(folder)
        assert_same_weights(weights, untouched[0])
        assert rows == untouched[1]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_loader_workers_change_nothing_and_resume_exactly(tmp_path, monkeypatch, untouched):
    training = replace(TRAINING, num_workers=1)
    die_at(monkeypatch, TrainingStep, "losses", 10)
    with pytest.raises(Killed):
        train_tiny(tmp_path, training=training)
    monkeypatch.undo()
    weights, rows, _ = resume_tiny(tmp_path, training=training)
    assert_same_weights(weights, untouched[0])
    assert rows == untouched[1]


def test_killed_for_good_at_random_moments_it_ends_with_the_same_bits(tmp_path, untouched):
    random.seed(int(time.time()))
    kills = 0
    for _ in range(12):
        child = start_child(child_trains, tmp_path, TRAINING)
        wait_for(tmp_path / "started", child)
        child.join(random.uniform(0.01, 0.1) if kills < 4 else None)
        if child.exitcode is None:
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            assert child.exitcode in (-signal.SIGKILL, 0)  # it may have ended between the look and the kill
            kills += child.exitcode != 0
        (tmp_path / "started").unlink(missing_ok=True)
        if child.exitcode == 0 and kills:
            break
        if child.exitcode == 0:  # it was faster than the kill, as on busy cores
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
    assert kills > 0
    weights, rows = torch.load(tmp_path / "finished.pt", weights_only=True)
    assert_same_weights(weights, untouched[0])
    assert rows == untouched[1]


def wait_for(path, child):
    for _ in range(30_000):
        if path.exists():
            return
        assert child.is_alive()
        time.sleep(0.01)
    raise AssertionError(f"{path} never came")


def test_resume_without_the_folder_of_the_best_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder beside resume"):
        train_tiny(resume=(0, tmp_path / "phase-0-step-000000001.ckpt"))


# What a fit leaves ----------------------------------------------------------------------------------------------------


def test_pretraining_leaves_the_head_alone_and_trains_the_rest():
    model = make_model()
    before = weights_of(model)
    train_tiny(model=model, training=replace(TRAINING, max_epochs=0))
    after = weights_of(model)
    untouched_names = {name for name in after if torch.equal(after[name], before[name])}
    assert untouched_names == {name for name in after if name.startswith("supervised.")}


def test_training_touches_every_weight():
    model = make_model()
    before = weights_of(model)
    train_tiny(model=model, training=replace(TRAINING, pretrain_epochs=0, max_epochs=1), validation=False)
    assert not [name for name, weight in weights_of(model).items() if torch.equal(weight, before[name])]


@pytest.mark.parametrize("error", [None, Killed()])
def test_which_weights_take_a_gradient_is_restored(monkeypatch, error):
    model = make_model()
    model.supervised.head.first.bias.requires_grad_(False)
    if error is not None:
        die_at(monkeypatch, TrainingStep, "losses", 2)
        with pytest.raises(Killed):
            train_tiny(model=model)
    else:
        before = weights_of(model)["supervised.head.first.bias"]
        train_tiny(model=model)
        assert torch.equal(model.supervised.head.first.bias, before)
    assert [name for name, weight in model.named_parameters() if not weight.requires_grad] == [
        "supervised.head.first.bias"
    ]


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train_tiny()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_holds_the_curve_and_two_checkpoints(tmp_path):
    train_tiny(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "checkpoints/phase-1-step-000000008.ckpt",
        "checkpoints/phase-1-step-000000009.ckpt",
        "metrics.csv",
    ]


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_the_best_epochs_weights_are_the_ones_kept(tmp_path, epochs):
    config = replace(MODEL, aux=quiet_aux())
    weights, rows, fitted = train_tiny(tmp_path, config=config, training=replace(TRAINING, max_epochs=epochs, lr=0.05))
    accuracies = [row["validation_accuracy"] for row in rows if row["phase"] == "train"]
    assert fitted.best_score == max(accuracies)
    assert fitted.best_epoch == 1 + accuracies.index(max(accuracies))
    stopped_there, _, _ = train_tiny(
        config=config, training=replace(TRAINING, max_epochs=fitted.best_epoch, lr=0.05), validation=False
    )
    assert_same_weights(weights, stopped_there)
    in_memory, _, _ = train_tiny(config=config, training=replace(TRAINING, max_epochs=epochs, lr=0.05))
    assert_same_weights(in_memory, weights)


def test_an_empty_validation_set_is_as_none():
    empty = make_data("validation", 7).subset([])
    model = make_model()
    fitted = fit(model, make_data(), empty, MODEL, TRAINING, quiet=True)
    expected, rows, other = train_tiny(validation=False)
    assert_same_weights(weights_of(model), expected)
    assert without_seconds(fitted.history) == rows
    assert (fitted.best_epoch, fitted.best_score) == (other.best_epoch, other.best_score) == (0, None)


def test_interrupting_a_library_call_is_an_ordinary_keyboard_interrupt(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingStep, "losses", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_tiny()
    assert signal.getsignal(signal.SIGINT) is before


# Precision ------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Training in 32-true instead of bf16-mixed")
def test_half_precision_trains_where_the_device_can_and_as_usual_where_not():
    _, rows, _ = train_tiny(training=replace(TRAINING, precision="bf16-mixed"))
    plain = train_tiny()[1]
    assert (rows != plain) == (usable_precision("bf16-mixed", torch.device("cpu")) == "bf16-mixed")
    assert rows[0]["loss"] == pytest.approx(plain[0]["loss"], rel=0.02)


def test_every_lstm_of_a_network_trains_on_the_kernel_that_was_asked_for(monkeypatch):
    launch = pytest.importorskip("auxrnn.core.kernels.launch")
    shapes, plain = [], launch.run_layer

    def counted(inputs, weight_ih, *rest, **options):
        shapes.append(tuple(weight_ih.shape))
        return plain(inputs, weight_ih, *rest, **options)

    monkeypatch.setattr(launch, "run_layer", counted)
    short = replace(TRAINING, pretrain_epochs=0, max_epochs=1)  # the kernel is interpreted here
    rows, usual = (
        train_tiny(training=replace(short, lstm_backend=name), size=8, held_out=2)[1] for name in ("persistent", "auto")
    )
    assert len(set(shapes)) > 1, "the main network and the decoders"
    assert [row["loss"] for row in rows] == pytest.approx([row["loss"] for row in usual], rel=1e-2)


# Unlabelled sequences -------------------------------------------------------------------------------------------------


def test_unlabelled_sequences_change_the_training_and_it_resumes_to_the_same_bits(tmp_path, monkeypatch):
    further = replace(make_data("further", 9), labels=None)
    plain, _, _ = train_tiny()
    whole, rows, _ = train_tiny(unlabelled=further)
    assert any(not torch.equal(whole[name], plain[name]) for name in whole)
    die_at(monkeypatch, TrainingStep, "losses", 10)
    with pytest.raises(Killed):
        train_tiny(tmp_path, unlabelled=further)
    monkeypatch.undo()
    again, same_rows, _ = resume_tiny(tmp_path, unlabelled=further)
    assert_same_weights(again, whole)
    assert same_rows == rows


def test_unlabelled_sequences_without_an_auxiliary_loss_are_refused():
    further = replace(make_data("further", 9), labels=None)
    with pytest.raises(InputError, match="Expected a model with an auxiliary loss beside unlabelled data, got lstm"):
        train_tiny(config=replace(MODEL, model="lstm"), unlabelled=further)
    other = SequenceData("other", InputSpec("values", 7), torch.zeros(3, 4, 7))
    with pytest.raises(InputError, match=r"other: expected .* as in training"):
        train_tiny(unlabelled=other)
