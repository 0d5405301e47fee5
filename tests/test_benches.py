"""The benches of speed at the smallest sizes: what they compare is the same, and the figures have the promised form."""

import json
import sys
from pathlib import Path

import pytest
import torch

from auxrnn.experiments import own_process as process
from auxrnn.experiments.own_process import Cost
from auxrnn.report.figures import draw_lines

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import length
import step
from measure import Spread, heading, store, threads, times_faster

on_linux = pytest.mark.skipif(not process.STATUS.exists(), reason="memory is read from Linux's /proc")


class Here:
    """Stands for a process of its own, in this one."""

    def __init__(self, make, argument, *, threads, memory):
        self.work = make(argument)

    def call(self, limit):
        self.work()
        return Cost(0.5, 2**20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_length_tells_who_is_faster_and_who_stopped(monkeypatch, tmp_path, capsys):
    figures = [
        {"model": "LSTM, full BPTT", "steps": 5, "seconds": [0.5], "mib": 1.0, "stopped": None},
        {"model": "r-LSTM 20x30", "steps": 5, "seconds": [0.5], "mib": 1.0, "stopped": None},
        {"model": "LSTM, full BPTT", "steps": 12, "seconds": [], "mib": None, "stopped": "out of memory at 1.0 GiB"},
        {"model": "r-LSTM 20x30", "steps": 12, "seconds": [0.5], "mib": 1.0, "stopped": None},
    ]
    asked = []

    def measured(*given, **options):
        asked.append((given, options))
        return {"sizes": {"batch": 4}, "figures": figures}

    monkeypatch.setattr(length, "measure_steps", measured)
    out = tmp_path / "length.json"
    length.main(["--lengths", "5", "12", "--out", str(out), "--memory", "2"])
    told = {"threads": None, "memory": 2, "seconds": 150, "models": [], "batch_size": 32, "smoke": False}
    assert asked == [((out, [5, 12]), told)]
    said = capsys.readouterr().out
    assert "LSTM, full BPTT stopped at 12: out of memory at 1.0 GiB." in said
    assert "Times faster than full BPTT at 5: r-LSTM 20x30 1.0." in said
    assert {path.name for path in tmp_path.iterdir()} == {"length-seconds.png", "length-memory.png"}


def test_the_plain_step_and_ours_agree(capsys):
    found = step.compare(step.SMOKE)
    assert found["loss_difference"] <= 1e-5
    assert found["gradient_difference"] <= 1e-4
    assert "Gradient of all weights: relative difference" in capsys.readouterr().out


def test_a_disagreement_is_an_error(monkeypatch):
    monkeypatch.setattr(step, "our_step", lambda *given, own=step.our_step: own(*given) * 1.001)
    with pytest.raises(RuntimeError, match="do not"):
        step.compare(step.SMOKE)


@on_linux
def test_step(monkeypatch, tmp_path):
    monkeypatch.setattr(step, "OwnProcess", Here)
    found = step.bench_step(tmp_path / "step.json", smoke=True)
    assert [one["name"] for one in found["figures"]] == [step.PLAIN, step.OURS, step.OWN_ANCHORS]
    assert all(len(one["seconds"]) == 2 for one in found["figures"])
    assert (tmp_path / "step-seconds.png").exists()


def test_both_sides_of_the_step_give_the_same_loss():
    assert step.make_step((step.PLAIN, step.SMOKE))() == pytest.approx(
        step.make_step((step.OURS, step.SMOKE))(), rel=1e-5
    )


def test_times_faster_is_taken_round_by_round():
    assert times_faster([4.0, 6.0, 9.0], [2.0, 2.0, 9.0]) == Spread(2.0, 1.0, 3.0)  # 2, 3, 1
    assert Spread.of([3.0, 1.0, 2.0]).words(1) == ["2.0", "1.0", "3.0"]


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    with threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_the_heading_tells_sizes_and_hardware():
    assert heading("Steps", batch=2, max_T=5).startswith("Steps; batch 2, max T 5; ")
    assert torch.__version__ in heading("Steps", T=5)


def test_figures_are_stored_with_their_pictures(tmp_path):
    drawing = draw_lines({"a": [(1, 2), (2, 3)]}, title="t", xlabel="x", ylabel="y")
    found = store(tmp_path / "new" / "a.json", "step", {"T": 5}, [{"seconds": [1.0]}], seconds=drawing)
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == found
    assert found["environment"]["packages"]["torch"] == torch.__version__
    assert (tmp_path / "new" / "a-seconds.png").read_bytes().startswith(b"\x89PNG")
