"""A stream says what the estimator says of the whole, in whatever pieces it comes."""

from typing import Any

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger

TINY: dict[str, Any] = {
    "recipe": "paper", "hidden_size": 4, "projection_size": 3, "segment_length": 2, "bptt": 3, "pretrain_epochs": 0,
    "max_epochs": 1,
    "accelerator": "cpu", "aux_options": {"decoder_layers": 1},
}  # fmt: skip


def sequences(kind: str) -> Any:
    generator = np.random.default_rng(0)
    if kind == "texts":
        return ["abba" * 3, "caab", "bbca", "cccc"] * 3
    X = generator.normal(3, 2, (12, 10, 2))
    return {"values": X, "table": X[:, :, 0], "pixels": (X * 20).clip(0, 255).astype(np.uint8)}[kind]


@pytest.mark.parametrize("sizes", [(10,), (1, 2, 3, 4), (0, 9, 1), (1,) * 10])
@pytest.mark.parametrize("kind", ["values", "table", "pixels"])
def test_pieces_of_any_size(kind: str, sizes: tuple[int, ...]) -> None:
    X = sequences(kind)
    fitted = LongSequenceClassifier(**TINY).fit(X, np.arange(12) % 3)
    stream, first, said = fitted.stream(), 0, None
    for size in sizes:
        if size:
            said = stream.push(X[0, first : first + size])
        first += size
    assert said == pytest.approx(fitted.predict_proba(X[:1]), abs=1e-6)
    assert stream.steps == 10
    stream.reset()
    assert stream.push(X[1:2] if kind != "table" else X[1]) == pytest.approx(fitted.predict_proba(X[1:2]), abs=1e-6)


def test_texts() -> None:
    X = sequences("texts")
    fitted = LongSequenceClassifier(**TINY).fit(X, np.arange(12) % 2)
    stream = fitted.stream()
    for piece in (X[0][:5], X[0][5:6], X[0][6:]):
        said = stream.push(piece)
    assert said == pytest.approx(fitted.predict_proba(X[:1]), abs=1e-6)
    with pytest.raises(InputError, match="expected a text as in training, got numbers"):
        stream.push([1.0])


TOKENS: dict[str, Any] = {
    "recipe": "paper", "aux": None, "stem": "conv", "stride": 4, "kernel": 2, "readout": "stats-max", "lr": 0.05,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["values", "pixels", "texts"])
def test_tokens_at_any_moment(kind: str) -> None:
    X = sequences(kind)
    fitted = LongSequenceClassifier(**{**TINY, **TOKENS}).fit(X, np.arange(12) % 2)
    stream = fitted.stream()
    for step in range(10):
        said = stream.push(X[0][step : step + 1])
        assert said == pytest.approx(fitted.predict_proba([X[0][: step + 1]]), abs=1e-6)


def test_values_and_tags() -> None:
    X = sequences("values")
    regressor = LongSequenceRegressor(**TINY).fit(X, X[:, -1, 0])
    stream = regressor.stream()
    stream.push(X[0, :4])
    assert stream.push(X[0, 4:])[0] == pytest.approx(regressor.predict(X[:1]))
    tagger = LongSequenceTagger(**TINY).fit(X, (X[:, :, 0] > 3).astype(int))
    stream = tagger.stream()
    said = np.concatenate([stream.push(X[0, :4]), stream.push(X[0, 4:])], axis=1)
    assert said == pytest.approx(tagger.predict_proba(X[:1]), abs=1e-6)


def test_what_is_no_chunk() -> None:
    stream = LongSequenceClassifier(**TINY).fit(sequences("values"), np.arange(12) % 2).stream()
    for chunk, message in (
        ("text", "expected numbers as in training, got a text"),
        (np.zeros((3, 5)), r"shape \(t, 2\) as in training, got shape \(3, 5\)"),
        (np.full((3, 2), np.nan), "finite"),
        ([[1.0], [1.0, 2.0]], "one width"),
    ):
        with pytest.raises(InputError, match=message):
            stream.push(chunk)
    with pytest.raises(InputError, match="reads whole sequences"):
        LongSequenceClassifier(**TINY, model="transformer").fit(sequences("values"), np.arange(12) % 2).stream()
