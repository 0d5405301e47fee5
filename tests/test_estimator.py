"""The estimator with scikit-learn's own checks, and with what those do not know: sequences, folders, curves."""

import copy
import inspect
import json
import pickle
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from auxrnn import persistence
from auxrnn.batch import InputSpec
from auxrnn.build import build_model
from auxrnn.config import AuxiliaryConfig, ModelConfig, TrainingConfig
from auxrnn.data.dataset import SequenceData
from auxrnn.data.splits import stratified_split
from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger
from auxrnn.inference import predict_logits
from auxrnn.training.module import PhaseModule


def tiny(**changes: Any) -> LongSequenceClassifier:
    settings: dict[str, Any] = {
        "hidden_size": 4,
        "projection_size": None,
        "segment_length": 3,
        "bptt": 5,
        "pretrain_epochs": 1,
        "max_epochs": 1,
        "batch_size": 16,
        "accelerator": "cpu",
        "aux_options": {"decoder_layers": 1},
    }
    return LongSequenceClassifier(**{**settings, **changes})


def rising_or_falling(number: int = 60, steps: int = 12, seed: int = 0) -> tuple[Any, Any]:
    """Noisy ramps (N, T), the label says whether they rise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, number)
    ramp = np.linspace(-1, 1, steps) * (2 * labels[:, None] - 1)
    return ramp + generator.normal(0, 0.2, (number, steps)), labels


def forms(kind: str) -> tuple[Any, Any]:
    """16 sequences of two classes in one of the forms that X may have."""
    generator = np.random.default_rng(0)
    labels = np.arange(16) % 2
    lengths = [6 + 2 * (index % 3) for index in range(16)]
    X: Any = {
        "array": generator.normal(size=(16, 7, 2)),
        "table": generator.normal(size=(16, 7)),
        "pixels": generator.integers(0, 256, (16, 7, 3)).astype(np.uint8),
        "whole numbers": generator.integers(-5, 5, (16, 7, 1)),
        "list": [generator.normal(size=(length, 2)) for length in lengths],
        "list of one channel": [generator.normal(size=length) for length in lengths],
        "texts": ["ab" * (index + 1) if labels[index] else "é" * (index + 1) for index in range(16)],
        "tuple of nested lists": tuple(generator.normal(size=(length, 2)).tolist() for length in lengths),
    }[kind]
    return X, labels


FORMS = ("array", "table", "pixels", "whole numbers", "list", "list of one channel", "texts", "tuple of nested lists")


# scikit-learn's conventions -------------------------------------------------------------------------------------------

# Nothing is left out and nothing is expected to fail: on tables (N, T) every check applies. Input of three dimensions,
# lists and texts they do not know; the tests further down are for those.
CHECKED = LongSequenceClassifier(
    hidden_size=8,
    projection_size=None,
    regulariser="none",
    segment_length=4,
    optimizer="adam",
    lr=0.03,
    pretrain_epochs=1,
    max_epochs=4,
    batch_size=32,
    accelerator="cpu",
    aux_options={"decoder_layers": 1},
)


@parametrize_with_checks([CHECKED])
def test_every_check_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def test_defaults_are_the_published_contract() -> None:
    contract = {
        "cell": "lstm", "hidden_size": 128, "aux": "reconstruct", "bptt": 300, "num_anchors": 1, "segment_length": 600,
        "pretrain_epochs": 5, "max_epochs": 20, "batch_size": 128, "lr": 1e-3, "random_state": 0,
    }  # fmt: skip
    found = LongSequenceClassifier().get_params()
    assert {name: found[name] for name in contract} == contract


def test_every_default_is_the_configuration_s_own() -> None:
    """One source of defaults in effect: an estimator and a run of the command line are the same training."""
    model, training = LongSequenceClassifier()._configs()
    assert model == ModelConfig()
    assert training == TrainingConfig(checkpoint_steps=None, checkpoint_minutes=None)


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


# What X may be --------------------------------------------------------------------------------------------------------


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


# What is learned ------------------------------------------------------------------------------------------------------


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


# Randomness -----------------------------------------------------------------------------------------------------------


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


# Quiet, and interruptible ---------------------------------------------------------------------------------------------


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
    tiny(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["pretrain epoch 1/1", "train epoch 1/1"]


def test_ctrl_c_is_a_keyboard_interrupt_and_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PhaseModule, "training_step", interrupt)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        tiny().fit(*rising_or_falling(20))
    assert signal.getsignal(signal.SIGINT) is before


# Input that cannot be used --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"aux": "recontruct"}, "Did you mean 'reconstruct'"),
        ({"aux": ["predict"]}, "Expected aux of reconstruct, predict, both or None"),
        ({"cell": "lsmt"}, "Expected cell to be 'lstm' or 'gru' or 'rnn', got 'lsmt'. Did you mean 'lstm'"),
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
    model, training = tiny(hidden_size=np.int64(3), lr=np.float32(0.5), bptt=np.int8(4))._configs()
    assert (type(model.hidden_size), type(model.bptt), type(training.lr)) == (int, int, float)


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
        (np.zeros((4, 3)), [[0, 2], [1, 0], [0, 1], [1, 0]], "1d array"),
        (np.zeros((4, 3)), np.array([0, "a", 0, "a"], dtype=object), "label"),
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


# Folders and copies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["down", "up"], [3, 70000], np.array([1, 2], np.int8), np.array(["é", "z"], object)])
def test_folder_keeps_the_labels_type(names: Any, tmp_path: Path) -> None:
    X, y = rising_or_falling(20)
    estimator = tiny().fit(X, np.array(names)[y])
    estimator.save_pretrained(tmp_path / "new" / "model")
    again = LongSequenceClassifier.from_pretrained(str(tmp_path / "new" / "model"))
    np.testing.assert_array_equal(again.classes_, estimator.classes_)
    assert again.classes_.dtype == estimator.classes_.dtype
    np.testing.assert_array_equal(again.predict(X), estimator.predict(X))


def test_folder_keeps_the_network_s_parameters(tmp_path: Path) -> None:
    X, y = rising_or_falling(20)
    options = {"weight": 0.5, "order": "reversed"}
    estimator = tiny(cell="gru", aux="both", num_layers=2, bptt="full", aux_options=options).fit(X, y)
    estimator.save_pretrained(tmp_path)
    again = LongSequenceClassifier.from_pretrained(tmp_path)
    assert again._configs()[0] == estimator._configs()[0]
    assert again.get_params()["aux_options"] == options
    assert (again.best_epoch_, again.history_) == (estimator.best_epoch_, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    again.save_pretrained(tmp_path / "second")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    clone(again).fit(X, y)


def test_a_run_folder_is_opened_like_the_model_in_it(finished_run: Path) -> None:
    image = np.random.default_rng(0).integers(0, 17, (2, 64, 1)).astype(np.uint8)
    of_run, of_model = (LongSequenceClassifier.from_pretrained(path) for path in (finished_run, finished_run / "model"))
    np.testing.assert_array_equal(of_run.predict_proba(image), of_model.predict_proba(image))


@pytest.mark.parametrize("labels", [np.array([1.0, 2.0]), np.array([False, True])])
def test_labels_that_would_not_come_back_are_refused(labels: Any, tmp_path: Path) -> None:
    X, y = rising_or_falling(20)
    with pytest.raises(InputError, match="texts or whole numbers to save"):
        tiny().fit(X, labels[y]).save_pretrained(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("label_type", "float64"),
        ("label_type", "int8"),
        ("classes", ["a", "b"]),
        ("preprocessing", {"kind": "values"}),
        ("preprocessing", 3),
    ],
)
def test_damaged_folders_are_refused(entry: str, value: Any, tmp_path: Path) -> None:
    X, y = rising_or_falling(20)
    tiny().fit(X, 1000 * y).save_pretrained(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**content, entry: value}))
    with pytest.raises(InputError, match=str(tmp_path)):
        LongSequenceClassifier.from_pretrained(tmp_path)


def test_preprocessing_that_does_not_fit_the_network_is_refused(tmp_path: Path) -> None:
    tiny().fit(*forms("array")).save_pretrained(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    content["preprocessing"] |= {"channels": 1, "mean": [0.0], "scale": [1.0]}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="the network reads"):
        LongSequenceClassifier.from_pretrained(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        tiny().fit(*rising_or_falling(20)).save_pretrained(tmp_path / "file")
    with pytest.raises(InputError, match="expected a run folder or a model folder, found none"):
        LongSequenceClassifier.from_pretrained(tmp_path)


@pytest.mark.parametrize("order", [None, (3, 1, 0, 2, 5, 4)])
def test_folder_of_a_run_reads_images_pixel_by_pixel(order: tuple[int, ...] | None, tmp_path: Path) -> None:
    """As `auxrnn train` saves it: pixels, names of classes, perhaps another order of the pixels; no preprocessing."""
    config = ModelConfig(model="r-lstm", hidden_size=4, projection_size=3, aux=AuxiliaryConfig(decoder_layers=1))
    spec, names = InputSpec("pixels", 1), ("zero", "one", "four")
    network = build_model(config, spec, len(names)).eval()
    saved = persistence.SavedModel(network, config, spec, names, (2, 3), order, {"data": "pmnist"})
    persistence.save_model(tmp_path, saved)

    estimator = LongSequenceClassifier.from_pretrained(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, 6), dtype=np.uint8)
    read = torch.from_numpy(images if order is None else images[:, list(order)])[:, :, None]
    expected = torch.softmax(predict_logits(network, SequenceData("X", spec, read)), 1).numpy()
    for X in (images, images[:, :, np.newaxis], list(images)):
        np.testing.assert_allclose(estimator.predict_proba(X), expected, atol=1e-6)
    np.testing.assert_array_equal(estimator.classes_, names)
    assert set(estimator.predict(images)) <= set(names)
    if order is not None:
        with pytest.raises(InputError, match="expected sequences of 6 steps"):
            estimator.predict(images[:, :5])


def test_pickles_and_deep_copies_answer_alike() -> None:
    X, y = forms("texts")
    estimator = tiny(aux="both").fit(X, y)
    for same in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        np.testing.assert_array_equal(same.predict_proba(X), estimator.predict_proba(X))
        assert same.get_params() == estimator.get_params()
        assert same.history_ == estimator.history_
    fresh = clone(estimator)
    assert not hasattr(fresh, "model_")


@pytest.mark.gpu
def test_a_network_trained_on_a_gpu_comes_back_to_the_cpu() -> None:
    X, y = rising_or_falling(30)
    before = torch.cuda.get_rng_state()
    estimator = tiny(accelerator="gpu").fit(X, y)
    assert torch.equal(before, torch.cuda.get_rng_state())
    on_gpu = estimator.predict_proba(X)
    assert next(estimator.model_.network.parameters()).device.type == "cpu"
    np.testing.assert_allclose(estimator.set_params(accelerator="cpu").predict_proba(X), on_gpu, atol=1e-4)


# Other models ---------------------------------------------------------------------------------------------------------


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
    assert again._configs()[0] == estimator.model_.config


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
