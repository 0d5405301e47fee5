"""The classifier on several classes a sequence, and the weights of classes."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier


def tiny(**changes: Any) -> LongSequenceClassifier:
    settings: dict[str, Any] = {
        "recipe": "paper", "hidden_size": 8, "projection_size": None, "segment_length": 3, "bptt": 6,
        "regulariser": "none",
        "pretrain_epochs": 1, "max_epochs": 15, "batch_size": 16, "optimizer": "adam", "lr": 0.03,
        "accelerator": "cpu", "aux_options": {"decoder_layers": 1},
    }  # fmt: skip
    return LongSequenceClassifier(**{**settings, **changes})


def signs(number: int = 60) -> tuple[Any, Any]:
    """Two levels (N, 6, 2) in noise, and of each whether it is above 0."""
    generator = np.random.default_rng(0)
    level = generator.uniform(-1, 1, (number, 2))
    return level[:, None] + generator.normal(0, 0.2, (number, 6, 2)), (level > 0).astype(int)


def test_learns_and_comes_back_from_its_folder(tmp_path: Any) -> None:
    X, Y = signs()
    fitted = tiny().fit(X, Y)
    assert fitted.predict(X).shape == Y.shape
    assert fitted.score(X, Y) == accuracy_score(Y, fitted.predict(X))
    assert fitted.score(X, Y) > 0.6  # a constant answer has 0.25
    assert np.array_equal(fitted.predict_proba(X) > 0.5, fitted.predict(X) == 1)
    assert "train_micro_f1" in fitted.history_[-1]
    fitted.save_pretrained(tmp_path)
    again = LongSequenceClassifier.from_pretrained(tmp_path)
    assert np.array_equal(again.predict(X), fitted.predict(X))


def test_eval_set_and_wrong_rows() -> None:
    X, Y = signs(20)
    assert tiny(max_epochs=1).fit(X[:10], Y[:10], eval_set=(X[10:], Y[10:])).best_epoch_ == 1
    with pytest.raises(InputError, match="20 sequences and 19 rows"):
        tiny().fit(X, Y[:-1])
    with pytest.raises(InputError):
        tiny().fit(X, Y + 1)  # neither 0 and 1 nor one class a sequence


def test_class_weight() -> None:
    X, Y = signs(40)
    ones, zeros = (
        tiny(class_weight={0: 1 / weight, 1: weight}, validation_fraction=0.0).fit(X, Y[:, 0]).predict(X).mean()
        for weight in (1000, 0.001)
    )
    assert ones > zeros + 0.3
    balanced = tiny(max_epochs=1, class_weight="balanced").fit(X[:30], np.arange(30) % 3 // 2)
    assert balanced.get_params()["class_weight"] == "balanced"
    for weight, message in (("even", "got 'even'"), ({7: 1.0}, "got 7"), ({0: -1.0}, "got -1.0 for 0")):
        with pytest.raises(InputError, match=message):
            tiny(class_weight=weight).fit(X, Y[:, 0])
    with pytest.raises(InputError, match="class_weight to be None"):
        tiny(class_weight={0: 1.0}).fit(X, Y)
