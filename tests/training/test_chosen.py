"""What the data choose: epochs by budget and by search, and what is told of both beforehand."""

from dataclasses import replace

import pytest

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.training import chosen as room
from auxrnn.training import search
from auxrnn.training.chosen import chosen_by_data
from auxrnn.training.order import steps_an_epoch
from easy_data import MODERN, make_data


def test_a_search_over_several_devices_is_refused():
    config = RunConfig(**MODERN, devices=2)
    with pytest.raises(InputError, match="candidates 1 with several devices, got 3"):
        chosen_by_data(replace(config, candidates=3), make_data(), ("candidates",), print)
    assert chosen_by_data(config, make_data(), (), print)[0].candidates == 1


def test_epochs_that_were_said_are_trained_without_a_search():
    data = make_data()
    config, _, tried = chosen_by_data(RunConfig(**MODERN, max_epochs=2), data, ("max_epochs",), lambda line: None)
    assert (config.candidates, config.max_epochs, tried) == (1, 2, [])


def test_a_budget_bounds_the_epochs(monkeypatch):
    data = make_data(number=64)
    monkeypatch.setattr(room, "seconds_a_step", lambda *_: 0.5)
    config = RunConfig(**MODERN, budget="10m", candidates=1)
    found, _, _ = chosen_by_data(config, data, (), lambda line: None)
    an_epoch = steps_an_epoch(found, 64)
    assert an_epoch == 40
    assert found.max_epochs == 30  # 1,200 steps of half a second
    searching = RunConfig(**MODERN, budget="10m", candidates=5)
    monkeypatch.setattr(search, "_trial", lambda *_: (0.9, -0.1))
    assert chosen_by_data(searching, data, (), lambda line: None)[0].max_epochs == 15  # half of them at least


def test_a_budget_holds_the_pretraining_too(monkeypatch):
    monkeypatch.setattr(room, "seconds_a_step", lambda *_: 0.5)
    config = RunConfig(**MODERN | {"model": "p-lstm", "pretrain_epochs": 10}, budget="10m", candidates=1)
    found, _, _ = chosen_by_data(config, make_data(number=64), ("model", "pretrain_epochs"), lambda line: None)
    assert (found.pretrain_epochs, found.max_epochs) == (10, 20)  # 30 epochs of 40 steps of half a second


@pytest.mark.parametrize("other", [{"recipe": "paper"}, {"devices": 2}, {"num_nodes": 2}])
def test_a_budget_that_would_not_be_kept_is_refused(other):
    with pytest.raises(InputError, match="Expected recipe modern on one device with budget"):
        RunConfig(**{**MODERN, **other}, budget="10m")


def test_epochs_that_were_said_count_more_than_a_budget_which_is_told():
    config = RunConfig(**MODERN, budget="10m", max_epochs=2)
    found, reasons, _ = chosen_by_data(config, make_data(), ("max_epochs", "budget"), lambda line: None)
    assert found.max_epochs == 2
    assert reasons[-1] == "Note        a budget of 10m is not used, for max_epochs was said"


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.2, 0.5, 2.0, 50.0, 700.0])
def test_search_and_training_take_the_budget_together(monkeypatch, seconds):
    """Counted in steps that are made: of 600 seconds at most half in the search, but for a last epoch."""
    data, made = make_data(number=64), []
    monkeypatch.setattr(room, "seconds_a_step", lambda *_: seconds)

    def trial(one, train, validation):
        made.append(steps_an_epoch(one, len(train)) * one.max_epochs)
        return 0.9, -0.1

    monkeypatch.setattr(search, "_trial", trial)
    found, reasons, tried = chosen_by_data(RunConfig(**MODERN, budget="10m"), data, (), lambda line: None)
    told = [line for line in (*reasons, *tried) if line.startswith("Chosen      --max_epochs")]
    assert told[-1].startswith(f"Chosen      --max_epochs {found.max_epochs}: what ")
    assert sum(made) <= 1.1 * 300 / seconds  # rounds are whole epochs
    total = seconds * (sum(made) + steps_an_epoch(found, 64) * found.max_epochs)
    assert abs(total - 600) <= 0.1 * 600 + 40 * seconds


@pytest.mark.parametrize(
    ("settings", "seconds", "told"),
    [
        ({"candidates": 1}, 0.05, ["about 2 min"]),  # 60 epochs of 40 steps
        (
            {"candidates": 5},
            0.05,
            ["about 12 min at most"],
        ),  # and six times 1,920 steps of the search: stride 1 has no finer
        ({"candidates": 1}, 6.0, ["about 4.0 h"]),
        ({"candidates": 1}, 0.02, []),
        ({"candidates": 1, "max_epochs": 12}, 60.0, []),  # 480 steps are not timed
        ({"candidates": 1, "max_epochs": 13}, 60.0, ["about 8.7 h"]),
        ({"recipe": "paper", "model": "r-lstm", "pretrain_epochs": 5, "batch_size": 8}, 0.5, ["about 4 min"]),
    ],
)
def test_a_long_search_and_training_is_told_before_anything_is_tried(monkeypatch, settings, seconds, told):
    """Of the paper's recipe 20 epochs of 20 batches, and 5 of pretraining: 500 steps."""
    data, said = make_data(number=64 if settings.get("recipe") != "paper" else 160), []
    monkeypatch.setattr(room, "seconds_a_step", lambda *_: seconds)
    monkeypatch.setattr(search, "_trial", lambda *_: said.append("tried") or (1.0, -0.1))
    given = {name for name in settings if name not in ("candidates", "recipe")}
    chosen_by_data(RunConfig(**{**MODERN, **settings}), data, given, lambda line: None, said.append)
    assert [line for line in said if line != "tried"] == told
    assert said[: len(told)] == told


def test_a_real_search_on_easy_data_ends_at_once_and_repeats():
    data = make_data(number=90)  # of fewer there would be three drawings
    config, reasons, tried = chosen_by_data(
        RunConfig(**{**MODERN, "hidden_size": 8}), data, ("hidden_size",), lambda line: None
    )
    assert len(tried) == 3  # what it does, the first candidate, the choice
    assert "accuracy 1.000" in tried[1]
    again = chosen_by_data(RunConfig(**{**MODERN, "hidden_size": 8}), data, ("hidden_size",), lambda line: None)
    assert (config, reasons, tried) == again
