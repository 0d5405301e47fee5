"""The scripts in benchmarks/ run at their smallest."""

import subprocess
import sys
from pathlib import Path

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
