"""How long a step takes; by clocks that are made up."""

import pytest
import torch

from auxrnn.config import RunConfig
from auxrnn.training import budget as room
from easy_data import MODERN, make_data


@pytest.mark.parametrize(("each", "steps"), [(0.3, 4), (0.001, 20), (7.0, 1)])
def test_a_step_is_the_mean_of_about_a_second(monkeypatch, each, steps):
    """By a clock that goes on by so much a look; the first step, of nine seconds, does not count."""
    looks = []

    def clock():
        looks.append(None)
        return 9 + each * (len(looks) - 1)

    monkeypatch.setattr(room.time, "perf_counter", clock)
    assert room.seconds_a_step(RunConfig(**MODERN), make_data()) == pytest.approx(each)
    assert len(looks) == 1 + steps


def test_a_step_is_timed_on_as_many_threads_as_train(monkeypatch):
    seen = []
    built = room.build_model
    monkeypatch.setattr(room, "build_model", lambda *given: seen.append(torch.get_num_threads()) or built(*given))
    before = torch.get_num_threads()
    assert room.seconds_a_step(RunConfig(**MODERN, num_threads=before + 1), make_data()) > 0
    assert (seen, torch.get_num_threads()) == ([before + 1], before)
