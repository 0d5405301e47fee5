"""Run folders are read as they are and gathered by what they have in common."""

import json
from dataclasses import replace

import pytest
import yaml

from auxrnn.config import AuxiliaryConfig
from auxrnn.errors import InputError
from auxrnn.experiments.arms import differing, gather_arms, read_run, settings
from auxrnn.runs.folder import RunFolder
from auxrnn.training.history import columns
from small_runs import SMALL

COLUMNS = columns("accuracy")


def lay(folder, config=SMALL, *, accuracy=None, rows=2):
    """A run folder without a training."""
    place = RunFolder(folder)
    folder.mkdir()
    place.config.write_text(yaml.safe_dump(config.to_dict()))
    place.environment.write_text('{"commit": "abc"}')
    if rows:
        lines = [",".join("0.5" if name in ("train_accuracy", "seconds") else "" for name in COLUMNS)] * rows
        place.metrics.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    if accuracy is not None:
        place.result.write_text(json.dumps({"test_accuracy": accuracy, "validation_accuracy": None}))
    return read_run(folder)


def test_a_run(tmp_path):
    run = lay(tmp_path / "a", accuracy=0.25)
    assert run.config == SMALL
    assert run.result["test_accuracy"] == 0.25
    assert run.environment == {"commit": "abc"}
    assert (run.epochs, run.all_epochs) == (2, 3)
    assert run.points("train_accuracy", 100.0) == [(1.0, 50.0), (2.0, 50.0)]
    assert run.points("validation_accuracy") == []


def test_an_unfinished_run(tmp_path):
    run = lay(tmp_path / "a", replace(SMALL, model="lstm"), rows=0)
    assert run.result is None
    assert (run.epochs, run.all_epochs) == (0, 2)  # nothing to pretrain on


def test_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"none: expected a run folder, found nothing"):
        read_run(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"found a file"):
        read_run(tmp_path / "file")
    with pytest.raises(InputError, match=r"no config.yaml"):
        read_run(tmp_path)


@pytest.mark.parametrize("content", ["a,b\n1,2\n", ",".join(COLUMNS) + "\n" + "x," * len(COLUMNS) + "\n"])
def test_a_damaged_curve(tmp_path, content):
    run = lay(tmp_path / "a")
    run.folder.metrics.write_text(content)
    with pytest.raises(InputError, match="expected a learning curve"):
        run.points("loss")


def test_a_curve_that_is_larger_than_any(tmp_path, monkeypatch):
    run = lay(tmp_path / "a")
    monkeypatch.setattr("auxrnn.storage.files.LARGEST_DESCRIPTION", run.folder.metrics.stat().st_size - 1)
    with pytest.raises(InputError, match=r"metrics\.csv: expected a learning curve, .* the most that such a file has"):
        run.points("loss")


def test_arms_are_runs_that_differ_in_seed_and_place(tmp_path):
    runs = [
        lay(tmp_path / "b", replace(SMALL, seed=2, out="x", data_dir="y", num_threads=2), accuracy=0.5),
        lay(tmp_path / "c", replace(SMALL, bptt=9)),
        lay(tmp_path / "a", replace(SMALL, seed=1), accuracy=0.25),
        lay(tmp_path / "d", replace(SMALL, model="lstm", seed=1)),
    ]
    first, second, third = gather_arms(runs)
    assert first.runs == (runs[2], runs[0])
    assert first.values("test_accuracy") == {1: 0.25, 2: 0.5}
    assert first.values("validation_accuracy") == {}  # null in the result
    assert second.finished == []
    assert [arm.name for arm in (first, second, third)] == ["rp-LSTM (bptt 4)", "rp-LSTM (bptt 9)", "LSTM"]


def test_a_seed_that_comes_twice(tmp_path):
    runs = [lay(tmp_path / name) for name in "ab"]
    with pytest.raises(InputError, match=r"got seed 3 of one configuration in .*a, .*b"):
        gather_arms(runs)


def test_settings_by_their_names_on_the_command_line():
    found = settings(replace(SMALL, aux=AuxiliaryConfig(unfed="blank")))
    assert found["aux.unfed"] == "blank"
    assert found["bptt"] == 4
    assert {"aux", "transformer", "seed", "out", "data_dir", "num_workers"} & set(found) == set()
    assert differing([SMALL, replace(SMALL, lr=0.5, seed=9, aux=AuxiliaryConfig(weight=2.0))]) == ["aux.weight", "lr"]
