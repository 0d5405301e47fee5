"""The scripts in benchmarks/ run at their smallest."""

import json
import subprocess
import sys
from pathlib import Path

from auxrnn.arguments import parse_run_config
from auxrnn.grids.records import read_records
from auxrnn.runs.run import start_run

SCRIPTS = Path(__file__).parents[1] / "benchmarks"


def run(*words):
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)


def test_several_processes_at_once(tmp_path):
    words = [sys.executable, str(SCRIPTS / "at_once.py"), "--smoke", "--seconds", "0.05", "--processes", "1", "2"]
    done = run(*words, "--out", str(tmp_path / "rates.json"))
    assert done.returncode == 0, done.stderr
    assert "r-LSTM 20x30" in done.stdout
    assert (tmp_path / "rates.json").is_file()
    refused = run(*words[:-2], "0")
    assert refused.returncode == 2
    assert "at least 1 process" in refused.stderr


def test_the_parts_of_an_initialisation(tmp_path):
    """A variant without changes is the run that its line describes; single parts are what their names say."""
    out = tmp_path / "parts.jsonl"
    chosen = ("torch", "torch, forget bias 1", "tensorflow")
    words = [sys.executable, str(SCRIPTS / "initialisation_parts.py"), "--smoke", "--seeds", "1", "--out", str(out)]
    for name in chosen:
        words += ["--variant", name]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    records = read_records(out)
    assert list(records) == [f"{name}/seed-0" for name in chosen]
    assert records["torch, forget bias 1/seed-0"].environment["changed"] == "forget_open"
    config = parse_run_config(["--config", f"{out}#tensorflow/seed-0", "--out", str(tmp_path / "again")])
    assert start_run(config, lambda line: None)["test_loss"] == records["tensorflow/seed-0"].result["test_loss"]
    start = json.loads((tmp_path / "parts-start.json").read_text())
    assert list(start) == list(chosen)
    assert start["tensorflow"]["pixel_share"] == 1  # no bias
    assert start["torch"]["pixel_share"] < 0.5
    gates = {name: start[name]["forget_gate"]["mean"] for name in chosen}
    assert abs(gates["torch"] - 0.5) < 0.1 < abs(gates["torch, forget bias 1"] - 0.5)
    assert abs(gates["tensorflow"] - 0.731) < 0.02  # 1 / (1 + exp(-1))
    assert all(len(found["gradient"]) == 64 for found in start.values())  # as many as digits have steps
    assert run(*words).stdout == ""  # all is recorded
    assert run(*words[:-2], "--variant", "torsch").returncode == 2
