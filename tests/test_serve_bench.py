"""The bench of the service in small: it leaves its figures, and sees a wrong answer."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import serve


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_figures(tmp_path, monkeypatch):
    out = tmp_path / "serve.json"
    words = ["--requests=20", "--streams=3", "--chunks=4", "--steps=30", f"--out={out}"]
    monkeypatch.setattr(sys, "argv", ["serve.py", *words])
    serve.main()
    found = json.loads(out.read_text())
    assert (found["requests"], found["streams"], found["refused"]) == (20, 3, {"400": 7, "413": 1})
    assert found["largest_difference"] < 1e-6
    assert len(found["bytes"]) == 10
    plain = serve.LEARNED.sequence
    monkeypatch.setattr(serve.Preprocessing, "sequence", lambda self, steps, where: plain(steps + 1, where))
    assert serve.main() == 1
    assert json.loads(out.read_text())["largest_difference"] > 1e-4
