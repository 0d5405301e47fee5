"""Values in, values out: scikit-learn's own checks, and what those do not know."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor

CHECKED = LongSequenceRegressor(
    recipe="paper",
    initialisation="torch",
    hidden_size=16,
    projection_size=None,
    regulariser="none",
    aux=None,
    optimizer="adam",
    lr=0.03,
    pretrain_epochs=0,
    max_epochs=1,
    batch_size=50,
    accelerator="cpu",
)


def tiny(**changes: Any) -> LongSequenceRegressor:
    settings: dict[str, Any] = {
        "recipe": "paper", "hidden_size": 8, "projection_size": None, "segment_length": 3, "bptt": 6,
        "regulariser": "none",
        "pretrain_epochs": 1, "max_epochs": 12, "batch_size": 16, "optimizer": "adam", "lr": 0.03,
        "accelerator": "cpu", "aux_options": {"decoder_layers": 1},
    }  # fmt: skip
    return LongSequenceRegressor(**{**settings, **changes})


def levels(number: int = 60) -> tuple[Any, Any]:
    """Noise around a level (N, 8, 2), and the level in other units."""
    generator = np.random.default_rng(0)
    level = generator.uniform(-1, 1, number)
    return level[:, None, None] + generator.normal(0, 0.3, (number, 8, 2)), 5000 + 200 * level


@parametrize_with_checks([CHECKED])
def test_every_check_of_scikit_learn(estimator: Any, check: Any) -> None:
    if check.func.__name__ == "check_regressors_train":
        estimator.set_params(max_epochs=30)  # for an R2 above 0.5 on tables of which one column of ten matters
    check(estimator)


def test_learns_and_comes_back_from_its_folder(tmp_path: Any) -> None:
    X, y = levels()
    fitted = tiny().fit(X, y)
    assert fitted.score(X, y) == pytest.approx(r2_score(y, fitted.predict(X)))
    assert fitted.score(X, y) > 0.6
    assert fitted.model_.target.mean[0] == pytest.approx(5000, abs=60)
    assert fitted.history_[-1]["validation_r2"] <= max(row.get("validation_r2", -9) for row in fitted.history_)
    fitted.save_pretrained(tmp_path)
    again = LongSequenceRegressor.from_pretrained(tmp_path)
    assert np.array_equal(again.predict(X), fitted.predict(X))
    with pytest.raises(InputError, match="found a sequence regressor; open it with LongSequenceRegressor"):
        LongSequenceClassifier.from_pretrained(tmp_path)


@pytest.mark.parametrize("columns", [1, 2])
def test_several_values_keep_their_columns(columns: int, tmp_path: Any) -> None:
    X, y = levels(20)
    Y = np.stack([y, -y / 1000], 1)[:, :columns]
    fitted = tiny(max_epochs=1).fit(X, Y, eval_set=(X[:4], Y[:4]))
    assert fitted.predict(X).shape == (20, columns)
    fitted.save_pretrained(tmp_path)
    assert LongSequenceRegressor.from_pretrained(tmp_path).predict(X).shape == (20, columns)


def test_values_are_standardised_as_the_training_split_alone() -> None:
    X, y = levels(20)
    fitted = tiny(max_epochs=1).fit(X[:10], y[:10], eval_set=(X[10:], y[10:]))
    assert fitted.model_.target.mean == pytest.approx((y[:10].mean(),))
    assert fitted.model_.target.scale == pytest.approx((y[:10].std(),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "20 sequences and 19 labels"),
        (lambda y: np.where(y == y[3], np.nan, y), "NaN"),
        (lambda y: y[:, None, None], "shape|dim"),
        (lambda y: np.array(["high"] * len(y)), "numeric"),
        (lambda y: [10**400] * len(y), "y: expected numbers that float64 holds"),
        (lambda y: y.astype(str).astype(object), "y: expected numbers, got a text"),
    ],
)
def test_values_that_are_none(change: Any, message: str) -> None:
    X, y = levels(20)
    with pytest.raises(InputError, match=message):
        tiny().fit(X, change(y))


def test_another_number_of_values_in_eval_set() -> None:
    X, y = levels(20)
    with pytest.raises(InputError, match="y of eval_set: expected 1 values a sequence, got 2"):
        tiny().fit(X, y, eval_set=(X, np.stack([y, y], 1)))
