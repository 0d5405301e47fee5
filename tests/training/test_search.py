"""Which settings are kept, and what a search costs; against scores that are made up by hand."""

import math
from dataclasses import replace

import pytest

from auxrnn.config import RunConfig
from auxrnn.training import search as room
from auxrnn.training.search import choose_candidate, search_steps, successive_halving
from easy_data import MODERN, make_data, make_tags


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
    tags = make_tags(30)
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


@pytest.mark.parametrize(("number", "steps"), [(1, 0), (2, 1200), (3, 1320), (4, 1920), (5, 2040), (9, 2040)])
def test_steps_of_a_search_by_hand(number, steps):
    config = RunConfig(**MODERN, stride=4, candidates=number)
    assert search_steps(config, make_data(number=90), ()) == steps
    assert search_steps(config, make_data(number=89), ()) == 6 * steps


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
