"""What an estimator says of itself: floors, verdict, and a warning where it is no better than the floor."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import auxrnn
from auxrnn.config import RunConfig
from auxrnn.errors import FloorWarning
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger
from auxrnn.estimator.settings import remedies
from auxrnn.verdict.floors import measured
from easy_data import make_data, make_tags
from small_estimators import rising_or_falling, tiny

QUICK = {
    "recipe": "paper", "aux": None, "regulariser": "none", "optimizer": "adam", "projection_size": None,
    "accelerator": "cpu",
}  # fmt: skip


def test_a_model_that_learned_nothing_warns():
    X, y = rising_or_falling(200)
    with pytest.warns(FloorWarning, match=r"majority class.*best floor, linear on .*, 100.0 %.* Try: clf\.") as caught:
        clf = tiny(lr=1e-9, validation_fraction=0.3).fit(X, y)
    assert caught[0].filename == __file__
    assert clf.verdict_.state == "majority"
    assert clf.floors_["linear on window statistics"]["validation"] == 1.0
    assert clf.floors_["validated_on"] == 60


def test_a_model_that_warns_is_fitted_also_where_warnings_are_errors():
    X, y = rising_or_falling(80)
    clf = tiny(lr=1e-9, validation_fraction=0.3)
    with pytest.raises(FloorWarning):
        clf.fit(X, y)
    assert len(clf.predict(X)) == 80


def test_a_model_that_beats_what_costs_a_second_does_not(monkeypatch):
    """Of the floors the majority class alone: no linear model is left that knows a ramp as well."""
    plain = measured._kinds
    monkeypatch.setattr(measured, "_kinds", lambda train: dict([next(iter(plain(train).items()))]))
    X, y = rising_or_falling(120)
    clf = LongSequenceClassifier(**QUICK, hidden_size=8, lr=0.03, max_epochs=6, batch_size=16, validation_fraction=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(X, y)
    assert clf.verdict_.state == "useful", clf.verdict_.lines
    assert clf.verdict_.better


def test_too_few_sequences_to_tell_are_no_reason_to_warn():
    X, y = rising_or_falling(40)
    clf = tiny(lr=1e-9).fit(X, y)
    assert clf.floors_["validated_on"] == 4
    assert clf.verdict_.state == "untold"


def test_nothing_is_said_without_sequences_to_validate():
    X, y = rising_or_falling(40)
    clf = tiny(validation_fraction=0.0).fit(X, y)
    assert (clf.floors_, clf.verdict_) == ({}, None)


def test_an_eval_set_is_what_is_judged():
    X, y = rising_or_falling(60)
    other = rising_or_falling(33, seed=1)
    with pytest.warns(FloorWarning, match="validation accuracy .* on 33 sequences"):
        clf = tiny(lr=1e-9).fit(X, y, eval_set=other)
    expected = (other[1] == np.bincount(y).argmax()).mean()
    assert clf.floors_["majority class"]["validation"] == pytest.approx(expected, abs=1e-6)


def test_verbose_prints_the_verdict(capsys):
    X, y = rising_or_falling(40)
    clf = tiny(verbose=1).fit(X, y)
    assert capsys.readouterr().out.splitlines()[-len(clf.verdict_.lines) :] == clf.verdict_.lines


def test_the_floors_and_words_are_kept_and_told_in_the_card(tmp_path):
    X, y = rising_or_falling(40)
    clf = tiny().fit(X, y)
    clf.save_pretrained(tmp_path)
    again = LongSequenceClassifier.from_pretrained(tmp_path)
    assert again.floors_ == clf.floors_
    assert again.verdict_ is None
    card = (tmp_path / "README.md").read_text()
    assert clf.verdict_.findings[0].words in card
    assert clf.verdict_.summary[1:] in card


def test_words_are_seen_as_words():
    """The last word decides; as places among unknown characters there would be no words."""
    draw = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = [" ".join([*draw.choice(["a", "b", "c"], 3), ("no", "on")[label]]) for label in y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FloorWarning)
        clf = tiny(validation_fraction=0.2).fit(X, y)
    assert clf.floors_["TF-IDF of words"]["validation"] == 1.0


def test_numbers_and_tags_have_floors_too():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(80, 8, 1)) + draw.normal(size=(80, 1, 1))
    quick = {**QUICK, "hidden_size": 3, "lr": 1e-9, "max_epochs": 1, "validation_fraction": 0.3}
    with pytest.warns(FloorWarning, match="R2"):
        regressor = LongSequenceRegressor(**quick).fit(X, X.mean((1, 2)))
    assert regressor.floors_["linear on window statistics"]["validation"] > 0.99
    with pytest.warns(FloorWarning, match="step accuracy"):
        tagger = LongSequenceTagger(**quick).fit(X, (X[:, :, 0] > 0).astype(int))
    assert tagger.floors_["linear on the last steps"]["validation"] > 0.9


def test_the_warning_is_public():
    assert auxrnn.FloorWarning is FloorWarning
    assert issubclass(FloorWarning, UserWarning)


CONFIG = RunConfig(initialisation="torch", max_epochs=20, hidden_size=128, lr=0.001)


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        ("majority", {"initialisation": "chrono"}),
        ("rising", {"max_epochs": 40}),
        ("memorised", {"hidden_size": 64}),
        ("first", {"lr": 0.000333}),
        ("fell", {"lr": 0.000333}),
        ("untold", {"validation_fraction": 0.3}),
    ],
)
def test_the_next_line_changes_one_parameter(state, changes):
    clf = LongSequenceClassifier()
    before, fitted = clf.get_params(), []
    clf.fit = lambda X, y: fitted.append((X, y))
    exec(remedies(CONFIG, make_data())(state), {"clf": clf, "X": 1, "y": 2})
    assert fitted == [(1, 2)]
    assert clf.get_params() == {**before, **changes}


def test_a_model_with_chrono_gates_is_to_read_all_steps_and_then_to_train_longer():
    chrono = replace(CONFIG, initialisation="chrono")
    assert remedies(chrono, make_data())("majority") == "clf.set_params(readout='stats').fit(X, y)"
    assert remedies(chrono, make_tags(300))("majority") == "clf.set_params(max_epochs=40).fit(X, y)"
    stats = replace(chrono, readout="stats")
    assert remedies(stats, make_data())("majority") == "clf.set_params(max_epochs=40).fit(X, y)"


def test_a_transformer_is_made_smaller_inside():
    sizes = replace(CONFIG.transformer, layers=1, feed_forward=64)
    told = remedies(replace(CONFIG, model="transformer", transformer=sizes), make_data())("memorised")
    assert told == "clf.set_params(transformer={'layers': 1, 'feed_forward': 32}).fit(X, y)"


@pytest.mark.parametrize("state", ["floor", "below"])
def test_the_floors_are_to_be_looked_at(state):
    assert remedies(CONFIG, make_data())(state) == "print(clf.floors_)"
