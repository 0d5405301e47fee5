"""A run goes on with the data, and the threads, that it was started with; what else its bits depend on is told."""

import json
import re
from dataclasses import replace

import pytest
import torch

from auxrnn.config import RunConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.runs.datasets import load_data
from auxrnn.runs.provenance import DATA, as_started, check_same_data, describe_data
from auxrnn.runs.run import resume_run, start_run
from auxrnn.sources.importing import import_source
from own_files import write_long_form, write_texts
from small_runs import KilledError, at_step, kill, model_bytes

OWN = RunConfig(
    model="lstm",
    hidden_size=4,
    projection_size=3,
    bptt=4,
    max_epochs=3,
    batch_size=4,
    accelerator="cpu",
    checkpoint_steps=1,
)


def stopped_run(config, monkeypatch):
    with monkeypatch.context() as patched:
        at_step(patched, 3, kill)
        with pytest.raises(KilledError):
            start_run(config, lambda line: None)


def described(path, **changes):
    return describe_data(load_data(replace(OWN, data=str(path), **changes)))


def test_a_digest_is_of_all_that_is_read_and_of_nothing_else(tmp_path):
    path = write_long_form(tmp_path, 20)
    found = described(path)
    assert found["train_sequences"] + found["test_sequences"] == 20
    assert found["train_steps"] + found["test_steps"] == sum(index % 3 + 2 for index in range(20))
    lines = path.read_text().splitlines()
    path.touch()
    assert described(path) == found
    for changed in (
        [*lines[:1], lines[1].replace("0.0,", "0.5,", 1), *lines[2:]],
        [line.replace("odd", "other") for line in lines],
        lines[:-4],
    ):
        path.write_text("\n".join(changed) + "\n")
        assert described(path)["digest"] != found["digest"]


@pytest.mark.parametrize("write", [write_long_form, write_texts])
def test_an_imported_set_has_the_digest_of_its_files(tmp_path, write):
    path = write(tmp_path, 20)
    import_source(path, tmp_path / "set", ReadingOptions(), lambda _: None)
    assert described(tmp_path / "set") == described(path)


def test_other_data_are_refused_and_the_first_go_on_to_the_same_bits(tmp_path, monkeypatch):
    path = write_long_form(tmp_path, 30)
    before = path.read_text()
    config = replace(OWN, data=str(path), out=str(tmp_path / "run"))
    start_run(replace(config, out=str(tmp_path / "whole")), lambda line: None)
    stopped_run(config, monkeypatch)
    path.write_text(before.replace("0.1,-0.1,even", "7,-0.1,even"))
    with pytest.raises(InputError, match="found as many sequences and steps with other values or labels"):
        resume_run(tmp_path / "run", lambda line: None)
    write_long_form(tmp_path, 31)
    with pytest.raises(InputError, match=r"expected the data that the run was started on, found 2\d train sequences"):
        resume_run(tmp_path / "run", lambda line: None)
    path.write_text(before)
    resume_run(tmp_path / "run", lambda line: None)
    assert model_bytes(tmp_path / "run") == model_bytes(tmp_path / "whole")


def test_runs_of_older_versions_say_nothing_of_their_data(tmp_path):
    data = load_data(replace(OWN, data=str(write_long_form(tmp_path, 20))))
    check_same_data("run", {}, data)
    check_same_data("run", {DATA: describe_data(data)}, data)


def test_the_threads_of_the_start_are_used_again(tmp_path, monkeypatch):
    config = replace(OWN, data=str(write_long_form(tmp_path, 30)), out=str(tmp_path / "run"), num_threads=None)
    stopped_run(config, monkeypatch)
    path = tmp_path / "run" / "env.json"
    assert json.loads(path.read_text())["threads"] == torch.get_num_threads() == 1
    used, lines = [], []
    torch.set_num_threads(2)
    try:
        monkeypatch.setattr("auxrnn.runs.run.fit", lambda *given, **named: used.append(given[4].num_threads) or kill())
        with pytest.raises(KilledError):
            resume_run(tmp_path / "run", lines.append)
    finally:
        torch.set_num_threads(1)
    assert used == [1]
    assert "Note        1 CPU thread as at the start, for the same bits; here there would be 2" in lines
    path = tmp_path / "run" / "config.yaml"
    path.write_text(path.read_text().replace("num_threads: null", "num_threads: 2"))
    with pytest.raises(KilledError):
        resume_run(tmp_path / "run", lines.append)
    assert used == [1, 2]
    assert "Note        2 CPU threads instead of 1 at the start: not the same bits" in lines


STARTED = {"threads": 4, "packages": {"torch": "2.6.0"}, "processor": "one", "gpus": []}


@pytest.mark.parametrize(
    ("asked", "changes", "threads", "notes"),
    [
        (None, {}, 4, ()),
        (None, {"threads": 2}, 4, ("4 CPU threads as at the start, for the same bits; here there would be 2",)),
        (4, {"threads": 2}, 4, ()),
        (1, {}, 1, ("1 CPU thread instead of 4 at the start: not the same bits",)),
        (
            None,
            {"packages": {"torch": "2.7.0"}, "gpus": ["H200"]},
            4,
            (
                "torch 2.7.0 instead of 2.6.0 at the start: the result may not be the same bits",
                "gpus H200 instead of none at the start: the result may not be the same bits",
            ),
        ),
    ],
)
def test_what_the_bits_depend_on_is_told(asked, changes, threads, notes):
    config, told = as_started(replace(OWN, num_threads=asked), STARTED, {**STARTED, **changes})
    assert (config.num_threads, told) == (threads, notes)
    assert as_started(OWN, {}, STARTED) == (OWN, ())


def test_two_that_resume_at_once_train_once(tmp_path, monkeypatch):
    """The second waits for its data while the first finishes, and looks again before it trains."""
    config = replace(OWN, data=str(write_long_form(tmp_path, 30)), out=str(tmp_path / "run"))
    stopped_run(config, monkeypatch)
    plain, lines = load_data, []

    def meanwhile(given):
        data = plain(given)
        with monkeypatch.context() as patched:
            patched.setattr("auxrnn.runs.run.load_data", plain)
            resume_run(tmp_path / "run", lambda line: None)
        before.append((tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns)
        return data

    before = []
    monkeypatch.setattr("auxrnn.runs.run.load_data", meanwhile)
    result = resume_run(tmp_path / "run", lines.append)
    assert lines == [f"{tmp_path / 'run'} is finished; nothing to do."]
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert before == [(tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns]


def test_a_digest_survives_json(tmp_path):
    found = described(write_texts(tmp_path, 20))
    assert json.loads(json.dumps(found)) == found
    assert re.fullmatch("[0-9a-f]{64}", found["digest"])
