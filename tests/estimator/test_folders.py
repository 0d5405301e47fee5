"""Folders and copies of an estimator answer as it does."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from auxrnn.config import AuxiliaryConfig, ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier
from auxrnn.estimator.settings import config_of
from auxrnn.sources.dataset import SequenceData
from auxrnn.use import persistence
from auxrnn.use.inference import predict_logits
from small_estimators import forms, rising_or_falling, tiny


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
    assert config_of(again.get_params())[0].model_config() == estimator.model_.config
    assert again.get_params()["aux_options"] == options
    assert (again.best_epoch_, again.history_) == (estimator.best_epoch_, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    again.save_pretrained(tmp_path / "second")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    clone(again).set_params(max_epochs=1).fit(X, y)


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
