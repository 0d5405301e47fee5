"""The scripts in benchmarks/ run at their smallest."""

import importlib
import json
import math
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.objectives.base import objective_losses
from auxrnn.core.objectives.supervised import Supervised
from auxrnn.core.readouts import Moments, Readout
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.experiments.grids.records import read_records
from auxrnn.runs.run import start_run

SCRIPTS = Path(__file__).parents[1] / "benchmarks"


def run(*words):
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)


@pytest.fixture
def script(monkeypatch, capsys):
    """(exit code, standard output, standard error) of a script, in this process."""
    monkeypatch.syspath_prepend(SCRIPTS)

    def call(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        capsys.readouterr()
        try:
            code = importlib.import_module(name).main()
        except SystemExit as end:
            code = end.code
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_several_processes_at_once(script, tmp_path):
    words = ["at_once", "--smoke", "--seconds", "0.05", "--processes"]
    code, out, _ = script(*words, 1, 2, "--out", tmp_path / "rates.json")
    assert code == 0
    assert "r-LSTM 20x30" in out
    assert {figure["processes"]: len(figure["steps"]) for figure in read(tmp_path / "rates.json")} == {1: 1, 2: 2}
    code, _, error = script(*words, 0)
    assert code == 2
    assert "at least 1 process" in error


def read(rates):
    return json.loads(rates.read_text())["figures"]


def test_reach(script, tmp_path, monkeypatch):
    """Each recipe and distance is run once, and the page has its figures below what a person has written."""
    monkeypatch.syspath_prepend(SCRIPTS)
    reach = importlib.import_module("reach")
    monkeypatch.chdir(tmp_path)
    small = "--recipe modern --candidates 1 --hidden_size 4 --stride 16 --epoch_passes 1 --max_epochs 1"
    monkeypatch.setattr(reach, "SHARED", f"{small} --limit_train 20 --limit_test 10")
    words = ["reach", "--recipe", "lstm, stats", "--distance", 200, "--out", "."]
    (tmp_path / "reach.md").write_text("# Said by hand\n\n", encoding="utf-8")
    for _ in range(2):
        script(*words)
    (record,) = read_records(tmp_path / "reach.jsonl").values()
    assert (record.name, record.config.distance) == ("lstm, stats/200/seed-0", 200)
    page = (tmp_path / "reach.md").read_text(encoding="utf-8")
    assert page.startswith("# Said by hand\n\n<!--")
    assert f"| lstm, stats | {100 * record.result['test_accuracy']:.1f} |" in page
    assert str(tmp_path) not in (tmp_path / "reach.jsonl").read_text(encoding="utf-8")


LAPTOP = SCRIPTS.parent / "results" / "laptop"


def test_rivals(script, tmp_path):
    """By hand: of three seeds mean and interval, of fewer the mean and their number, of none nothing."""
    lines = (LAPTOP / "rivals.jsonl").read_text(encoding="utf-8").splitlines()
    plain = [line for line in lines if line.startswith('{"run":"mnist/lstm-c374c80b/seed-')]
    accuracies = [100 * json.loads(line)["result"]["test_accuracy"] for line in plain]
    assert len(plain) == 3
    page, record = tmp_path / "page.md", tmp_path / "rivals.jsonl"
    half = 4.3027 * statistics.stdev(accuracies) / math.sqrt(3)  # Student's t, 2 degrees of freedom
    three = f"{sum(accuracies) / 3:.1f} ± {half:.1f}"
    for number, told in ((3, three), (2, f"{sum(accuracies[:2]) / 2:.1f} (2)")):
        record.write_text("\n".join(plain[:number]) + "\n", encoding="utf-8")
        assert script("rivals", "--record", record, "--page", page)[0] is None
        (row,) = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| LSTM")]
        assert row == f"| LSTM; windows | {told} |" + "  |" * 4
    before = page.read_text(encoding="utf-8")
    assert script("rivals", "--record", tmp_path / "nothing.jsonl", "--page", page)[0] == 2
    assert page.read_text(encoding="utf-8") == before


def test_the_table_of_rivals_is_that_of_the_record(script, tmp_path):
    page, kept = tmp_path / "rivals.md", LAPTOP / "rivals.md"
    page.write_bytes(kept.read_bytes())
    script("rivals", "--record", LAPTOP / "rivals.jsonl", "--page", page)
    assert page.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")


def test_the_parts_of_an_initialisation(script, tmp_path):
    """A variant without changes is the run that its line describes; single parts are what their names say."""
    out = tmp_path / "parts.jsonl"
    chosen = ("torch", "torch, forget bias 1", "tensorflow")
    words = ["initialisation_parts", "--smoke", "--seeds", "1", "--out", out]
    for name in chosen:
        words += ["--variant", name]
    assert script(*words)[0] == 0
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
    assert script(*words)[1] == ""  # all is recorded
    assert script(*words, "--variant", "torsch")[0] == 2


def test_a_walk_through_a_house(tmp_path, monkeypatch):
    """a calls b, b calls c, c calls a, a calls c: the last two lead to where the walk has been."""
    for name, text in {
        "a": "def first():\n    import toy_b, toy_c\n    toy_b.go()\n    toy_c.go()\n    toy_b.go()\ndef last(): pass",
        "b": "import toy_c\ndef go(): toy_c.go()",
        "c": "import toy_a\ndef go(): toy_a.last()",
    }.items():
        (tmp_path / f"toy_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(SCRIPTS)
    walk = importlib.import_module("walk").follow(importlib.import_module("toy_a").first, tmp_path.resolve())
    assert list(walk.rooms) == ["", "toy_a", "toy_b", "toy_c"]
    assert walk.returns == 2


def test_the_counts_of_a_house(tmp_path):
    """A package of four rooms with a known number of everything."""
    files = {
        "__init__.py": "from toy.model import Net as Net",
        "model.py": "from toy.cells import lstm\nclass Net:\n    def run(self):\n        return lstm\n",
        "cells/__init__.py": "LIMIT = 3\n_own = 4",
        "cells/lstm.py": "from . import gru\ndef late():\n    from ..errors import Wrong\n",
        "cells/gru.py": "import toy.cells.lstm\n@triton.jit\ndef kernel():\n    a = 1\n    b = 2\n",
        "errors.py": "class Wrong(Exception): ...",
    }
    for name, text in files.items():
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run("git", "init", str(tmp_path))
    run("git", "-C", str(tmp_path), "add", "toy")
    done = run(sys.executable, str(SCRIPTS / "house.py"), str(tmp_path / "toy"))
    assert done.returncode == 0, done.stderr
    head, _, row, *_ = ([cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines())
    assert dict(zip(head, map(int, row), strict=True)) == {
        "files": 6,
        "lines": 16,
        "rooms": 4,
        "arrows": 3,
        "modules in circles": 2,
        "functions above 70 lines": 0,
        "longest": 2,
        "public names": 5,
        "tracked files": 6,
    }


def test_digests_of_weights():
    """Of a training that is stopped too; the same configuration twice has the same bits."""
    words = [sys.executable, str(SCRIPTS / "digests.py"), "irnn", "stopped and resumed", "irnn"]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    digests, names = zip(*(line.split("  ") for line in done.stdout.splitlines()), strict=True)
    assert list(names) == words[2:]
    assert len(digests[0]) == 64
    assert digests[0] == digests[2] != digests[1]


def test_peers(script, tmp_path, monkeypatch):
    """Every model once, nothing twice; what a limit has stopped is tried again at a higher one alone."""
    out, page = tmp_path / "peers.jsonl", tmp_path / "peers.md"
    models = ("auxrnn", "strided CNN", "LSTM, full BPTT", "window statistics", "majority class")
    words = ["peers", "--smoke", "--out", out, "--limit", "60", "--sets", "sensors", "--models", *models]
    for library in ("OMP", "NUMBA", "OPENBLAS", "MKL"):  # which the script sets
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    assert script(*words)[0] == 0
    found = {record["run"]: record for record in map(json.loads, out.read_text().splitlines())}
    assert list(found) == [f"sensors/{model}/seed-0" for model in models]
    results = [record["result"] for record in found.values()]
    assert results[-1]["accuracy"] == round(1 / 3, 4)  # balanced classes
    assert all(0 <= result["fit_seconds"] < 60 and result["fit_mib"] >= 0 for result in results)
    assert found["sensors/auxrnn/seed-0"]["result"]["stream_apart"] < 1e-5
    assert found["sensors/strided CNN/seed-0"]["settings"] == {"steps": 2}
    assert "| sensors | " in page.read_text()

    page.write_text(f"Words before.\n\n{page.read_text()}Words after.\n")
    last = found["sensors/majority class/seed-0"]
    del last["result"]
    for limit, again in ((60.0, False), (59.0, True)):
        last |= {"limit": limit, "stopped": "took more than it should"}
        out.write_text("".join(json.dumps(record) + "\n" for record in found.values()))
        code, said, _ = script(*words)
        assert code == 0
        assert [line.split(":")[0] for line in said.splitlines()[:-1]] == [last["run"]] * again
        assert page.read_text().startswith("Words before.\n\n<!--")
        assert page.read_text().endswith("-->\nWords after.\n")
        assert ("took more than it should" in page.read_text()) is not again

    code, _, error = script(*words[:-1], "majority clas")
    assert code == 2
    assert "Did you mean 'majority class'?" in error


def test_the_parts_of_modern(script, tmp_path):
    """Nothing twice; few labels are of every class; an anchor that reads all so far sees what is before its window."""
    out, page = tmp_path / "parts.jsonl", tmp_path / "parts.md"
    assert script("modern_parts", "--smoke", "--seeds", "1", "--out", out)[0] is None
    found = {record["run"]: record for record in map(json.loads, out.read_text().splitlines())}
    labels = {run.split("/")[1]: record["labels"] for run, record in found.items()}
    assert labels == {"1": 24, "0.01": 3, "0.05": 3, "0.2": 6}
    assert found["sensors/0.2/predict, pretrained/seed-0"]["epochs"] == [1, 2]
    assert "| sensors | 20 % (6) |" in page.read_text()
    assert script("modern_parts", "--smoke", "--seeds", "1", "--out", out)[1] == ""

    from modern_parts import AllSoFar  # the script's folder is on the path now

    torch.manual_seed(0)
    encoder = Encoder(InputSpec("values", 1), hidden_size=3, projection_size=None)
    AllSoFar.encoder[:] = [encoder]
    readout = Readout("stats", 3)
    options = {"bptt": 4, "readout": readout, "num_windows": 3}
    head = torch.nn.Linear(readout.size, 2)
    batch = SequenceBatch(torch.randn(1, 12, 1), torch.tensor([12]), torch.tensor([1]))
    with torch.no_grad():
        outputs = encoder(batch.inputs)[0]
        expected = sum(
            functional.cross_entropy(
                head(readout(Moments(outputs[:, :stop].mean(1), outputs[:, :stop].square().mean(1)))), batch.labels
            )
            for stop in (4, 8, 12)
        )
        plain, asked = (
            objective_losses(encoder, batch, [kind(head, **options, **more)], 1.0, torch.Generator())[0].mean
            for kind, more in ((Supervised, {}), (AllSoFar, {"anchor_weight": 3.0}))
        )
    torch.testing.assert_close(asked - plain, expected)


@pytest.mark.parametrize("kind", ["burst", "bump"])
def test_the_event_of_the_sensor_job(kind, monkeypatch):
    """What a sequence holds beyond noise is one event, in its place, that tells the class and no other."""
    monkeypatch.syspath_prepend(SCRIPTS)
    from peer_data import PERIODS, Sensors

    job = Sensors(kind=kind, amplitude=2.0, first=1_000, last=1_700, steps=2_048, train=30, test=6)
    noise = replace(job, amplitude=0.0).make(1)
    found = job.make(1)
    assert found.y.tolist() == [0, 1, 2] * 10
    assert abs(noise.X.std() - 1) < 0.01
    events = found.X - noise.X
    for event, label in zip(events, found.y, strict=True):
        steps = np.flatnonzero(np.abs(event).max(1) > 1e-6)
        assert 1_000 <= steps[0] < steps[-1] < 1_700
        assert steps[-1] - steps[0] == 147  # Hann's window is 0 at both ends of the 150
        assert 1.9 < np.abs(event).max() <= 2.0 + 1e-6
        if kind == "burst":
            spectrum = np.abs(np.fft.rfft(event[steps[0] - 1 : steps[0] + 149], axis=0))  # of 150 steps
            assert spectrum.argmax(0).tolist() == [150 // PERIODS[label]] * 3
        else:
            assert np.flatnonzero(np.abs(event).max(0) > 1e-6).tolist() == [label]
    assert len(set(events.argmax(1)[:, 0])) > 5  # not always at the same place
    assert not np.array_equal(found.X[0], job.make(2).X[0])


def test_cores_and_gradients(tmp_path):
    done = run(sys.executable, str(SCRIPTS / "cores.py"), "--smoke", "--out", str(tmp_path / "cores.json"))
    assert done.returncode == 0, done.stderr
    assert "ur-lstm, 2 x 20" in done.stdout
    assert "mingru, stats, exact, 2 x 30" in json.loads((tmp_path / "cores.json").read_text())["seconds"]


def test_phases_reads_as_the_core_does(script, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    phases = importlib.import_module("phases")
    torch.manual_seed(0)
    core, values = phases.LRU(1, 4).double(), torch.randn(3, 50, dtype=torch.float64)
    torch.testing.assert_close(phases.last_output(core, values), core(values.unsqueeze(2))[0][:, -1])
