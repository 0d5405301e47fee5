"""Steps of every case train, and what is measured of them has the promised form."""

import json
import sys
from pathlib import Path

import pytest
import torch

from auxrnn.experiments import own_process as process
from auxrnn.experiments import random_step
from auxrnn.experiments.own_process import Cost, StoppedWorkError

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import step_costs
from step_costs import Case, Plain, PlainLSTM, measure_steps, training_step

on_linux = pytest.mark.skipif(not process.STATUS.exists(), reason="memory is read from Linux's /proc")


class Here:
    """Stands for a process of its own, in this one."""

    def __init__(self, make, argument, *, threads, memory, give_back=False):
        self.argument, self.work = argument, make(argument)

    def call(self, limit):
        self.work()
        return Cost(0.5, 2**20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@on_linux
def test_length(monkeypatch, tmp_path, capsys):
    class Full(Here):
        def call(self, limit):
            if self.argument.steps == 12 and isinstance(self.argument.model, Plain):
                raise StoppedWorkError("out of memory at 1.0 GiB")
            return super().call(limit)

    monkeypatch.setattr(step_costs, "OwnProcess", Full)
    chosen = {name: step_costs.MODELS[name] for name in ("LSTM, full BPTT", "r-LSTM 20x30")}
    monkeypatch.setattr(step_costs, "MODELS", chosen)
    found = measure_steps(tmp_path / "length.json", [12, 5, 12, 14], smoke=True)
    ran = {(one["model"], one["steps"]): (len(one["seconds"]), one["stopped"]) for one in found["figures"]}
    assert ran == {
        ("LSTM, full BPTT", 5): (3, None),
        ("LSTM, full BPTT", 12): (0, "out of memory at 1.0 GiB"),
        ("LSTM, full BPTT", 14): (0, "already at 12: out of memory at 1.0 GiB"),
        ("r-LSTM 20x30", 5): (3, None),
        ("r-LSTM 20x30", 12): (3, None),
        ("r-LSTM 20x30", 14): (3, None),
    }
    assert json.loads((tmp_path / "length.json").read_text()) == found
    assert "LSTM, full BPTT, T 12: not run (out of memory at 1.0 GiB)" in capsys.readouterr().out


@on_linux
def test_a_run_that_is_ended_keeps_the_lengths_that_it_has_been_through(monkeypatch, tmp_path):
    def ended(cases, *_):
        if cases[0].steps > 5:
            raise KeyboardInterrupt
        return [step_costs._figure(cases[0], [Cost(0.5, None, 0.25)], 2**20, None)]

    monkeypatch.setattr(step_costs, "_at_one_length", ended)
    with pytest.raises(KeyboardInterrupt):
        measure_steps(tmp_path / "length.json", [5, 12], smoke=True)
    (figure,) = json.loads((tmp_path / "length.json").read_text())["figures"]
    assert (figure["steps"], figure["seconds"], figure["cpu_seconds"]) == (5, [0.5], [0.25])


def test_a_case_that_would_take_too_long_is_not_tried():
    before = [{"model": "a", "steps": 10, "seconds": [3.0], "stopped": None}]
    case = Case("a", Plain(), 100)
    assert step_costs._reason_not_to(case, before, 20.0) == "would take 30 s"
    assert step_costs._reason_not_to(case, before, 40.0) is None


@pytest.mark.parametrize("name", step_costs.MODELS)
def test_a_step_of_every_case_trains(name, monkeypatch):
    made = []
    plain, build = step_costs.PlainLSTM, random_step.build_model
    monkeypatch.setattr(step_costs, "PlainLSTM", lambda **given: made.append(plain(**given)) or made[-1])
    monkeypatch.setattr(random_step, "build_model", lambda *given: made.append(build(*given)) or made[-1])
    step = training_step(Case(name, step_costs.smaller(step_costs.MODELS[name]), 20, batch_size=3))
    before = [weight.detach().clone() for weight in made[0].parameters()]
    step()
    assert all(not torch.equal(old, new) for old, new in zip(before, made[0].parameters(), strict=True))


def test_checkpoints_change_no_gradient():
    torch.manual_seed(0)
    whole, cut = PlainLSTM(4), PlainLSTM(4, chunk=3)
    cut.load_state_dict(whole.state_dict())
    pixels, labels = torch.randint(0, 256, (2, 8), dtype=torch.uint8), torch.tensor([1, 2])
    for network in (whole, cut):
        network.losses(pixels, labels)[0].backward()
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
