"""The soak in small: both parts run and leave their figures."""

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
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [part | {"kernels": training["kernels"]} for part in shown] == [training, stream]
    assert (training["steps"], stream["steps"], stream["alone"]) == (24, 4000, 200)
    for part in (training, stream):
        assert 0 < part["settled_bytes"] <= part["most_bytes"]
        assert part["growth"] < 0.5
