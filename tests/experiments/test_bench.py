"""The benches measure what they say."""

import json

import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.errors import InputError
from auxrnn.experiments import bench
from auxrnn.experiments.bench import Case, bench_memory, bench_time

SMALL = {
    "r": ModelConfig(model="r-lstm", hidden_size=4, projection_size=None, bptt=3, segment_length=4),
    "full": ModelConfig(model="lstm", hidden_size=4, projection_size=None, bptt="full"),
}

on_linux = pytest.mark.skipif(not bench.STATUS.exists(), reason="memory is read from Linux's /proc")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bench, "CASES", SMALL)
    monkeypatch.setattr(bench, "BATCH_SIZE", 4)
    monkeypatch.setattr(bench, "ROUNDS", 2)
    monkeypatch.setattr(bench, "FULL_LIMIT", 10)


def test_time(tmp_path, capsys):
    found = bench_time([12, 5, 5], tmp_path / "a" / "time.json")
    assert [(one["model"], one["steps"]) for one in found["figures"]] == [("r", 5), ("full", 5), ("r", 12)]
    assert all(len(one["seconds"]) == 2 and min(one["seconds"]) > 0 for one in found["figures"])
    assert json.loads((tmp_path / "a" / "time.json").read_text()) == found
    assert found["environment"]["packages"]["torch"] == torch.__version__
    out = capsys.readouterr().out
    assert "T 5" in out
    assert "T 12" in out
    assert "1.0" in out


@on_linux
def test_memory(tmp_path, capsys, monkeypatch):
    """In this process; test_a_process_of_its_own takes another."""
    peaks = {("r", 5): 2.0, ("full", 5): 1.0, ("r", 12): 3.0}
    monkeypatch.setattr(bench, "_apart", lambda _, case: peaks[case.name, case.steps] * 2**20)
    found = bench_memory([5, 12], tmp_path / "memory.json")
    assert {(one["model"], one["steps"]): one["mib"] for one in found["figures"]} == peaks
    assert json.loads((tmp_path / "memory.json").read_text()) == found
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["r", "2.0", "3.0", "1.500"] in lines
    assert ["full", "1.0", "-", "1.000"] in lines


@on_linux
def test_a_step_that_needs_nothing_is_no_division_by_zero(monkeypatch, capsys):
    monkeypatch.setattr(bench, "_apart", lambda _, case: 0.0)
    bench_memory([5])
    assert "0.0" in capsys.readouterr().out


@on_linux
@pytest.mark.skipif(torch.cuda.is_available(), reason="measured on the GPU where there is one")
@pytest.mark.parametrize("mebibytes", [64, 192])
def test_the_peak_sees_an_allocation_of_known_size(monkeypatch, mebibytes):
    def training_step(case):
        return lambda: torch.ones(mebibytes * 2**18 if case.steps == 5 else 1).sum()

    monkeypatch.setattr(bench, "_training_step", training_step)
    peak = bench._peak_of_step(Case("r", 5, SMALL["r"])) / 2**20
    assert mebibytes - 1 <= peak <= mebibytes + 8


@on_linux
@pytest.mark.skipif(torch.cuda.is_available(), reason="measured on the GPU where there is one")
def test_memory_of_before_is_not_counted(monkeypatch):
    held = torch.ones(96 * 2**18)
    monkeypatch.setattr(bench, "_training_step", lambda case: lambda: torch.ones(32 * 2**18).sum())
    assert bench._peak_of_step(Case("r", 5, SMALL["r"])) / 2**20 < 48
    assert held.sum() > 0


def test_a_step_trains(monkeypatch):
    made = []
    plain = bench.build_model
    monkeypatch.setattr(bench, "build_model", lambda *given: made.append(plain(*given)) or made[-1])
    step = bench._training_step(Case("r", 5, SMALL["r"]))
    before = [weight.detach().clone() for weight in made[0].parameters()]
    step()
    moved = [not torch.equal(old, new) for old, new in zip(before, made[0].parameters(), strict=True)]
    assert all(moved)


def test_no_way_to_measure(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "STATUS", tmp_path / "none")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="Linux or a GPU"):
        bench_memory([5])


@on_linux
@pytest.mark.slow
def test_a_process_of_its_own():
    assert bench._apart(bench._peak_of_step, Case("r", 5, SMALL["r"])) >= 0
