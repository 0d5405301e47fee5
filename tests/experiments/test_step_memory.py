"""Which steps are measured, what is done where one cannot be, and that a real one with windows holds less."""

import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.experiments import own_process as process
from auxrnn.experiments import step_memory
from auxrnn.experiments.own_process import Cost, StoppedWorkError
from auxrnn.experiments.step_memory import Case, step_peaks

MODEL = ModelConfig(model="lstm", hidden_size=32, projection_size=None, bptt=8, initialisation="forget")
BASE = Case(MODEL, InputSpec("values", 2), classes=2, batch_size=4, steps=0)


@pytest.fixture
def fake(monkeypatch):
    """Processes whose peak is their steps in MiB; (cases and their limits, names that run out of memory)."""
    made, scarce = [], []

    class Fake:
        def __init__(self, make, case, *, threads, memory, give_back):
            assert (make, threads, give_back) == (step_memory.case_step, 1, True)
            made.append((case, memory))
            self.case = case

        def __enter__(self):
            return self

        def __exit__(self, *given):
            pass

        def call(self, limit):
            if self.case.model.bptt in scarce:
                raise StoppedWorkError("out of memory at 0.1 GiB")
            return Cost(1.0, self.case.steps * 2.0**20)

    monkeypatch.setattr(step_memory, "OwnProcess", Fake)
    monkeypatch.setattr(step_memory, "free_memory", lambda: 1000)
    return made, scarce


def test_both_kinds_are_measured_at_each_length(fake):
    made, _ = fake
    found = step_peaks(BASE, {"windows": (5, 50), "full": (5,)}, pytest.fail)
    assert found == {"windows": [(5, 5.0), (50, 50.0)], "full": [(5, 5.0)]}
    assert [(case.model.bptt, case.steps, memory) for case, memory in made] == [
        (8, 5, 600),
        (8, 50, 600),
        ("full", 5, 600),
    ]


def test_what_runs_out_of_memory_is_said_and_not_tried_at_greater_lengths(fake):
    made, scarce = fake
    scarce.append("full")
    said = []
    found = step_peaks(BASE, {"full": (5, 50), "windows": (7,)}, said.append)
    assert found == {"windows": [(7, 7.0)]}
    assert said == ["Memory at 5 steps (full): out of memory at 0.1 GiB."]
    assert [case.steps for case, _ in made] == [5, 7]


@pytest.mark.skipif(not process.STATUS.exists(), reason="memory is read from Linux's /proc")
@pytest.mark.skipif(torch.cuda.is_available(), reason="measured on the GPU where there is one")
def test_windows_hold_less_than_the_whole():
    """Full back-propagation keeps four gates, two states and an output of each unit: 7 x 32 floats a step and row."""
    steps = 12_000
    found = step_peaks(BASE, {"windows": (steps,), "full": (steps,)}, pytest.fail)
    windows, full = found["windows"][0][1], found["full"][0][1]
    assert full - windows > 7 * 32 * 4 * 4 * steps / 2**20
