"""The soak in small: all of it runs, and its figures are those that results/soak.json holds."""

import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_both_parts(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("soak", ROOT / "benchmarks" / "soak.py")
    soak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(soak)
    out = tmp_path / "soak.json"
    words = ["--steps=24", "--longest=300", "--stream=4000", "--settled=8", f"--out={out}"]
    monkeypatch.setattr(sys, "argv", ["soak.py", *words])
    soak.main()
    training, stream = json.loads(out.read_text())["parts"]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [training, stream]
    assert (training["steps"], stream["steps"], stream["alone"]) == (24, 4000, 200)
    for part in (training, stream):
        assert 0 < part["settled_bytes"] <= part["most_bytes"]
        assert part["growth"] < 0.5


def test_the_stored_figures():
    content = json.loads((ROOT / "results" / "soak.json").read_text())
    training, stream = content["parts"]
    assert training["steps"] >= 2000
    assert training["longest"] == 20_000
    assert stream["steps"] >= 10_000_000
    assert all(part["growth"] <= 0.05 for part in (training, stream))
