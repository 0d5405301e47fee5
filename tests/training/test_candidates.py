"""Which settings are tried, which are kept, and what a search costs; against scores that are made up by hand."""

import math
from dataclasses import replace

import pytest
import torch

from auxrnn.config import RECIPES, RunConfig
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import TagsTarget
from auxrnn.training import candidates as room
from auxrnn.training.candidates import (
    EXACT,
    candidates,
    choose_candidate,
    chosen_by_data,
    search_steps,
    steps_an_epoch,
    successive_halving,
)

MODERN = {"recipe": "modern", **RECIPES["modern"]}


def make_data(number=40, steps=30, classes=2, seed=0):
    """The label is the sign of the mean: easy."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(number) % classes
    inputs = torch.randn(number, steps, 1, generator=generator) * 0.1 + (2.0 * labels.view(-1, 1, 1) - 1)
    names = tuple(map(str, range(classes)))
    return SequenceData("x", InputSpec("values", 1), inputs, labels, names)


# Halving --------------------------------------------------------------------------------------------------------------


def halved(scores, perfect=math.inf):
    """The choice, and the (candidate, length) of every trial in order."""
    made = []

    def try_out(index, length):
        made.append((index, length))
        return scores[index], 0.0

    best, rounds = successive_halving(len(scores), try_out, lambda trial: trial[0] >= perfect)
    assert sum(map(len, rounds)) == len(made)
    return best, made


def test_the_better_half_goes_on_for_twice_as_long():
    best, made = halved([0.1, 0.9, 0.5, 0.8, 0.2, 0.7])
    assert best == 1
    assert made == [*((index, 1) for index in range(6)), (1, 2), (3, 2), (5, 2)]


def test_of_equals_the_first_is_taken():
    assert halved([0.5, 0.5, 0.5])[0] == 0
    assert halved([0.4, 0.5, 0.5, 0.1])[0] == 1


def test_the_loss_decides_between_equal_scores():
    trials = [(0.5, -2.0), (0.5, -1.0)]
    assert successive_halving(2, lambda index, length: trials[index], lambda trial: False)[0] == 1


def test_a_perfect_trial_ends_the_search():
    assert halved([0.5, 1.0, 0.2, 1.0], perfect=1.0) == (1, [(0, 1), (1, 1)])


def test_one_candidate_is_tried_once():
    assert halved([0.3]) == (0, [(0, 1)])


# Candidates -----------------------------------------------------------------------------------------------------------


def test_no_candidate_touches_what_was_said():
    config, data = RunConfig(**MODERN, stride=4), make_data(steps=1001)
    every = candidates(config, data, ())
    assert len(every) == 5
    assert all(every[index] not in every[:index] for index in range(5))
    for name in ("anchor_labels", "readout", "augment", "stride", "residual", "stem_norm"):
        assert any(name in one for one in every)
        assert not any(name in one for one in candidates(config, data, (name,)))
    said = ("anchor_labels", "readout", "augment", "stride", "residual", "stem_norm", "bptt")
    assert candidates(config, data, said) == [{}]


def test_the_norm_is_left_out_in_long_sequences_alone_and_never_of_bands_of_sound():
    def norms(steps, given=(), **settings):
        config = RunConfig(**MODERN | {"stride": 4} | settings)
        return [one.get("stem_norm") for one in candidates(config, make_data(steps=steps), given)[1:3]]

    assert norms(1000) == [None, None]
    assert norms(1001) == norms(1001, ("bptt",)) == ["none", "none"]
    assert norms(5000, ("stem_norm",)) == norms(5000, bptt="full") == [None, None]
    assert norms(5000, stem="logmel", stride=1, sample_rate=400) == [None, None]
    pixels = torch.zeros(4, 5000, 1, dtype=torch.uint8)
    of_pixels = SequenceData("x", InputSpec("pixels", 1), pixels, torch.arange(4), tuple("abcd"))
    assert not any("stem_norm" in one for one in candidates(RunConfig(**MODERN, stride=4), of_pixels, ()))


def test_windows_are_short_where_they_leave_a_part_of_a_sequence_out():
    """Five windows of 50 tokens of 4 steps cover 1,000 steps."""
    config = RunConfig(**MODERN, stride=4)

    def windows(steps, given=(), **settings):
        one = candidates(replace(config, **settings), make_data(steps=steps), given)[1]
        return one.get("bptt", 50), one.get("top_windows", 3)

    assert windows(1000) == (50, 3)
    assert windows(1001) == (10, 16)
    assert windows(1001, ("bptt",)) == windows(1001, ("top_windows",)) == (50, 3)
    assert windows(1001, model="r-lstm", segment_length=5) == windows(1001, gradient="fptt") == (50, 3)
    assert windows(1001, ("readout",), readout="stats") == (50, 3)
    assert windows(1001, bptt="full") == (50, 3)


def test_raw_steps_are_tried_with_the_exact_gradient_too():
    config, data = RunConfig(**MODERN | {"stem": "none", "stride": 1}), make_data()
    assert candidates(config, data, ())[1] == EXACT
    assert replace(config, **EXACT).gradient == "exact"
    for said in EXACT:
        assert EXACT not in candidates(config, data, (said,))
    for other in (
        {"model": "r-lstm"}, {"model": "irnn", "initialisation": "torch"}, {"precision": "16-mixed"}, {"stem": "conv"},
        {"lstm_backend": "persistent"},
    ):  # fmt: skip
        assert EXACT not in candidates(replace(config, **other), data, ())


def test_a_search_over_several_devices_is_refused():
    config = RunConfig(**MODERN, devices=2)
    with pytest.raises(InputError, match="candidates 1 with several devices, got 3"):
        chosen_by_data(replace(config, candidates=3), make_data(), ("candidates",), print)
    assert chosen_by_data(config, make_data(), (), print)[0].candidates == 1


def test_pixels_get_no_noise_and_images_keep_their_rows():
    pixels = SequenceData(
        "x", InputSpec("pixels", 1), torch.zeros(4, 16, 1, dtype=torch.uint8), torch.arange(4), tuple("abcd"),
        image_shape=(4, 4),
    )  # fmt: skip
    every = candidates(RunConfig(**MODERN, stride=4), pixels, ())
    assert {one.get("augment", "none") for one in every} <= {"none", "turn"}
    assert not any("stride" in one for one in every)


def test_the_search_takes_the_best_and_says_what_it_tried(monkeypatch):
    config = RunConfig(**MODERN, stride=4, epoch_passes=30, max_epochs=16)
    data, said = make_data(), []
    trained = []

    def trial(one, train, validation):
        assert len(train) + len(validation) == len(data)
        trained.append(one.max_epochs)
        return (0.85 if one.augment == "turn" and one.anchor_labels else 0.6), -1.0

    monkeypatch.setattr(room, "_trial", trial)
    found = choose_candidate(config, data, (), said.append)
    assert (found.config.readout, found.config.anchor_labels, found.config.max_epochs) == ("stats-max", 0.5, 16)
    assert trained == [4] * 15 + [8] * 6  # three drawings of 27 sequences of 40, 2 batches, 60 steps an epoch
    assert list(found.lines) == said
    assert said[-1] == (
        "Chosen      --residual True --readout stats-max --augment turn --anchor_labels 0.5 --model rp-lstm "
        "--segment_length 4 --lr 0.0015"
    )
    assert sum("accuracy 0.600, loss 1.000 after 4 epochs" in line for line in said) == 4


@pytest.mark.parametrize(("score", "epochs"), [(0.89, 16), (0.91, 8), (1.0, 8)])
def test_training_is_short_where_the_best_convinces(monkeypatch, score, epochs):
    monkeypatch.setattr(room, "_trial", lambda *_: (score, -1.0))
    config = RunConfig(**MODERN, stride=4, max_epochs=16)
    data = make_data(number=90)
    assert choose_candidate(config, data, ()).config.max_epochs == epochs
    dear = make_data(number=90, steps=1024)  # 256 tokens
    assert choose_candidate(config, dear, ()).config.max_epochs == (5 if epochs == 8 else 16)
    assert choose_candidate(config, data, ("max_epochs",)).config.max_epochs == 16
    assert choose_candidate(config, make_data(number=89), ()).config.max_epochs == 16  # too few say so


@pytest.mark.parametrize(("patient", "chosen", "epochs"), [(0.93, "turn", 8), (0.6, "none", 16)])
def test_where_none_is_half_way_the_patient_settings_are_tried_for_longer(monkeypatch, patient, chosen, epochs):
    """And decide then how long the training is."""
    config = RunConfig(**MODERN, stride=4, epoch_passes=8, max_epochs=16)
    tried = []

    def trial(one, *_):
        turned = one.augment == "turn"
        tried.append((turned, one.max_epochs))
        return (0.6 if turned and one.max_epochs < 7 else patient if turned else 0.74), -1.0

    monkeypatch.setattr(room, "_trial", trial)
    found = choose_candidate(config, make_data(number=188), ()).config
    assert found.augment == chosen
    first = [(turned, 2) for turned in (False, True, True, False, False)]
    assert tried == [*first, (False, 4), (False, 4), (False, 8), (True, 8)]  # 64 steps an epoch
    assert found.max_epochs == epochs


def test_where_none_learns_the_patient_settings_are_taken_for_longer(monkeypatch):
    config, data = RunConfig(**MODERN, stride=4, max_epochs=16), make_data()
    monkeypatch.setattr(room, "_trial", lambda *_: (0.55, -0.7))
    found = choose_candidate(config, data, ()).config
    assert (found.readout, found.augment, found.anchor_labels, found.max_epochs, found.lr) == (
        *("stats-max", "turn", 0.0, 24),
        config.lr / 2,
    )
    kept = choose_candidate(config, data, ("max_epochs", "augment")).config
    assert (kept.augment, kept.readout, kept.max_epochs, kept.lr) == ("none", "stats-max", 16, config.lr)
    assert choose_candidate(config, data, ("lr",)).config.lr == config.lr
    assert choose_candidate(replace(config, augment="turn"), data, ("augment",)).config.lr == config.lr / 2


def test_a_good_score_ends_the_search(monkeypatch):
    scores = iter([0.8, 0.96])
    monkeypatch.setattr(room, "_trial", lambda *_: (next(scores), -0.1))
    found = choose_candidate(RunConfig(**MODERN, stride=4, max_epochs=16), make_data(number=90), ()).config
    assert found.augment == "turn"


def test_few_sequences_are_drawn_three_times_and_the_mean_counts(monkeypatch):
    drawn, scores = [], iter([1.0, 1.0, 0.7, 0.9, 0.92, 0.94, *[0.0] * 99])

    def trial(one, train, validation):
        drawn.append(frozenset(float(inputs.sum()) for inputs in validation.inputs))
        return next(scores), -0.5

    monkeypatch.setattr(room, "_trial", trial)
    found = choose_candidate(RunConfig(**MODERN, stride=4, max_epochs=16), make_data(number=89), ())
    assert len(set(drawn)) == 3
    assert drawn[:3] == drawn[3:6]  # all candidates are judged by the same
    assert "accuracy 0.900" in found.lines[1]
    assert "accuracy 0.920" in found.lines[2]
    assert found.lines[0].endswith("compared on 29 sequences held out, 3 times")


@pytest.mark.parametrize(
    ("number", "score", "given", "model"),
    [
        (89, 0.8, (), "rp-lstm"),
        (90, 0.8, (), "lstm"),
        (89, 0.94, (), "rp-lstm"),
        (89, 0.96, (), "lstm"),
        (89, 0.8, ("model",), "lstm"),
        (89, 0.8, ("max_epochs",), "lstm"),
    ],
)
def test_few_sequences_that_do_not_convince_get_auxiliary_losses(monkeypatch, number, score, given, model):
    monkeypatch.setattr(room, "_trial", lambda *_: (score, -0.5))
    found = choose_candidate(RunConfig(**MODERN, stride=4, max_epochs=16), make_data(number, steps=60), given)
    assert found.config.model == model
    assert found.config.segment_length == (7 if model == "rp-lstm" else 50)  # half of 15 tokens
    assert any("auxiliary losses" in line for line in found.lines) == (model == "rp-lstm")


def test_auxiliary_losses_reach_as_far_as_ever_where_windows_were_short(monkeypatch):
    monkeypatch.setattr(room, "_trial", lambda one, *_: (0.9 if one.bptt == 10 else 0.5, -0.1))
    config, data = RunConfig(**MODERN, stride=4), make_data(number=60, steps=1001)
    found = choose_candidate(config, data, ()).config
    assert (found.model, found.readout, found.bptt, found.top_windows) == ("rp-lstm", "stats-max", 50, 3)
    assert choose_candidate(config, data, ("model",)).config.bptt == 10


def test_labels_of_every_step_are_not_few(monkeypatch):
    data = make_data(number=40)
    tags = replace(data, labels=[torch.zeros(30, dtype=torch.int64)] * 40, target=TagsTarget(("a", "b")), classes=())
    trials = []
    monkeypatch.setattr(room, "_trial", lambda *_: trials.append(0) or (0.5, -0.5))
    found = choose_candidate(RunConfig(**MODERN, stride=4, max_epochs=16), tags, ())
    assert len(trials) == 2
    assert found.lines[0].endswith("compared on 13 sequences held out")


def test_a_diverged_candidate_is_never_the_best(monkeypatch):
    config, data = RunConfig(**MODERN, stride=4, max_epochs=16, candidates=2), make_data(number=90)
    trials = iter([(-math.inf, -math.inf), (0.9, -0.5)])
    monkeypatch.setattr(room, "_trial", lambda *_: next(trials))
    found = choose_candidate(config, data, ())
    assert found.config.readout == "stats-max"
    assert any("diverged" in line for line in found.lines)


def test_one_candidate_is_taken_untried(monkeypatch):
    monkeypatch.setattr(room, "_trial", lambda *_: pytest.fail("tried"))
    found = choose_candidate(RunConfig(**MODERN, stride=4, candidates=1), make_data(), ())
    assert found.config.anchor_labels == 0.5
    assert found.lines == ()


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
    monkeypatch.setattr(room, "_trial", lambda *_: (0.9, -0.1))
    assert chosen_by_data(searching, data, (), lambda line: None)[0].max_epochs == 15  # half of them at least


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.2, 0.5, 2.0, 50.0, 700.0])
def test_search_and_training_take_the_budget_together(monkeypatch, seconds):
    """Counted in steps that are made: of 600 seconds at most half in the search, but for a last epoch."""
    data, made = make_data(number=64), []
    monkeypatch.setattr(room, "seconds_a_step", lambda *_: seconds)

    def trial(one, train, validation):
        made.append(steps_an_epoch(one, len(train)) * one.max_epochs)
        return 0.9, -0.1

    monkeypatch.setattr(room, "_trial", trial)
    found, reasons, tried = chosen_by_data(RunConfig(**MODERN, budget="10m"), data, (), lambda line: None)
    told = [line for line in (*reasons, *tried) if line.startswith("Chosen      --max_epochs")]
    assert told[-1].startswith(f"Chosen      --max_epochs {found.max_epochs}: what ")
    assert sum(made) <= 1.1 * 300 / seconds  # rounds are whole epochs
    total = seconds * (sum(made) + steps_an_epoch(found, 64) * found.max_epochs)
    assert abs(total - 600) <= 0.1 * 600 + 40 * seconds


@pytest.mark.parametrize(("number", "steps"), [(1, 0), (2, 1200), (3, 1320), (4, 1920), (5, 2040), (9, 2040)])
def test_steps_of_a_search_by_hand(number, steps):
    config = RunConfig(**MODERN, stride=4, candidates=number)
    assert search_steps(config, make_data(number=90), ()) == steps
    assert search_steps(config, make_data(number=89), ()) == 6 * steps


@pytest.mark.parametrize(
    ("settings", "seconds", "told"),
    [
        ({"candidates": 1}, 0.05, ["about 2 min"]),  # 60 epochs of 40 steps
        ({"candidates": 5}, 0.05, ["about 12 min"]),  # and six times 1,920 steps of the search: stride 1 has no finer
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
    monkeypatch.setattr(room, "_trial", lambda *_: said.append("tried") or (1.0, -0.1))
    given = {name for name in settings if name not in ("candidates", "recipe")}
    chosen_by_data(RunConfig(**{**MODERN, **settings}), data, given, lambda line: None, said.append)
    assert [line for line in said if line != "tried"] == told
    assert said[: len(told)] == told


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


def test_a_real_search_on_easy_data_ends_at_once_and_repeats():
    data = make_data(number=90)  # of fewer there would be three drawings
    config, reasons, tried = chosen_by_data(
        RunConfig(**{**MODERN, "hidden_size": 8}), data, ("hidden_size",), lambda line: None
    )
    assert len(tried) == 3  # what it does, the first candidate, the choice
    assert "accuracy 1.000" in tried[1]
    again = chosen_by_data(RunConfig(**{**MODERN, "hidden_size": 8}), data, ("hidden_size",), lambda line: None)
    assert (config, reasons, tried) == again


def test_easy_data_are_trained_for_half_as_long():
    data = make_data(number=90)
    config = RunConfig(**{**MODERN, "hidden_size": 8}, stride=2, epoch_passes=30, max_epochs=10)
    assert choose_candidate(config, data, ()).config.max_epochs == 5
    assert choose_candidate(config, data, ("max_epochs",)).config.max_epochs == 10


def test_no_candidate_is_trained_twice_for_as_long(monkeypatch):
    config, trained = RunConfig(**MODERN, stride=4, epoch_passes=200, max_epochs=16), []
    monkeypatch.setattr(room, "_trial", lambda one, *_: (trained.append(one), (0.94, -0.1))[1])
    choose_candidate(config, make_data(), ())
    assert [one.max_epochs for one in trained] == [1] * 15  # three drawings; an epoch of 400 steps is both rounds
