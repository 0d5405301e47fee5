"""Rows of finished runs come from their folders alone."""

import csv
import json
import shutil

import pytest

from auxrnn.errors import InputError
from auxrnn.grids.records import CIRCUMSTANCES, FIGURES, collect_records, write_records
from small_runs import SMALL


@pytest.fixture
def root(tmp_path, finished_run):
    """A finished run, one that is not, and somebody else's file."""
    small = shutil.ignore_patterns("checkpoints", "model", "tensorboard")
    shutil.copytree(finished_run, tmp_path / "mnist" / "lstm" / "seed-3", ignore=small)
    shutil.copytree(finished_run, tmp_path / "unfinished", ignore=small)
    (tmp_path / "unfinished" / "result.json").unlink()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "result.json").write_text("[]")
    return tmp_path


def test_a_finished_run_is_a_record(root, finished_run):
    (record,) = collect_records(root)
    assert record.name == "mnist/lstm/seed-3"
    assert record.config == SMALL
    result = json.loads((finished_run / "result.json").read_text())
    assert record.figures == {name: result[name] for name in FIGURES}
    assert record.figures["peak_memory_bytes"] > 2**20
    assert record.figures["test_loss"] > 0
    assert set(record.circumstances) == set(CIRCUMSTANCES)
    assert record.circumstances["packages"]["torch"]


def test_the_files_of_a_grid(root):
    records = collect_records(root)
    write_records(root, records)
    with open(root / "runs.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["run"] == "mnist/lstm/seed-3"
    assert row["seed"] == "3"
    assert row["aux.weight"] == "1.0"
    assert row["packages.torch"] == records[0].circumstances["packages"]["torch"]
    assert float(row["test_accuracy"]) == records[0].figures["test_accuracy"]
    (line,) = (root / "runs.jsonl").read_text().splitlines()
    assert json.loads(line) == records[0].nested()


def test_no_runs(tmp_path):
    write_records(tmp_path, collect_records(tmp_path))
    assert (tmp_path / "runs.jsonl").read_text() == ""


def test_a_run_of_an_older_version_lacks_figures(root):
    path = root / "mnist" / "lstm" / "seed-3" / "result.json"
    result = json.loads(path.read_text())
    del result["peak_memory_bytes"]
    path.write_text(json.dumps(result))
    (record,) = collect_records(root)
    assert record.figures["peak_memory_bytes"] is None


@pytest.mark.parametrize("content", ["{}", "[", "[]"])
def test_a_damaged_result_is_named(root, content):
    path = root / "mnist" / "lstm" / "seed-3" / "result.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"seed-3/result\.json: expected"):
        collect_records(root)
