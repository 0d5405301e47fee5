"""What a classifier learns, by which epoch, with which random numbers and models."""

import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier
from auxrnn.estimator.settings import config_of
from auxrnn.sources.splits import stratified_split
from auxrnn.training import chosen as room
from auxrnn.training.search import Found
from auxrnn.training.step import TrainingStep
from small_estimators import rising_or_falling, tiny


@pytest.mark.parametrize("aux", ["reconstruct", "predict", "both", None])
def test_each_model_learns_to_tell_rising_from_falling(aux: str | None) -> None:
    X, y = rising_or_falling()
    new, truth = rising_or_falling(seed=1)
    estimator = tiny(aux=aux, hidden_size=8, optimizer="adam", lr=0.02, max_epochs=12).fit(X, y)
    assert estimator.score(new, truth) > 0.9
    phases = [row["phase"] for row in estimator.history_]
    assert phases == ["pretrain"] * (aux is not None) + ["train"] * 12
    names = {None: set(), "both": {"reconstruct", "predict"}}.get(aux, {aux})
    last = estimator.history_[-1]
    assert names | {"supervised", "train_accuracy", "validation_accuracy"} <= set(last)
    assert set(estimator.model_.network.auxiliaries) == names


def test_best_epoch_is_the_first_with_the_best_validation_accuracy() -> None:
    X, y = rising_or_falling()
    estimator = tiny(aux=None, optimizer="adam", lr=0.02, max_epochs=6).fit(X, y)
    accuracies = [row["validation_accuracy"] for row in estimator.history_]
    assert estimator.best_epoch_ == int(np.argmax(accuracies)) + 1


def test_eval_set_chooses_the_epoch_and_leaves_the_training_data_whole() -> None:
    X, y = rising_or_falling(40)
    estimator = tiny(max_epochs=3).fit(X, y, eval_set=(list(X[:8]), y[:8].tolist()))
    assert estimator.model_.facts["train_sequences"] == 40
    assert estimator.model_.facts["validation_sequences"] == 8
    chosen = estimator.history_[estimator.best_epoch_]  # the first row is of pretraining
    assert estimator.score(X[:8], y[:8]) == chosen["validation_accuracy"]


def test_the_validation_split_is_stratified_and_kept_out_of_training() -> None:
    X, y = rising_or_falling(40)
    estimator = tiny(validation_fraction=0.25).fit(X, y)
    kept, held_out = stratified_split(torch.from_numpy(y), 0.25, seed=0)
    facts = estimator.model_.facts
    assert (facts["train_sequences"], facts["validation_sequences"]) == (30, 10)
    np.testing.assert_allclose(estimator.model_.preprocessing.mean, X[kept].mean(), rtol=1e-9, atol=1e-12)
    assert estimator.score(X[held_out], y[held_out]) == facts["validation_accuracy"]


def test_without_validation_the_last_epoch_is_used() -> None:
    X, y = rising_or_falling(20)
    estimator = tiny(validation_fraction=0.0).fit(X, y)
    assert estimator.best_epoch_ == 0
    assert "validation_accuracy" not in estimator.history_[-1]


@pytest.mark.parametrize("number", [2, 3, 5])
def test_the_smallest_data_are_no_error(number: int) -> None:
    estimator = tiny(aux="both").fit(np.zeros((number, 1)), np.arange(number) % 2)
    assert estimator.predict(np.zeros((1, 1))).shape == (1,)


def test_patience_stops_training() -> None:
    X, y = rising_or_falling(30)
    estimator = tiny(aux=None, lr=1e-9, max_epochs=9, patience=2).fit(X, y)
    assert len(estimator.history_) == 3


@pytest.mark.parametrize(
    "names", [np.array(["down", "up"]), np.array(["down", "up"], dtype=object), np.array([-3, 7]), np.array([1.0, 2.0])]
)
def test_labels_come_back_as_they_were(names: Any) -> None:
    X, y = rising_or_falling(20)
    estimator = tiny().fit(X, names[y])
    np.testing.assert_array_equal(estimator.classes_, names)
    assert estimator.predict(X).dtype == names.dtype
    assert set(estimator.predict(X)) <= set(names)


def test_the_same_seed_gives_the_same_answers_and_another_one_others() -> None:
    X, y = rising_or_falling(30)
    first, again, other = (tiny(random_state=seed).fit(X, y).predict_proba(X) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_random_state_may_be_a_generator_of_numpy_or_none() -> None:
    X, y = rising_or_falling(20)
    state = np.random.RandomState(0)
    first, second = (tiny(random_state=state).fit(X, y).predict_proba(X) for _ in range(2))
    assert not np.array_equal(first, second)
    again = tiny(random_state=np.random.RandomState(0)).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(first, again)
    unseeded = (tiny(random_state=None).fit(X, y).predict_proba(X) for _ in range(2))
    assert not np.array_equal(*unseeded)


@pytest.mark.parametrize("random_state", [0, None])
def test_the_callers_random_numbers_are_left_alone(random_state: int | None) -> None:
    X, y = rising_or_falling(20)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    tiny(random_state=random_state).fit(X, y).predict(X)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


def test_fit_says_nothing_warns_of_nothing_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = rising_or_falling(20)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        tiny(aux="both").fit(X, y).predict(X)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert list(tmp_path.iterdir()) == []


def test_verbose_shows_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = rising_or_falling(20)
    clf = tiny(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    chosen = len(clf.tried_)
    assert lines[:chosen] == clf.tried_
    assert chosen == 1  # the anchors; all else was said
    assert [line.split("  ")[0] for line in lines[chosen : chosen + 2]] == ["pretrain epoch 1/1", "train epoch 1/1"]
    assert clf.verdict_ is not None
    assert lines[chosen + 2 :] == clf.verdict_.lines


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_long_fit_says_how_long_before_it_tries_anything(
    verbose: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """In the log where nothing else is said: the budget."""
    told: list[int] = []

    def choose(config: Any, *given: Any) -> Found:
        told.append(len(caplog.records) + capsys.readouterr().out.count("Time        about 10 min"))
        return Found(replace(config, max_epochs=1, epoch_passes=1), ())

    monkeypatch.setattr(room, "seconds_a_step", lambda *_: 0.5)
    monkeypatch.setattr(room, "choose_candidate", choose)
    X, y = rising_or_falling(20)
    LongSequenceClassifier(hidden_size=8, budget="10m", verbose=verbose).fit(X, y)
    assert told == [1]
    assert [record.getMessage() for record in caplog.records] == (
        [] if verbose else ["fit will take about 10 min; verbose=1 shows its progress."]
    )


def test_ctrl_c_is_a_keyboard_interrupt_and_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingStep, "losses", interrupt)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        tiny().fit(*rising_or_falling(20))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("transformer", {"transformer": {"layers": 1, "width": 4, "heads": 2, "positions": "learned"}}),
        ("irnn", {"identity_scale": 0.5}),
        ("sa-lstm", {"aux_options": {"anchors": "late"}}),
    ],
)
def test_another_model_by_name_and_back_from_its_folder(model: str, settings: dict[str, Any], tmp_path: Path) -> None:
    X, y = rising_or_falling(20)
    estimator = tiny(aux=None, model=model, max_epochs=1, **settings).fit(X, y)
    assert estimator.model_.config.model == model
    estimator.save_pretrained(tmp_path)
    again = LongSequenceClassifier.from_pretrained(tmp_path)
    assert again.model == model
    assert {name: again.get_params()[name] for name in settings} == settings
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
    assert config_of(again.get_params())[0].model_config() == estimator.model_.config


def test_refuses_a_model_that_there_is_not_or_two_at_once() -> None:
    X, y = rising_or_falling(20)
    for settings, message in (
        ({"model": "tranformer"}, "Did you mean 'transformer'"),
        ({"model": "irnn", "aux": "both"}, "Expected aux or model, got aux='both' and model='irnn'"),
        ({"model": "transformer", "aux": None, "transformer": {"layer": 1}}, "Did you mean 'layers'"),
        ({"model": "transformer", "aux": None, "transformer": 5}, "Expected transformer to be a dict or None, got 5"),
    ):
        with pytest.raises(InputError, match=message):
            LongSequenceClassifier(**settings).fit(X, y)
