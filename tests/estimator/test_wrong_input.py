"""Parameters and data that cannot be used are named."""

import inspect
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger
from auxrnn.estimator.settings import config_of
from small_estimators import forms, rising_or_falling, tiny


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"aux": "recontruct"}, "Did you mean 'reconstruct'"),
        ({"aux": ["predict"]}, "Expected aux of reconstruct, predict, both, auto or None"),
        ({"cell": "lsmt"}, "Expected cell to be 'lstm' or .* or 'ur-lstm', got 'lsmt'. Did you mean 'lstm'"),
        ({"optimizer": "Adm"}, "Did you mean 'adam'"),
        ({"lr_schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"regulariser": None}, "'dropconnect' or 'dropout' or 'none', got None"),
        ({"bptt": "ful"}, "Expected bptt to be 'full' or a whole number, got 'ful'. Did you mean 'full'"),
        ({"bptt": 2.5}, "Expected bptt to be 'full' or a whole number"),
        ({"bptt": -1}, "Expected bptt of at least 0"),
        ({"hidden_size": "8"}, "Expected hidden_size to be a whole number, got '8'"),
        ({"hidden_size": True}, "Expected hidden_size to be a whole number, got True"),
        ({"hidden_size": 0}, "Expected hidden_size of at least 1"),
        ({"lr": 0}, "Expected lr above 0"),
        ({"lr": "fast"}, "Expected lr to be a finite number"),
        ({"gradient_clip": float("nan")}, "Expected gradient_clip to be a finite number or None"),
        ({"validation_fraction": 1.0}, "Expected validation_fraction between 0 and 0.9"),
        ({"random_state": -1}, "Expected random_state of at least 0"),
        ({"random_state": "x"}, "Expected random_state to be a whole number"),
        ({"aux_options": {"weigth": 2}}, "Did you mean 'weight'"),
        ({"aux_options": {"order": "forwards"}}, "Expected aux_options.order .* Did you mean 'forward'"),
        ({"aux_options": {"weight": -1}}, "Expected aux.weight of at least 0"),
        ({"aux_options": [("weight", 1)]}, "Expected aux_options to be a dict or None"),
        ({"cell": "rnn", "initialisation": "chrono"}, "no gates"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny(**parameters).fit(*rising_or_falling(8))


def test_parameters_of_numpy_become_plain_numbers() -> None:
    config, _ = config_of(tiny(hidden_size=np.int64(3), lr=np.float32(0.5), bptt=np.int8(4)).get_params())
    assert (type(config.hidden_size), type(config.bptt), type(config.lr)) == (int, int, float)


@pytest.mark.parametrize("kind", [LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger])
def test_a_misspelt_parameter_is_named_with_the_nearest(kind: Any) -> None:
    estimator = kind()
    with pytest.raises(ValueError, match=f"'hiden_size' for estimator {kind.__name__}.*Did you mean 'hidden_size'"):
        estimator.set_params(lr=5.0, hiden_size=3)
    assert estimator.get_params() == kind().get_params()
    with pytest.raises(TypeError, match=rf"{kind.__name__}\(\) got an .* 'hiden_size'. Did you mean 'hidden_size'"):
        kind(hiden_size=3)
    with pytest.raises(TypeError, match="positional"):
        kind(3)
    assert ("class_weight" in inspect.signature(kind).parameters) == (kind is not LongSequenceRegressor)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 3)), [0, 1, 0], "got 4 sequences and 3 labels"),
        (np.zeros((4, 3)), None, "requires y to be passed"),
        (np.zeros((4, 3)), [0, 0, 0, 0], "at least 2 classes, got 1 class"),
        (np.zeros((4, 3)), [0.1, 0.2, 0.3, 0.45], "Unknown label type"),
        (np.zeros((4, 3)), [[0, 2], [1, 0], [0, 1], [1, 0]], r"y: expected one class a sequence, \(N,\)"),
        (np.zeros((4, 3)), np.array([0, "a", 0, "a"], dtype=object), "label"),
        (
            np.zeros((4, 3)),
            np.array(["NaT", "1970", "1970", "1971"], "M8[s]"),
            "a label for every .* got NaT",
        ),
        ([[10**400, 1], [2, 3]], [0, 1], "X: expected numbers that float64 holds"),
        (np.array([["3_1", 2.0], [1.0, 0.0]], dtype=object), [0, 1], "X: expected numbers, got a text, '3_1'"),
        ([np.zeros(3), np.zeros(0)], [0, 1], "at least one step"),
        (["a", ""], [0, 1], "at least one character"),
    ],
)
def test_wrong_data_are_named(X: Any, y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny().fit(X, y)


@pytest.mark.parametrize(
    ("eval_set", "message"),
    [
        (np.zeros((4, 12)), "Expected eval_set to be a pair"),
        ((np.zeros((4, 12)), [0, 1]), "y of eval_set: expected one label a sequence"),
        ((np.zeros((2, 12)), [0, 2]), "y of eval_set: expected labels of the training data, got 2"),
        ((np.zeros((2, 12)), ["0", "1"]), "expected labels of the training data, got '0'"),
        ((np.zeros((2, 12, 2)), [0, 1]), "X of eval_set: expected 1 channels"),
        (([], []), "X of eval_set: expected at least one sequence"),
    ],
)
def test_wrong_eval_sets_are_named(eval_set: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny().fit(*rising_or_falling(8), eval_set=eval_set)


def test_other_input_than_in_training_is_named() -> None:
    estimator = tiny().fit(*forms("array"))
    for X, message in ((np.zeros((2, 7, 3)), "2 channels"), (np.zeros((2, 7)), "2 channels"), (["a"], "numbers")):
        with pytest.raises(InputError, match=message):
            estimator.predict(X)
    with pytest.raises(NotFittedError):
        tiny().predict(np.zeros((2, 7)))
    with pytest.raises(NotFittedError):
        tiny().save_pretrained("nowhere")


def test_a_second_fit_forgets_the_first() -> None:
    estimator = tiny().fit(*forms("table"))
    estimator.fit(*forms("list"))
    assert estimator.n_features_in_ == 2
    assert estimator.predict(forms("list")[0]).shape == (16,)
