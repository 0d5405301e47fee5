"""scikit-learn's own checks, and every form that X may have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from auxrnn.config import RECIPES
from auxrnn.core.batch import InputSpec
from auxrnn.estimator import LongSequenceClassifier
from auxrnn.estimator.settings import config_of
from auxrnn.experiments.arguments import parse_run_config
from small_estimators import FORMS, forms, rising_or_falling, tiny

# Nothing is left out and nothing is expected to fail: on tables (N, T) every check applies. Input of three dimensions,
# lists and texts they do not know; the tests further down are for those.
CHECKED = LongSequenceClassifier(
    recipe="paper",
    hidden_size=8,
    projection_size=None,
    regulariser="none",
    segment_length=4,
    optimizer="adam",
    lr=0.03,
    pretrain_epochs=0,
    max_epochs=1,
    batch_size=32,
    accelerator="cpu",
    aux_options={"decoder_layers": 1},
)


@parametrize_with_checks([CHECKED])
def test_every_check_of_scikit_learn(estimator: Any, check: Any) -> None:
    if check.func.__name__ == "check_classifiers_train":
        estimator.set_params(pretrain_epochs=1, max_epochs=4)  # which wants an accuracy above 0.83
    check(estimator)


def test_defaults_are_the_published_contract() -> None:
    found = LongSequenceClassifier().get_params()
    contract = {"recipe": "modern", "cell": "lstm", "budget": None, "random_state": 0, "validation_fraction": 0.1}
    assert {name: found[name] for name in contract} == contract
    left = {"aux", "hidden_size", "bptt", "stem", "stride", "readout", "max_epochs", "batch_size", "lr", "candidates"}
    assert {found[name] for name in left} == {"auto"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_estimator_and_a_run_of_the_command_line_are_the_same_training(recipe: str) -> None:
    config, given = config_of(LongSequenceClassifier(recipe=recipe).get_params())
    run = parse_run_config(["--recipe", recipe, "--checkpoint_steps", "null", "--checkpoint_minutes", "null"])
    assert config == run
    left = {"bptt", "stride", "batch_size", "epoch_passes", "max_epochs", "anchor_labels", "augment", "readout"}
    assert not given & left  # the data choose them


@pytest.mark.parametrize(("recipe", "expected"), [("modern", ("conv", "stats", 64)), ("paper", ("none", "last", 128))])
def test_what_is_said_counts_more_than_the_recipe(recipe: str, expected: tuple[str, str, int]) -> None:
    config, given = config_of(LongSequenceClassifier(recipe=recipe, bptt=7, aux="both").get_params())
    assert (config.stem, config.readout, config.hidden_size) == expected
    assert (config.bptt, config.model) == (7, "rp-lstm")
    assert {"bptt", "model"} <= given


def test_works_in_a_grid_search_over_a_pipeline() -> None:
    X, y = rising_or_falling(40)
    pipeline = make_pipeline(StandardScaler(), tiny(aux=None, regulariser="none", optimizer="adam", max_epochs=8))
    grid = {"longsequenceclassifier__lr": np.array([1e-6, 5e-2])}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_["longsequenceclassifier__lr"] == 5e-2
    assert search.score(X, y) > 0.9


def test_grid_search_over_texts_and_over_lists() -> None:
    for kind in ("texts", "list"):
        X, y = forms(kind)
        search = GridSearchCV(tiny(), {"hidden_size": [2, 3]}, cv=2).fit(X, y)
        assert search.predict(X).shape == (16,)


@pytest.mark.parametrize("kind", FORMS)
def test_each_form_of_input_is_learned_predicted_saved_and_read_again(kind: str, tmp_path: Path) -> None:
    X, y = forms(kind)
    estimator = tiny(aux="both").fit(X, y)
    probabilities = estimator.predict_proba(X)
    assert probabilities.shape == (16, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-12)
    np.testing.assert_array_equal(estimator.predict(X), estimator.classes_[probabilities.argmax(1)])
    estimator.save_pretrained(tmp_path)
    again = LongSequenceClassifier.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)
    assert again.n_features_in_ == estimator.n_features_in_


@pytest.mark.parametrize(
    ("kind", "features"),
    [("array", 2), ("table", 7), ("pixels", 3), ("list", 2), ("list of one channel", 1), ("texts", 1)],
)
def test_number_of_features(kind: str, features: int) -> None:
    assert tiny(aux=None).fit(*forms(kind)).n_features_in_ == features


def test_a_table_an_array_and_a_list_of_the_same_numbers_are_the_same() -> None:
    X, y = rising_or_falling(20)
    found = [
        tiny().fit(same, y).predict_proba(same)
        for same in (X, X.tolist(), X[:, :, np.newaxis], list(X), torch.tensor(X))
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-6)


def test_lengths_may_differ_from_those_of_training() -> None:
    X, y = rising_or_falling(20)
    estimator = tiny().fit(X[:, :, np.newaxis], y)
    assert estimator.predict(X[:, :5, np.newaxis]).shape == (20,)
    assert estimator.predict([X[0], X[1][:3]]).shape == (2,)
    table = tiny().fit(X, y)
    assert table.predict(X[:, :5, np.newaxis]).shape == (20,)
    with pytest.raises(ValueError, match="X has 5 features, but LongSequenceClassifier is expecting 12"):
        table.predict(X[:, :5])


def test_answers_do_not_depend_on_what_else_is_asked() -> None:
    X, y = forms("list")
    estimator = tiny().fit(X, y)
    alone = np.concatenate([estimator.predict_proba([sequence]) for sequence in X])
    np.testing.assert_allclose(estimator.predict_proba(X), alone, atol=1e-6)


def test_standardisation_is_learned_from_the_training_split_alone() -> None:
    X, y = rising_or_falling(20)
    X = 100 + 5 * X
    estimator = tiny(aux=None).fit(X[:12], y[:12], eval_set=(X[12:] + 1000, y[12:]))
    preprocessing = estimator.model_.preprocessing
    np.testing.assert_allclose(preprocessing.mean, X[:12].mean(), rtol=1e-9)
    np.testing.assert_allclose(preprocessing.scale, X[:12].std(), rtol=1e-9)


def test_pixels_keep_their_levels_and_their_memory() -> None:
    X, y = forms("pixels")
    before = X.copy()
    estimator = tiny().fit(X, y)
    assert estimator.model_.spec == InputSpec("pixels", 3, 256)
    np.testing.assert_array_equal(X, before)


def test_unknown_characters_are_no_error() -> None:
    estimator = tiny().fit(*forms("texts"))
    assert estimator.model_.spec.size == 4  # a, b, é and the unknown
    assert estimator.predict(["xyz", "ab"]).shape == (2,)
