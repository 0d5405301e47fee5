"""A run folder holds everything of a run, and the same bits whatever stopped it in between."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from auxrnn.cli import main
from auxrnn.config import MODELS, AuxiliaryConfig, ModelConfig
from auxrnn.core.model import SequenceClassifier
from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.runs import datasets
from auxrnn.runs import run as runs
from auxrnn.runs.folder import RunFolder, points, read_config, read_curve
from auxrnn.runs.run import resume_run, start_run
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.runs.use import evaluate
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.options import DataOptions
from auxrnn.sources.published import TrainTest, load
from auxrnn.storage import files
from auxrnn.training.checkpoints import find_checkpoints
from auxrnn.use.persistence import load_model
from small_runs import SMALL, KilledError, as_words, at_step, kill, model_bytes, resume_small, run_small

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def broken_run(tmp_path, monkeypatch):
    """A run killed in the eighth of its nine steps, in its second epoch of training."""
    with monkeypatch.context() as patched:
        at_step(patched, 7, kill)
        with pytest.raises(KilledError):
            run_small(tmp_path / "run")
    return tmp_path / "run"


def newest(folder):
    return find_checkpoints(folder / "checkpoints")[0][2]


# What is in the folder ------------------------------------------------------------------------------------------------


def test_files_of_a_finished_run(finished_run):
    found = {path.name for path in finished_run.iterdir()}
    assert found - {"tensorboard"} == {"config.yaml", "env.json", "metrics.csv", "result.json", "checkpoints", "model"}
    assert {path.name for path in (finished_run / "model").iterdir()} == {
        "config.json",
        "model.safetensors",
        "README.md",
    }
    assert not list(finished_run.rglob("*.part"))
    environment = json.loads((finished_run / "env.json").read_text())
    assert {"command", "python", "packages", "processor", "cores", "threads", "gpus", "commit"} <= environment.keys()
    assert environment["packages"]["torch"] == torch.__version__


def test_the_config_is_complete_and_reusable(finished_run):
    content = yaml.safe_load((finished_run / "config.yaml").read_text())
    assert content == replace(SMALL, out=str(finished_run)).to_dict()
    again = parse_run_config(["--config", str(finished_run / "config.yaml"), "--out=null"])
    assert again == SMALL
    assert read_config(RunFolder(finished_run)) == replace(SMALL, out=str(finished_run))


def test_the_curve_has_a_row_an_epoch(finished_run):
    with open(finished_run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["phase"], row["epoch"], row["step"]) for row in rows] == [
        ("pretrain", "1", "3"),
        ("train", "1", "3"),
        ("train", "2", "6"),
    ]
    curve = points(read_curve(RunFolder(finished_run)))
    assert [epoch for epoch, _ in curve] == [2.0, 3.0]  # pretraining is counted and has no accuracy
    assert [value for _, value in curve] == [100 * float(row["validation_accuracy"]) for row in rows[1:]]


def test_test_accuracy_is_that_of_an_independent_evaluation(finished_run):
    """One image at a time, with nothing but the model file and the test set."""
    result = json.loads((finished_run / "result.json").read_text())
    test = load("digits").test
    network = load_model(finished_run / "model").network
    with torch.no_grad():
        said = torch.cat([network(test.batch([index])) for index in range(len(test))]).argmax(1)
    assert result["test_accuracy"] == pytest.approx((said == test.labels).double().mean().item(), abs=1e-12)
    assert result["train_sequences"] == 36
    assert result["epochs"] == 3
    assert result["best_epoch"] in (1, 2)
    facts = load_model(finished_run / "model").facts
    assert facts["test_accuracy"] == result["test_accuracy"]
    assert "seconds" not in facts


def test_the_first_lines_tell_what_will_happen_and_the_last_what_came(tmp_path):
    lines = []
    run_small(tmp_path / "run", lines.append)
    assert lines[0].startswith("Task        digits: 10 classes, rp-lstm with 4 LSTM cells")
    assert "36 to train, 4 to validate, 400 to test, read at the end" in lines[1]
    told = next(index for index, line in enumerate(lines) if line.startswith("Test accuracy 0."))
    assert [line.partition(" ")[0] for line in lines[told + 1 : told + 4]] == ["Compared", "Verdict", "Next"]
    assert "validation accuracy" in lines[told]


def test_the_verdict_and_the_floors_lie_in_the_result_and_in_the_model(finished_run):
    result = json.loads((finished_run / "result.json").read_text())
    assert result["floors"]["tested_on"] == 400
    assert result["verdict"]["state"] in ("majority", "below", "floor", "useful")
    assert str(finished_run) in result["verdict"]["findings"][0]["next"]
    facts = load_model(finished_run / "model").facts
    assert facts["floors"] == result["floors"]
    assert facts["verdict"]["summary"] == result["verdict"]["summary"]
    assert str(finished_run) not in json.dumps(facts["verdict"])  # the model is the same bits wherever it lies
    assert result["verdict"]["summary"][1:] in (finished_run / "model" / "README.md").read_text()


@pytest.mark.parametrize("what", ["start", "resume"])
def test_a_run_that_is_not_judged_measures_no_floor(tmp_path, monkeypatch, what):
    monkeypatch.setattr(runs, "judge_run", lambda *given: pytest.fail("floors were measured"))
    config = replace(SMALL, out=str(tmp_path / "run"), pretrain_epochs=0, max_epochs=1)
    if what == "start":
        result = start_run(config, lambda line: None, judged=False)
    else:
        with monkeypatch.context() as patched:
            at_step(patched, 2, kill)
            with pytest.raises(KilledError):
                start_run(config, lambda line: None)
        result = resume_run(tmp_path / "run", lambda line: None, judged=False)
    assert result["best_epoch"] == 1
    assert not {"floors", "verdict"} & result.keys()


# The test set ---------------------------------------------------------------------------------------------------------


def test_the_test_set_is_read_once_at_the_end(tmp_path, monkeypatch):
    events = []

    class Watched(SequenceData):
        def batch(self, indices, **how):
            events.append("test")
            return super().batch(indices, **how)

    def watched_load(*given, **named):
        data = load(*given, **named)
        known = {name: value for name, value in vars(data.test).items() if name != "lengths"}
        return TrainTest(data.train, Watched(**known))

    def watched_fit(*given, **named):
        found = runs_fit(*given, **named)
        events.append("fit")
        return found

    runs_fit = runs.fit
    monkeypatch.setattr(datasets, "load", watched_load)
    monkeypatch.setattr(runs, "fit", watched_fit)
    run_small(tmp_path / "run")
    assert events == ["fit", "test", "test"]  # 400 images in batches of 256


def test_another_test_set_changes_no_bit_of_the_model(tmp_path, monkeypatch, finished_run):
    def poisoned(*given, **named):
        data = load(*given, **named)
        return TrainTest(data.train, replace(data.test, inputs=16 - data.test.inputs, labels=data.test.labels * 0))

    monkeypatch.setattr(datasets, "load", poisoned)
    result = run_small(tmp_path / "run")
    expected = json.loads((finished_run / "result.json").read_text())
    assert model_bytes(tmp_path / "run")["model.safetensors"] == model_bytes(finished_run)["model.safetensors"]
    for name in ("test_accuracy", "test_macro_f1", "test_loss"):
        assert result.pop(name) != expected.pop(name)
    for name in ("seconds", "cpu_seconds", "peak_memory_bytes"):
        assert result.pop(name) > 0
        del expected[name]
    assert result.pop("verdict") != expected.pop("verdict")
    for found in (result, expected):
        scores = [floor for floor in found["floors"].values() if isinstance(floor, dict)]
        assert len([floor.pop("test") for floor in scores]) == 3
    assert result == expected


def test_validation_sequences_are_not_trained_on():
    data = load("digits", None, DataOptions(limit_train=40), seed=3)
    train, validation = runs.split_data(data, SMALL)
    rows = {bytes(row.numpy().tobytes()) for row in train.inputs}
    assert (len(train), len(validation)) == (36, 4)
    assert not any(bytes(row.numpy().tobytes()) in rows for row in validation.inputs)


# The same bits --------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path, finished_run):
    torch.manual_seed(99)
    run_small(tmp_path / "same")
    assert model_bytes(tmp_path / "same") == model_bytes(finished_run)
    run_small(tmp_path / "other", seed=4)
    assert model_bytes(tmp_path / "other")["model.safetensors"] != model_bytes(finished_run)["model.safetensors"]


@pytest.mark.parametrize("step", [0, 3, 8])
def test_a_run_killed_at_any_step_and_resumed_has_the_same_bytes(tmp_path, monkeypatch, finished_run, step):
    with monkeypatch.context() as patched:
        at_step(patched, step, kill)
        with pytest.raises(KilledError):
            run_small(tmp_path / "run")
    torch.manual_seed(99)  # another process has other random numbers
    resume_small(tmp_path / "run")
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


def test_a_run_over_tokens_from_the_command_line(tmp_path, monkeypatch, capsys):
    """Killed, resumed to the same bytes, and of use to every command."""
    tokens = {"stem": "conv", "stride": 4, "kernel": 2, "readout": "stats-max", "anchor_labels": 0.5, "bptt": 3}
    config = replace(SMALL, model="lstm", num_windows=2, **tokens)
    assert main(["train", *as_words(config, tmp_path / "whole")]) == 0
    told = capsys.readouterr().out
    assert "16 tokens of 4 steps at most" in told
    assert "gradient over 2 windows of 3 tokens = 12 steps, the label asked at the end of each too (0.5)" in told
    with monkeypatch.context() as patched:
        at_step(patched, 4, kill)
        with pytest.raises(KilledError):
            run_small(tmp_path / "killed", model="lstm", num_windows=2, **tokens)
    torch.manual_seed(99)
    resume_small(tmp_path / "killed")
    assert model_bytes(tmp_path / "killed") == model_bytes(tmp_path / "whole")
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert evaluate(tmp_path / "whole")["accuracy"] == pytest.approx(result["test_accuracy"], abs=1e-6)
    capsys.readouterr()
    np.save(tmp_path / "a.npy", np.arange(64, dtype=np.uint8).reshape(1, 8, 8) % 17)
    (tmp_path / "a.csv").write_text("\n".join(str(level % 17) for level in range(64)))
    assert main(["predict", str(tmp_path / "whole"), str(tmp_path / "a.npy"), "--format=jsonl"]) == 0
    predicted = json.loads(capsys.readouterr().out)["probabilities"]
    assert main(["stream", str(tmp_path / "whole"), str(tmp_path / "a.csv"), "--format=jsonl", "--every=64"]) == 0
    assert json.loads(capsys.readouterr().out)["probabilities"] == pytest.approx(predicted, abs=2e-6)


def test_killed_again_and_again(tmp_path, monkeypatch, finished_run):
    for times in range(10):
        with monkeypatch.context() as patched:
            at_step(patched, 2, kill)
            try:
                resume_small(tmp_path / "run") if times else run_small(tmp_path / "run")
            except KilledError:
                continue
            break
    assert 3 <= times <= 9
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


@pytest.mark.parametrize("place", ["measure", "save_model", "write_json"])
def test_killed_after_training_before_the_end(tmp_path, monkeypatch, finished_run, place):
    plain = getattr(runs, place)

    def killed(*given, **named):
        if place == "write_json" and given[0].name == "env.json":
            return plain(*given, **named)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(runs, place, killed)
        with pytest.raises(KilledError):
            run_small(tmp_path / "run")
    (tmp_path / "run" / "model").mkdir(exist_ok=True)
    (tmp_path / "run" / "model" / ".model.safetensors.1.part").write_bytes(b"half")
    resume_small(tmp_path / "run")
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_and_says_how_to_go_on(tmp_path, monkeypatch, capfd, finished_run, number):
    with monkeypatch.context() as patched:
        at_step(patched, 4, lambda: os.kill(os.getpid(), number))
        assert main(["train", *as_words(SMALL, tmp_path / "run")]) == 1
    said = capfd.readouterr().err
    assert f"interrupted by {number.name}; saved. Go on with: auxrnn resume {tmp_path / 'run'}" in said
    assert "Traceback" not in said
    assert newest(tmp_path / "run").name == "phase-1-step-000000002.ckpt"
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


def test_what_a_kill_left_in_a_finished_run_is_removed(tmp_path, finished_run):
    shutil.copytree(finished_run, tmp_path / "run")
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    for place in ("", "model"):
        left = files.aside_of(tmp_path / "run" / place / "a")
        left.with_name(left.name.replace(f".{os.getpid()}-", f".{int(gone.stdout)}-")).write_bytes(b"half")
    at_work = files.aside_of(tmp_path / "run" / "report.html")
    at_work.write_bytes(b"half")
    resume_small(tmp_path / "run")
    assert list((tmp_path / "run").rglob("*.part")) == [at_work]


def test_a_finished_run_is_left_as_it_is(finished_run):
    before = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in finished_run.rglob("*")}
    lines = []
    result = resume_small(finished_run, lines.append)
    after = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in finished_run.rglob("*")}
    assert after == before
    assert result == json.loads((finished_run / "result.json").read_text())
    assert "finished" in lines[0]


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["truncated", "empty", "one bit"])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_it_used(broken_run, finished_run, damage):
    path = newest(broken_run)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": content[: len(content) // 3], "empty": b"", "one bit": content}[damage])
    lines = []
    resume_small(broken_run, lines.append)
    assert lines[0].startswith(f"{path} is damaged")
    assert lines[1].startswith("Resuming from phase-1-step-000000003.ckpt")
    assert path.with_suffix(".damaged").exists()
    assert model_bytes(broken_run) == model_bytes(finished_run)


def test_all_checkpoints_damaged_means_from_the_beginning(broken_run, finished_run):
    for _, _, path in find_checkpoints(broken_run / "checkpoints"):
        path.write_bytes(b"damaged")
    lines = []
    resume_small(broken_run, lines.append)
    assert "No checkpoint yet; starting from the beginning." in lines
    assert model_bytes(broken_run) == model_bytes(finished_run)


def test_what_a_kill_left_half_written_is_removed(broken_run, finished_run):
    (broken_run / ".metrics.csv.1.part").write_bytes(b"half")
    (broken_run / "checkpoints" / ".phase-0-step-000000001.ckpt.1.part").write_bytes(b"half")
    resume_small(broken_run)
    assert not list(broken_run.rglob("*.part"))
    assert model_bytes(broken_run) == model_bytes(finished_run)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("lr: 0.01\n", "lr: 0.02\n", "found lr 0.02 instead of 0.01"),
        ("limit_train: 40\n", "limit_train: 60\n", "found limit_train 60 instead of 40"),
        ("  weight: 1.0\n", "  weight: 2.0\n", "found aux.weight 2.0 instead of 1.0"),
    ],
)
def test_a_changed_configuration_is_refused_and_the_change_named(broken_run, before, now, told):
    path = broken_run / "config.yaml"
    path.write_text(path.read_text().replace(before, now, 1))
    with pytest.raises(InputError, match=re.escape(f"{told}. Was config.yaml changed?")):
        resume_small(broken_run)


def test_what_does_not_change_the_training_may_change(broken_run, finished_run):
    path = broken_run / "config.yaml"
    path.write_text(path.read_text().replace("checkpoint_steps: 1\n", "checkpoint_steps: 100\n", 1))
    resume_small(broken_run)
    assert model_bytes(broken_run) == model_bytes(finished_run)


def test_a_checkpoint_of_another_configuration_is_refused(broken_run):
    """In the folder of an older version, which does not say what it was started with."""
    (broken_run / "env.json").write_text("{}")
    path = broken_run / "config.yaml"
    path.write_text(path.read_text().replace("hidden_size: 4\n", "hidden_size: 5\n", 1))
    with pytest.raises(InputError, match=r"Was config\.yaml changed\?"):
        resume_small(broken_run)


def test_a_damaged_record_of_the_start(broken_run):
    (broken_run / "env.json").write_text('{"started_with": {"hiden": 5}}')
    with pytest.raises(InputError, match=r"env\.json: expected the configuration of a run"):
        resume_small(broken_run)


@pytest.mark.parametrize("content", ["", "- 1", "aux: {}", "model: [", "model: lstm", "modell: lstm\naux: {}"])
def test_a_damaged_config_is_named(tmp_path, content):
    if content == "aux: {}":
        content = "aux: {}\nhiden: 5"
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(InputError, match=r"config\.yaml: expected the configuration of a run"):
        resume_small(tmp_path)


def test_a_damaged_group_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("aux: 5")
    with pytest.raises(InputError, match=r"config\.yaml: Expected aux to be a group of options, got 5"):
        resume_small(tmp_path)


def test_a_config_that_is_not_text(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"config\.yaml: expected the configuration of a run"):
        resume_small(tmp_path)


# Folders that cannot be used ------------------------------------------------------------------------------------------


def test_an_existing_run_is_not_written_over(finished_run):
    with pytest.raises(InputError, match=f"Go on with `auxrnn resume {finished_run}`"):
        run_small(finished_run)


@pytest.mark.parametrize("left", ["checkpoints", "model"])
def test_what_is_left_of_a_run_is_not_mixed_with_a_new_one(tmp_path, left):
    (tmp_path / left).mkdir()
    with pytest.raises(InputError, match="left of a run"):
        run_small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [left]


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="found a file"):
        run_small(tmp_path / "file")
    with pytest.raises(InputError, match="a folder that can be written to"):
        run_small(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_the_right_to_write(tmp_path, monkeypatch):
    if os.getuid() == 0:  # root may write anywhere
        monkeypatch.setattr(runs, "write_json", lambda *given: (_ for _ in ()).throw(PermissionError(13, "denied")))
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="a folder that can be written to"):
            run_small(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accelerator": "gpuu"}, "'gpuu'.*Did you mean 'gpu'"),
        ({"strategy": "dpp"}, "'dpp'.*Did you mean 'ddp'"),
        ({"precision": "bf16-mixd"}, "Did you mean 'bf16-mixed'"),
        ({"data": "digitz"}, "Did you mean 'digits'"),
        ({"limit_train": 9}, "--limit_train of at least 10"),
        ({"lstm_backend": "persistent", "cell": "gru"}, "an LSTM with lstm_backend persistent, got cell gru"),
        ({"lstm_backend": "persistent", "hidden_size": 129}, "hidden size 129"),
    ],
)
def test_what_cannot_be_trained_leaves_no_folder(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run_small(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_no_run_to_resume(tmp_path):
    with pytest.raises(InputError, match=r"expected a run folder, found no config\.yaml"):
        resume_run(tmp_path / "none")


# Runs that cannot go on -----------------------------------------------------------------------------------------------


def test_a_diverging_run_names_the_step_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch, finished_run):
    plain = SequenceClassifier.losses
    calls = iter(range(100))

    def infected(self, *given):
        losses = plain(self, *given)
        if next(calls) == 5:
            losses["supervised"] = replace(losses["supervised"], total=losses["supervised"].total * torch.nan)
        return losses

    with monkeypatch.context() as patched:
        patched.setattr(SequenceClassifier, "losses", infected)
        with pytest.raises(StoppedRunError, match=r"phase train at step 2: .*supervised nan.*gradient was \d"):
            run_small(tmp_path / "run")
    assert newest(tmp_path / "run").name == "phase-1-step-000000002.ckpt"
    resume_small(tmp_path / "run")
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


def test_a_run_that_diverges_at_once_ends_with_exit_code_1(tmp_path, capsys):
    config = replace(SMALL, lr=1e30, checkpoint_steps=500)
    assert main(["train", *as_words(config, tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert "at step 1: the loss is not finite" in said
    assert "There is no checkpoint yet." in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
@pytest.mark.parametrize("moment", ["checkpoint", "model"])
def test_a_full_disk_keeps_what_was_good_and_says_so(tmp_path, monkeypatch, finished_run, capsys, moment):
    """A limit on the size of files stands for the disk: torch and safetensors meet it in their own code."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(*given, **named):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        return plain(*given, **named)

    plain = runs.measure
    with monkeypatch.context() as patched:
        if moment == "checkpoint":
            at_step(patched, 4, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1])))
        else:
            patched.setattr(runs, "measure", fill)
        try:
            code = main(["train", *as_words(SMALL, tmp_path / "run")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert code == 2
    assert "could not be read or written" in said
    assert f"auxrnn resume {tmp_path / 'run'}" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "run").rglob("*.part"))
    if moment == "checkpoint":
        assert newest(tmp_path / "run").name == "phase-1-step-000000001.ckpt"
    resume_small(tmp_path / "run")
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


# Options --------------------------------------------------------------------------------------------------------------


def test_without_validation_the_last_epoch_is_the_model(tmp_path):
    lines = []
    result = run_small(tmp_path / "run", lines.append, validation_fraction=0.0, model="lstm", pretrain_epochs=0)
    assert result["train_sequences"] == 40
    assert result["best_epoch"] is None
    assert result["validation_accuracy"] is None
    assert points(read_curve(RunFolder(tmp_path / "run"))) == []
    assert "validation accuracy" not in lines[-1]


def test_the_folder_has_a_name_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start_run(replace(SMALL, model="lstm", max_epochs=0, pretrain_epochs=0, aux=AuxiliaryConfig()), lambda line: None)
    assert (tmp_path / "runs" / "digits-lstm-3" / "result.json").is_file()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_trains_from_the_command_line(model, tmp_path, capsys):
    words = ["--hidden_size=3", "--projection_size=2", "--bptt=3", "--segment_length=5", "--num_anchors=1", "--seed=1"]
    sizes = ["--transformer.layers=1", "--transformer.width=4", "--transformer.heads=2"]
    training = ["--pretrain_epochs=1", "--max_epochs=1", "--limit_train=40", "--batch_size=20", "--accelerator=cpu"]
    out = f"--out={tmp_path / 'run'}"
    assert main(["train", "digits", "--model", model, *words, *sizes, *training, out]) == 0
    said = capsys.readouterr().out
    assert "Test accuracy 0." in said
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["model"] == model
    network = load_model(tmp_path / "run" / "model").network
    assert result["classifier_parameters"] == network.classifier_parameters()
    assert result["parameters"] == sum(weight.numel() for weight in network.parameters())
    has_decoder = bool(ModelConfig(model=model).auxiliaries)
    assert (result["classifier_parameters"] < result["parameters"]) == has_decoder


# A real kill ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sigkill_at_random_moments(tmp_path):
    words = [
        word for word in as_words(replace(SMALL, limit_train=60, max_epochs=6), "x") if not word.startswith("--out")
    ]
    finished = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "kill_test.py", "--kills=3", f"--folder={tmp_path}", *words],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("killed after") == 3
    assert "same bytes" in finished.stdout.splitlines()[-1]
