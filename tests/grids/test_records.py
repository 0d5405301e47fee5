"""Rows of finished runs come from their folders alone."""

import csv
import json
import shutil

import pytest

from auxrnn.errors import InputError
from auxrnn.grids.records import CIRCUMSTANCES, FIGURES, collect_records, score_told, write_records
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


def test_a_damaged_run_is_told_and_the_others_are_collected(root, finished_run):
    shutil.copytree(root / "mnist", root / "stray")
    path = root / "stray" / "lstm" / "seed-3" / "result.json"
    path.write_text("{}")
    lines = []
    assert [record.name for record in collect_records(root, lines.append)] == ["mnist/lstm/seed-3"]
    (line,) = lines
    assert line.startswith(f"Left out: {path}: expected the result of a run, found test_accuracy None")


@pytest.mark.parametrize(
    ("target", "scores", "told"),
    [
        ("value", {"r2": -0.5, "rmse": 3.25, "mae": 2.0}, "R2 -0.5"),
        ("tags", {"step_accuracy": 0.75}, "step accuracy 75.00 %"),
        ("classes", {"micro_f1": 0.5, "exact_match": 0.25}, "micro-F1 50.00 %"),
        ("class", {"accuracy": 0.5}, "50.0 %"),
    ],
)
def test_every_target_has_its_own_score(root, target, scores, told):
    path = root / "mnist" / "lstm" / "seed-3" / "result.json"
    result = {name: value for name, value in json.loads(path.read_text()).items() if not name.startswith("test_")}
    result |= {"target": target, **{f"test_{name}": value for name, value in scores.items()}}
    path.write_text(json.dumps(result))
    (record,) = collect_records(root)
    assert {name: record.figures[f"test_{name}"] for name in scores} == scores
    assert score_told(result) == told
    write_records(root, [record])
    with open(root / "runs.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert {name: float(row[f"test_{name}"]) for name in scores} == scores
    score = next(iter(scores))
    path.write_text(json.dumps({**result, f"test_{score}": "none"}))
    with pytest.raises(InputError, match=f"found test_{score} 'none'"):
        collect_records(root)


@pytest.mark.parametrize("content", ["{}", "[", "[]"])
def test_a_damaged_result_is_named(root, content):
    path = root / "mnist" / "lstm" / "seed-3" / "result.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"seed-3/result\.json: expected"):
        collect_records(root)
