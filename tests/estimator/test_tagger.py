"""A class for every step in and out, with steps that have none."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceTagger
from small_estimators import Frame


def tiny(**changes: Any) -> LongSequenceTagger:
    settings: dict[str, Any] = {
        "recipe": "paper", "hidden_size": 8, "projection_size": None, "segment_length": 3, "bptt": 4,
        "regulariser": "none",
        "pretrain_epochs": 1, "max_epochs": 10, "batch_size": 8, "optimizer": "adam", "lr": 0.03,
        "accelerator": "cpu", "aux_options": {"decoder_layers": 1},
    }  # fmt: skip
    return LongSequenceTagger(**{**settings, **changes})


def signs(number: int = 40, steps: int = 12) -> tuple[Any, Any]:
    """Noise (N, T, 1), and at every step whether the one before was above 0."""
    X = np.random.default_rng(0).normal(size=(number, steps, 1))
    before = np.concatenate([np.ones((number, 1)), X[:, :-1, 0]], 1)
    return X, np.where(before > 0, "up", "down")


def test_learns_and_comes_back_from_its_folder(tmp_path: Any) -> None:
    X, y = signs()
    fitted = tiny(max_epochs=25).fit(X, y)
    answers = fitted.predict(X)
    assert answers.shape == y.shape
    assert fitted.score(X, y) == (answers == y).mean()
    assert fitted.score(X, y) > 0.85
    assert fitted.predict_proba(X).sum(-1) == pytest.approx(np.ones(y.shape))
    fitted.save_pretrained(tmp_path)
    again = LongSequenceTagger.from_pretrained(tmp_path)
    assert np.array_equal(again.predict(X), answers)
    assert again.classes_.tolist() == ["down", "up"]


@pytest.mark.parametrize("none", [None, "", -1])
def test_steps_without_a_tag_are_not_learned_from_and_not_counted(none: Any) -> None:
    X, y = signs(12)
    tags: Any = y.astype(object) if none != -1 else (y == "up").astype(int)
    without = tags.copy()
    without[:, 5] = none
    X_other = X.copy()
    fitted = tiny(max_epochs=2).fit(X, without)
    assert len(fitted.classes_) == 2
    assert fitted.score(X_other, without) == np.delete(fitted.predict(X) == tags, 5, 1).mean()


def test_tags_of_a_frame_are_those_of_its_rows() -> None:
    X, y = signs(8)
    framed = Frame(**{f"step {step}": y[:, step] for step in range(y.shape[1])})
    np.testing.assert_array_equal(tiny().fit(X, framed).predict_proba(X), tiny().fit(X, y).predict_proba(X))


def test_lists_of_unequal_lengths() -> None:
    X, y = signs(10)
    lengths = [3 + index for index in range(10)]
    fitted = tiny(max_epochs=1).fit([x[:t] for x, t in zip(X, lengths, strict=True)],
                                    [tags[:t] for tags, t in zip(y, lengths, strict=True)])  # fmt: skip
    found = fitted.predict([X[0][:3], X[1][:5]])
    assert [len(tags) for tags in found] == [3, 5]
    assert [share.shape for share in fitted.predict_proba([X[0][:3], X[1][:5]])] == [(3, 2), (5, 2)]
    assert np.array_equal(found[1], fitted.predict(X[1:2])[0, :5])  # a tag follows from what is before it


def test_answers_do_not_depend_on_what_else_is_asked() -> None:
    X, y = signs(10)
    fitted = tiny(max_epochs=1).fit(X, y)
    alone = np.concatenate([fitted.predict_proba([x]) for x in X])
    np.testing.assert_allclose(fitted.predict_proba(X), alone, atol=1e-6)


def test_class_weight() -> None:
    X, y = signs(16)
    ups, downs = (
        (tiny(class_weight={"up": up, "down": 1 / up}, validation_fraction=0.0).fit(X, y).predict(X) == "up").mean()
        for up in (1000.0, 0.001)
    )
    assert ups > downs + 0.3
    assert clone(tiny(class_weight="balanced")).get_params()["class_weight"] == "balanced"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:, :-1], r"sequence 0: expected a tag for each of its 12 steps, got shape \(11,\)"),
        (lambda y: np.where(y == "up", np.inf, 0.0), "sequence 0: expected classes as tags, got measured values"),
        (lambda y: y[:-1], "expected a row of tags for each of 8 sequences, got 7 rows"),
        (lambda y: y[:, 0], "a tag for each of its 12 steps"),
        (lambda y: np.full(y.shape, 1.5), "got measured values such as 1.5"),
        (lambda y: np.full(y.shape, "up"), "at least 2 classes"),
        (lambda y: np.full(y.shape, -1), "at least one step with a tag"),
        (lambda y: [*y[:-1].tolist(), [3] * 12], "one type throughout"),
        (lambda y: None, "requires y"),
    ],
)
def test_tags_that_are_none(change: Any, message: str) -> None:
    X, y = signs(8)
    with pytest.raises(InputError, match=message):
        tiny().fit(X, change(y))


def test_no_score_without_a_tag() -> None:
    X, y = signs()
    with pytest.raises(InputError, match="at least one step with a tag"):
        tiny().fit(X, y).score(X[:2], np.full((2, X.shape[1]), "", dtype=object))
