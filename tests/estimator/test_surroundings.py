"""An estimator is the same whatever goes on around it: torch's modes, other threads, fits that fail."""

import copy
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger
from auxrnn.training.step import DivergedError, TrainingStep
from small_estimators import Frame, rising_or_falling, tiny


def weights(fitted: Any) -> bytes:
    return b"".join(weight.numpy().tobytes() for weight in fitted.model_.network.state_dict().values())


@contextmanager
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "around",
    [float64_by_default, torch.inference_mode, torch.no_grad, lambda: torch.device("meta")],
    ids=["float64", "inference", "no gradient", "device"],
)
def test_modes_of_torch_change_nothing(around: Callable[[], AbstractContextManager[Any]], tmp_path: Path) -> None:
    X, y = rising_or_falling()
    plain = tiny().fit(X, y)
    with around():
        fitted = tiny().fit(X, y)
        found = fitted.predict_proba(X)
        said = fitted.stream().push(X[0])
        fitted.save_pretrained(tmp_path)
        again = LongSequenceClassifier.from_pretrained(tmp_path).predict_proba(X)
    assert weights(fitted) == weights(plain)
    np.testing.assert_array_equal(found, plain.predict_proba(X))
    np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(said, plain.stream().push(X[0]))


def test_fits_in_threads_are_those_of_one_after_another_and_leave_random_numbers_alone() -> None:
    X, y = rising_or_falling()
    plain = weights(tiny().fit(X, y))
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: weights(tiny().fit(X, y)), range(4)))
    assert found == [plain] * 4
    assert torch.equal(torch.get_rng_state(), before)


FIRST = """
    import random, warnings
    from auxrnn import LongSequenceClassifier
    warnings.simplefilter("ignore")
    before = random.getstate()
    fitted = LongSequenceClassifier(recipe="paper", hidden_size=2, max_epochs=1, pretrain_epochs=0, bptt=2)
    fitted.fit([[1.0, 2.0], [2.0, 1.0]] * 4, [0, 1] * 4)
    assert random.getstate() == before
"""


def test_the_first_fit_of_a_process_leaves_python_s_random_numbers_alone() -> None:
    """Though what it loads draws from them."""
    subprocess.run([sys.executable, "-c", textwrap.dedent(FIRST)], check=True)


def broken_inputs(X: Any, y: Any, patched: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    return np.full((6, 3), np.nan), np.array(list("pqpqpq")), InputError


def diverges(X: Any, y: Any, patched: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    patched.setattr(TrainingStep, "losses", lambda *given: raise_(DivergedError("no longer finite")))
    return X[:, :5], np.where(y, "p", "q"), DivergedError


def interrupted(X: Any, y: Any, patched: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    patched.setattr(TrainingStep, "losses", lambda *given: raise_(KeyboardInterrupt()))
    return X[:, :5], np.where(y, "p", "q"), KeyboardInterrupt


def one_class(X: Any, y: Any, patched: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    return X[:, :5], np.full(len(X), "p"), InputError


def wrong_eval_set(X: Any, y: Any, patched: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    return X[:, :5], (np.where(y, "p", "q"), (X[:4], list("pqrs"))), InputError


def raise_(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("fault", [broken_inputs, diverges, interrupted, one_class, wrong_eval_set])
def test_a_fit_that_fails_changes_nothing(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = rising_or_falling()
    fitted = tiny().fit(X, y)
    before, answers = dict(vars(fitted)), fitted.predict_proba(X)
    with monkeypatch.context() as patched:
        other, labels, error = fault(X, y, patched)
        labels, eval_set = labels if isinstance(labels, tuple) else (labels, None)
        with pytest.raises(error):
            fitted.fit(other, labels, eval_set)
    after = vars(fitted)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(fitted.predict_proba(X), answers)


def test_the_first_fit_that_fails_leaves_an_estimator_that_is_not_fitted() -> None:
    fresh = tiny()
    with pytest.raises(InputError):
        fresh.fit(np.full((4, 3), np.nan), [0, 1, 0, 1])
    assert not [name for name in vars(fresh) if name.endswith("_")]


def tagged(X: Any, y: Any) -> Any:
    return np.repeat(y[:, None], X.shape[1], axis=1)


@pytest.mark.parametrize("kind", [LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger])
def test_tensors_of_every_kind_are_their_numbers(kind: Any) -> None:
    X, y = rising_or_falling()
    X = torch.from_numpy(X.astype(np.float32)).bfloat16().float().numpy()
    y = y if kind is LongSequenceClassifier else tagged(X, y) if kind is LongSequenceTagger else y.astype(np.float32)
    settings = {name: value for name, value in tiny().get_params().items() if name != "class_weight"}
    plain = kind(**settings).fit(X, y)
    tensors, labels = torch.from_numpy(X), torch.from_numpy(y)
    for given in (tensors.clone().requires_grad_(), tensors.bfloat16(), tensors.numpy()):
        found = kind(**settings).fit(given, labels)
        assert weights(found) == weights(plain)
        np.testing.assert_array_equal(found.predict(given), plain.predict(X))
        assert found.score(given, labels) == plain.score(X, y)
    if kind is LongSequenceRegressor:
        assert weights(kind(**settings).fit(X, labels.clone().requires_grad_())) == weights(plain)


class NAType:
    """Like pandas' NA, which cannot be compared."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    def __hash__(self) -> int:
        return 0


def test_missing_values_of_pandas_are_named() -> None:
    X, y = rising_or_falling(8)
    holed = X.astype(object)
    holed[2, 3] = NAType()
    for given in (holed, list(holed)):
        with pytest.raises(InputError, match="NaN"):
            tiny().fit(given, y)
        with pytest.raises(InputError, match="NaN"):
            tiny().fit(X, y).predict(given)
    labels = y.astype(object)
    labels[3] = NAType()
    with pytest.raises(InputError, match="y: expected a label for every sequence, got nan at sequence 3"):
        tiny().fit(X, labels)
    with pytest.raises(InputError, match="NaN"):
        LongSequenceRegressor(**{k: v for k, v in tiny().get_params().items() if k != "class_weight"}).fit(X, labels)
    tags = np.repeat(np.where(y, "up", "down").astype(object)[:, None], X.shape[1], axis=1)
    tags[0, 0] = NAType()
    tagger = LongSequenceTagger(**tiny().get_params()).fit(X, tags)
    assert tagger.classes_.tolist() == ["down", "up"]


def test_columns_of_frames_are_found_by_name(tmp_path: Path) -> None:
    """Also after a folder, in a stream, in eval_set, and between the frames of the training data."""
    X, y = rising_or_falling()
    frames = [Frame(level=row, gain=9 - row**2) for row in X]
    turned = [frame[["gain", "level"]] for frame in frames]
    fitted = tiny().fit(frames, y)
    assert fitted.feature_names_in_.tolist() == ["level", "gain"]
    expected = fitted.predict_proba([np.asarray(frame) for frame in frames])
    np.testing.assert_array_equal(fitted.predict_proba(turned), expected)
    np.testing.assert_allclose(fitted.stream().push(turned[0]), expected[:1], atol=1e-6)
    fitted.save_pretrained(tmp_path)
    again = LongSequenceClassifier.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(turned), expected)
    assert again.feature_names_in_.tolist() == ["level", "gain"]
    assert weights(tiny().fit(frames[:1] + turned[1:], y)) == weights(fitted)
    losses = [tiny().fit(frames, y, (held_out, y)).history_[-1]["validation_loss"] for held_out in (turned, frames)]
    assert losses[0] == losses[1]
    with pytest.raises(
        InputError, match="sequence 1: expected the columns level, gain as in training, got level, loss"
    ):
        fitted.predict([frames[0], Frame(level=X[0], loss=X[0])])
    fitted.fit(X[:, :, None], y)
    assert not hasattr(fitted, "feature_names_in_")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_streams_are_copied_and_pickled_as_they_stand(duplicate: Any, cell: str) -> None:
    X, y = rising_or_falling()
    stream = tiny(cell=cell, projection_size=3).fit(X, y).stream()
    stream.push(X[0, :5])
    other = duplicate(stream)
    for step in X[0, 5:]:
        np.testing.assert_array_equal(other.push([step]), stream.push([step]))
    assert other.steps == stream.steps == X.shape[1]
    stream.reset()
    assert other.steps == X.shape[1]
