"""A model folder gives back the model, or a clear error; nothing in it is ever executed."""

import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from auxrnn.config import MODELS, AuxiliaryConfig, ModelConfig, TransformerConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.use import persistence
from auxrnn.use.inference import predict_logits
from auxrnn.use.persistence import CARD, CONFIG, WEIGHTS, SavedModel, load_model, save_model

SPEC = InputSpec("pixels", 1, levels=5)
MODEL = ModelConfig(
    model="rp-lstm", hidden_size=4, projection_size=3, bptt="full", segment_length=6, aux=AuxiliaryConfig(bptt=2)
)


@pytest.fixture
def saved():
    facts = {"data": "some", "test_accuracy": 0.5}
    return SavedModel(build_model(MODEL, SPEC, 3), MODEL, SPEC, ("a", "b", "c"), (2, 3), (5, 4, 3, 2, 1, 0), facts)


@pytest.fixture
def folder(saved, tmp_path):
    save_model(tmp_path / "model", saved)
    return tmp_path / "model"


def some_data():
    return SequenceData("some", SPEC, torch.randint(0, 5, (6, 6, 1), dtype=torch.uint8))


def edit(folder, **changes):
    content = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**content, **changes}))


def edit_weights(folder, change):
    weights = safetensors.torch.load_file(folder / WEIGHTS)
    change(weights)
    safetensors.torch.save_file(weights, folder / WEIGHTS)


def test_round_trip(saved, folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([CONFIG, WEIGHTS, CARD])
    found = load_model(folder)
    assert replace(found, network=None) == replace(saved, network=None)
    data = some_data()
    assert torch.equal(predict_logits(found.network, data), predict_logits(saved.network, data))
    assert not found.network.training


def test_the_same_model_gives_the_same_bytes(saved, folder, tmp_path):
    save_model(tmp_path / "again", saved)
    save_model(tmp_path / "loaded", load_model(folder))
    for name in (CONFIG, WEIGHTS, CARD):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert (folder / name).read_bytes() == (tmp_path / "loaded" / name).read_bytes()


def test_the_card_names_data_and_accuracy(folder):
    card = (folder / CARD).read_text()
    assert "data: some" in card
    assert "Test accuracy 50.00 %" in card
    assert card.startswith("---\nlibrary_name: auxrnn\n")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: expected .*, found nothing"):
        load_model(folder)


def test_a_missing_card_is_no_matter(folder):
    (folder / CARD).unlink()
    load_model(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_weights(folder, kept):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"expected weights in safetensors form"):
        load_model(folder)


def test_a_pickle_in_place_of_weights_is_refused_and_never_executed(folder, tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    for content in (pickle.dumps(Harm()), None):
        if content is None:
            torch.save({"weights": Harm()}, folder / WEIGHTS)
        else:
            (folder / WEIGHTS).write_bytes(content)
        with pytest.raises(InputError, match="safetensors"):
            load_model(folder)
    assert not (tmp_path / "executed").exists()


def name_of(weights, ending):
    return next(name for name in weights if name.endswith(ending))


def wrong_shape(weights):
    name = name_of(weights, "second.weight")
    weights[name] = weights[name][:, 1:].contiguous()


def wrong_dtype(weights):
    name = name_of(weights, "second.weight")
    weights[name] = weights[name].double()


def swapped(weights):
    names = [name_of(weights, "first.weight"), name_of(weights, "second.weight")]
    weights[names[0]], weights[names[1]] = weights[names[1]], weights[names[0]]


def not_finite(weights):
    weights[name_of(weights, "second.bias")][0] = torch.nan


def one_less(weights):
    del weights[name_of(weights, "second.bias")]


def one_more(weights):
    weights["extra"] = torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_shape, r"expected .*second\.weight of shape"),
        (wrong_dtype, "float64"),
        (swapped, "of shape"),
        (not_finite, "NaN or infinity in .*second.bias"),
        (one_less, "found none called .*second.bias"),
        (one_more, "one too many called extra"),
    ],
)
def test_weights_that_do_not_fit(folder, change, message):
    edit_weights(folder, change)
    with pytest.raises(InputError, match=message) as caught:
        load_model(folder)
    assert str(folder / WEIGHTS) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "another file"),
        ({"version": 2}, "expected version 1, found 2"),
        ({"version": None}, "found None"),
        ({"classes": ["a", "b"]}, "of shape"),
        ({"classes": None}, "expected classes to be a list .* found None"),
        ({"classes": []}, "at least one class"),
        ({"classes": "abc"}, "a list of"),
        ({"model": {"hidden_size": 5}}, "found"),
        ({"model": {"hiden_size": 5}}, "unknown model settings hiden_size"),
        ({"model": {"hidden_size": "5"}}, "does not fit"),
        (
            {"model": {"hidden_size": 10**9}},
            "hidden_size of at most 16777216, got 1000000000",
        ),
        ({"model": {"hidden_size": 10**20}}, "hidden_size of at most 16777216, got 100000000000000000000"),
        ({"model": {"projection_size": 10**18}}, "projection_size of at most"),
        ({"model": {"hidden_size": -1}}, "hidden_size of at least 1"),
        ({"model": {"model": "lstn"}}, "lstn"),
        ({"model": {"cell": "lstn"}}, "lstn"),
        ({"model": {"aux": 5}}, "Expected aux to be a group of options, got 5"),
        ({"model": {"aux": {"wieght": 1}}}, "Did you mean 'weight'"),
        ({"model": []}, r"expected model to be a group of settings, found \[\]"),
        ({"model": None}, "expected model to be a group of settings, found None"),
        ({"model": "lstm"}, "expected model to be .* found 'lstm'"),
        ({"input": {"kind": "pixles", "size": 1}}, "pixles"),
        ({"input": {"kind": "pixels"}}, "expected input to be .* found {'kind': 'pixels'}"),
        ({"input": None}, "expected input to be .* found None"),
        ({"image_shape": [2]}, r"expected image_shape to be .* found \[2\]"),
        ({"image_shape": "ab"}, "expected image_shape to be .* found 'ab'"),
        ({"pixel_order": [0, 0, 1, 2, 3, 4]}, "not an order"),
        ({"pixel_order": [0, "a"]}, r"expected pixel_order to be .* found \[0, 'a'\]"),
        ({"facts": 5}, "expected facts to be .* found 5"),
        ({"preprocessing": 5}, "expected preprocessing to be .* found 5"),
        ({"target": "value"}, "expected target to be a group .* found 'value'"),
        ({"target": {"kind": "value"}}, "entries kind, mean and scale"),
        ({"target": {"kind": "value", "mean": ["a"], "scale": [1]}}, "expected target to be .* found {'kind'"),
        ({"target": {"kind": "tag"}}, "Did you mean 'tags'"),
        ({"target": {"kind": "value", "mean": ["a" * 999], "scale": [1]}}, "found .{100} ...$"),
        ({"preprocessing": {}}, "preprocessing"),
    ],
)
def test_a_changed_configuration(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(InputError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("missing", ["model", "input", "classes", "image_shape", "pixel_order", "facts"])
def test_a_missing_entry_is_named(folder, missing):
    content = json.loads((folder / CONFIG).read_text())
    del content[missing]
    (folder / CONFIG).write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"expected an entry '{missing}'"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"5", b"null", b"[" * 100_000])
def test_a_configuration_that_is_none(folder, content):
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json: expected"):
        load_model(folder)


def test_a_folder_in_place_of_a_file(folder):
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()
    with pytest.raises(InputError, match="found nothing"):
        load_model(folder)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_failure_changes_nothing(saved, folder, monkeypatch, number):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = replace(saved, network=build_model(MODEL, SPEC, 3), facts={"data": "other"})
    calls = iter(range(9))

    def failing(*names):
        if next(calls) == number:
            raise OSError("No space left on device")
        plain(*names)

    plain = os.replace
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        save_model(folder, changed)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after == before
    assert [path.name for path in folder.parent.iterdir() if path.name.endswith(".part")] == []


def test_shared_numpy_classes_and_order_become_plain(saved, tmp_path):
    order = tuple(np.arange(6).tolist())
    save_model(tmp_path, replace(saved, pixel_order=order, image_shape=None))
    found = load_model(tmp_path)
    assert found.pixel_order == order
    assert found.image_shape is None


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_comes_back(model, tmp_path):
    sizes = TransformerConfig(layers=1, width=4, heads=2, feed_forward=5, positions="learned")
    config = ModelConfig(model=model, hidden_size=4, projection_size=3, segment_length=4, transformer=sizes)
    saved = SavedModel(build_model(config, SPEC, 3, 6).eval(), config, SPEC, ("a", "b", "c"))
    save_model(tmp_path, saved)
    found = load_model(tmp_path)
    assert found.config == config
    assert found.network.longest == (6 if model == "transformer" else None)
    data = some_data()
    assert torch.equal(predict_logits(found.network, data), predict_logits(saved.network, data))
    card = (tmp_path / CARD).read_text()
    assert f"{model} {'of 1 layers' if model == 'transformer' else 'with 4'}" in card


@pytest.mark.parametrize("readout", ["last", "stats", "stats-max"])
@pytest.mark.parametrize("kind", ["pixels", "values", "characters"])
def test_stems_and_readouts_come_back(kind, readout, tmp_path):
    stem = {"stem": "conv", "stride": 3, "kernel": 2, "num_windows": 2, "top_windows": 4, "anchor_labels": 0.0}
    config = ModelConfig(model="r-lstm", hidden_size=4, projection_size=3, readout=readout, segment_length=2, **stem)
    spec = {"pixels": SPEC, "values": InputSpec("values", 2), "characters": InputSpec("characters", 5)}[kind]
    saved = SavedModel(build_model(config, spec, 3).eval(), config, spec, ("a", "b", "c"))
    save_model(tmp_path, saved)
    found = load_model(tmp_path)
    assert found.config == config
    shape = (6, 10) if kind == "characters" else (6, 10, spec.size)
    inputs = torch.randn(shape) if kind == "values" else torch.randint(0, 5, shape)
    data = SequenceData("some", spec, inputs.to(torch.uint8) if kind == "pixels" else inputs)
    assert torch.equal(predict_logits(found.network, data), predict_logits(saved.network, data))
    edit(tmp_path, model={**json.loads((tmp_path / CONFIG).read_text())["model"], "stride": 4})
    with pytest.raises(InputError, match=r"expected encoder.features.convolution.weight of shape \(3, "):
        load_model(tmp_path)


@pytest.mark.parametrize("longest", [0, -1, "6", True, 2.5])
def test_a_damaged_length_is_refused(folder, longest):
    edit(folder, longest=longest)
    with pytest.raises(InputError, match="expected longest to be a number of steps or null"):
        load_model(folder)


FACTS = {
    "data": "set",
    "seed": 3,
    "data_options": {"limit_classes": 2},
    "own": {"limit_test": 5},
    "lr": 0.01,
    "test_sequences": 40,
    "test_accuracy": 0.5,
    "test_macro_f1": 0.5,
    "test_interval": [0.4, 0.6],
    "validation_accuracy": 0.6,
    "best_epoch": 2,
    "floors": {"majority class": {"test": 0.5}},
    "verdict": {"state": "floor", "summary": "accuracy 50.00 %", "findings": [], "better": False},
}


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("value", ["other", 0.75, None, {"limit_test": 50}])
def test_facts_are_part_of_the_digest(saved, tmp_path, name, value):
    save_model(tmp_path, replace(saved, facts=FACTS))
    edit(tmp_path, facts={**FACTS, "note": "mine"})
    assert load_model(tmp_path).facts["note"] == "mine"
    for facts in ({**FACTS, name: value}, {other: fact for other, fact in FACTS.items() if other != name}):
        edit(tmp_path, facts=facts)
        with pytest.raises(InputError, match="as they were saved together, found another digest"):
            load_model(tmp_path)


@pytest.mark.parametrize("name", [name for name in FACTS if name != "lr"])
def test_no_fact_that_is_read_comes_later(saved, tmp_path, name):
    save_model(tmp_path, replace(saved, facts={"lr": 0.01}))
    edit(tmp_path, facts={"lr": 0.01, name: FACTS[name]})
    with pytest.raises(InputError, match="found another digest"):
        load_model(tmp_path)


def test_the_names_of_the_facts_are_part_of_the_digest(saved, tmp_path):
    save_model(tmp_path, replace(saved, facts=FACTS))
    for covered in (None, [], 5, [name for name in FACTS if name != "lr"]):
        edit(tmp_path, covered=covered, facts={**FACTS, "lr": 1})
        with pytest.raises(InputError, match=r"config\.json"):
            load_model(tmp_path)


@pytest.mark.parametrize("of_facts", [True, False])
def test_a_model_of_before_all_facts_were_digested_is_read(saved, tmp_path, of_facts):
    save_model(tmp_path, replace(saved, facts=FACTS))
    content = json.loads((tmp_path / CONFIG).read_text())
    del content["covered"]
    weights = safetensors.torch.load_file(tmp_path / WEIGHTS)
    content["digest"] = persistence._digest(content, weights, of_facts=of_facts)
    assert content["digest"].startswith("facts:") is of_facts
    (tmp_path / CONFIG).write_text(json.dumps(content))
    assert load_model(tmp_path).facts == FACTS
    edit(tmp_path, facts={**FACTS, "test_accuracy": 0.75})
    assert load_model(tmp_path).facts["test_accuracy"] == 0.75
    edit(tmp_path, classes=["x", "y", "z"])
    with pytest.raises(InputError, match="found another digest"):
        load_model(tmp_path)


def test_the_weights_may_be_read_by_whom_the_rest_may(folder):
    assert len({(folder / name).stat().st_mode for name in (WEIGHTS, CONFIG, CARD)}) == 1


def test_a_folder_that_is_replaced_twice_while_it_is_read(saved, folder, monkeypatch):
    """What came between is gone, but its weights were read: the numbers of its files may belong to what came after."""
    other = replace(saved, config=replace(MODEL, hidden_size=6))
    other = replace(other, network=build_model(other.config, SPEC, 3))
    read_weights, calls = persistence._read_weights, []

    def read_between(path):
        calls.append(path)
        if len(calls) > 1:
            return read_weights(path)
        save_model(folder, other)
        weights = read_weights(path)
        save_model(folder, saved)
        return weights

    monkeypatch.setattr(persistence, "_read_weights", read_between)
    assert load_model(folder).config.hidden_size == 4
    assert len(calls) == 2


def test_a_folder_that_is_replaced_while_it_is_read(saved, folder):
    """Every read is of the one or the other model, never of the weights of one with the settings of the other."""
    other = replace(saved, config=replace(MODEL, hidden_size=6), classes=("x", "y", "z"))
    other = replace(other, network=build_model(other.config, SPEC, 3))
    done, found = threading.Event(), []

    def read():
        while not done.is_set():
            found.append(load_model(folder))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        while len(found) <= 10 and not any(reader.done() for reader in readers):
            save_model(folder, other)
            save_model(folder, saved)
        done.set()
    for reader in readers:
        reader.result()
    assert {(model.classes, model.config.hidden_size) for model in found} <= {
        (("a", "b", "c"), 4),
        (("x", "y", "z"), 6),
    }
