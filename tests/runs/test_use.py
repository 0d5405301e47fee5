"""A model folder alone answers for a test set and for a file."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.runs import datasets
from auxrnn.runs.use import Answer, evaluate, predict_file, write_predictions
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.options import DataOptions
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.sources.published import TrainTest, load
from auxrnn.targets import ClassTarget
from auxrnn.use.card import wilson_interval
from auxrnn.use.inference import predict_logits
from auxrnn.use.opening import open_model
from auxrnn.use.persistence import SavedModel, load_model, save_model
from auxrnn.verdict.judge import lines_of
from own_files import write_image
from small_runs import run_small

MODEL = ModelConfig(model="lstm", hidden_size=5, projection_size=None, bptt=2)
GREY = InputSpec("pixels", 1, levels=9)
ORDER = (5, 0, 4, 1, 3, 2)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 9, (4, 2, 3)).astype(np.uint8)


def saved_model(folder, **changes):
    made = SavedModel(build_model(MODEL, GREY, 3), MODEL, GREY, ("a", "b", "c"), (2, 3))
    if "spec" in changes:
        made = replace(made, network=build_model(MODEL, changes["spec"], 3))
    made = replace(made, **changes)
    made.network.eval()
    save_model(folder, made)
    return made


def as_set(images, order=None, labels=None):
    inputs = torch.from_numpy(images.reshape(len(images), 6, 1))
    order = None if order is None else torch.tensor(order)
    inputs = inputs if order is None else inputs[:, order]
    return SequenceData("set", GREY, inputs, labels, ("a", "b", "c"), image_shape=(2, 3), pixel_order=order)


def test_answers_are_the_softmax_of_the_logits(tmp_path, images):
    saved = saved_model(tmp_path)
    np.save(tmp_path / "a.npy", images)
    answers = list(predict_file(tmp_path, tmp_path / "a.npy"))
    expected = predict_logits(saved.network, as_set(images)).double().softmax(1)
    assert [list(answer.shares) for answer in answers] == expected.tolist()
    assert [answer.entry["class"] for answer in answers] == ["abc"[index] for index in expected.argmax(1)]
    assert [answer.name for answer in answers] == [f"a.npy[{index}]" for index in range(4)]
    assert list(answers[0].entry["probabilities"]) == ["a", "b", "c"]


def test_the_pixel_order_of_a_permuted_model_is_applied(tmp_path, images):
    saved = saved_model(tmp_path / "model", pixel_order=ORDER)
    np.save(tmp_path / "a.npy", images)
    answers = list(predict_file(tmp_path, tmp_path / "a.npy"))
    in_order = predict_logits(saved.network, as_set(images, ORDER)).double().softmax(1)
    row_by_row = predict_logits(saved.network, as_set(images)).double().softmax(1)
    found = torch.tensor([list(answer.shares) for answer in answers], dtype=torch.float64)
    assert torch.equal(found, in_order)
    assert not torch.allclose(found, row_by_row)


def test_the_preprocessing_of_an_estimator_is_applied(tmp_path):
    sequences = np.random.default_rng(0).normal(5, 3, (4, 7, 2))
    preprocessing = Preprocessing("values", 2, mean=(5.0, 4.0), scale=(3.0, 2.0))
    saved = saved_model(tmp_path, spec=preprocessing.spec, image_shape=None, preprocessing=preprocessing)
    np.save(tmp_path / "a.npy", sequences)
    found = torch.tensor([list(answer.shares) for answer in predict_file(tmp_path, tmp_path / "a.npy")])
    standard = torch.from_numpy((sequences - [5.0, 4.0]) / [3.0, 2.0]).float()
    expected = predict_logits(saved.network, SequenceData("x", preprocessing.spec, standard)).softmax(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_values_far_from_zero_keep_their_digits(tmp_path):
    """float32 knows 1.7e9 in steps of 128."""
    far = Preprocessing("values", 1, mean=(1.7e9,), scale=(3.0,))
    saved = saved_model(tmp_path, spec=far.spec, preprocessing=far)
    steps = np.random.default_rng(0).normal(1.7e9, 3, (2, 40, 1))
    np.save(tmp_path / "a.npy", steps)
    standard = SequenceData("a", far.spec, torch.from_numpy((steps - 1.7e9) / 3).float())
    expected = predict_logits(saved.network, standard).double().softmax(1)
    found = torch.tensor([answer.shares for answer in predict_file(tmp_path, tmp_path / "a.npy")]).double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_values_beyond_float32_without_preprocessing(tmp_path):
    saved_model(tmp_path, spec=InputSpec("values", 1), image_shape=None)
    np.save(tmp_path / "a.npy", np.full((1, 2, 1), 1e300))
    with pytest.raises(InputError, match="expected finite values"):
        list(predict_file(tmp_path, tmp_path / "a.npy"))


def test_nothing_but_the_model_folder_is_read(finished_run, tmp_path):
    (finished_run / "model").rename(tmp_path / "moved")
    try:
        assert open_model(tmp_path / "moved").facts["data"] == "digits"
        assert evaluate(tmp_path / "moved")["sequences"] == 400
    finally:
        (tmp_path / "moved").rename(finished_run / "model")


def test_evaluate(tmp_path, monkeypatch, images):
    saved = saved_model(tmp_path, facts={"data": "mine"})
    test = as_set(images, labels=torch.tensor([0, 1, 2, 0]))
    asked = []
    monkeypatch.setattr(datasets, "load", lambda *given, **named: asked.append((given, named)) or TrainTest(test, test))
    logits = predict_logits(saved.network, test)
    share = [row.log_softmax(0)[label].item() for row, label in zip(logits, test.labels, strict=True)]
    found = evaluate(tmp_path, data_dir="there")
    assert asked == [(("mine", "there", DataOptions()), {"seed": 0})]
    assert found["accuracy"] == (logits.argmax(1) == test.labels).double().mean().item()
    assert found["loss"] == pytest.approx(-sum(share) / 4, abs=1e-5)
    assert (found["data"], found["sequences"]) == ("mine", 4)
    low, high = wilson_interval(found["accuracy"], 4)
    assert found["interval"] == f"{low:.4f} to {high:.4f} (95 %, Wilson)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"spec": InputSpec("pixels", 1, levels=10)},
            r"steps of 1 pixels of 9 levels and 3 classes \(a, b, c\), got 1 pixels of 10 levels",
        ),
        ({"classes": ("a", "b", "d")}, r"and 3 classes \(a, b, d\)"),
        ({"image_shape": (3, 2)}, r"expected images of \(2, 3\) as in training, got \(3, 2\)"),
        ({"pixel_order": torch.tensor(ORDER)}, "in the order that the model was trained on"),
    ],
)
def test_a_set_that_the_model_was_not_made_for(tmp_path, monkeypatch, images, changes, message):
    saved_model(tmp_path, facts={"data": "mine"})
    test = replace(as_set(images, labels=torch.tensor([0, 1, 2, 0])), **changes)
    monkeypatch.setattr(datasets, "load", lambda *given, **named: TrainTest(test, test))
    with pytest.raises(InputError, match=message):
        evaluate(tmp_path)


def test_evaluate_takes_the_options_of_the_training(tmp_path, monkeypatch, images):
    saved_model(tmp_path, facts={"data": "mine", "seed": 7, "data_options": {"image_size": 14, "limit_test": 3}})
    test = as_set(images, labels=torch.tensor([0, 1, 2, 0]))
    asked = []
    loaded = TrainTest(test, test, ("not all", "small"))
    monkeypatch.setattr(datasets, "load", lambda *given, **named: asked.append((given, named)) or loaded)
    assert evaluate(tmp_path)["note"] == "not all; small"
    assert asked == [(("mine", None, DataOptions(image_size=14, limit_test=3)), {"seed": 7})]


def test_evaluate_says_what_the_run_said(finished_run):
    stored = json.loads((finished_run / "result.json").read_text())["verdict"]
    assert evaluate(finished_run)["verdict"] == lines_of(stored)
    without = [line for line in lines_of(stored) if not line.startswith("Next")]
    assert evaluate(finished_run / "model")["verdict"] == without


def test_evaluate_judges_anew_where_the_answers_are_others(tmp_path, monkeypatch, images):
    """Forty images of two kinds that a linear model tells apart, and a model of random weights."""
    generator = np.random.default_rng(0)
    labels = torch.arange(40) % 2
    bright = generator.integers(0, 4, (40, 2, 3)) + 5 * labels.view(40, 1, 1).numpy()
    data = as_set(bright.astype(np.uint8), labels=labels)
    verdict = {"summary": "old", "findings": [{"state": "useful", "words": "useful"}]}
    saved_model(tmp_path, facts={"data": "mine", "test_accuracy": 0.123, "verdict": verdict})
    monkeypatch.setattr(datasets, "load", lambda *given, **named: TrainTest(data, data))
    lines = evaluate(tmp_path)["verdict"]
    assert "on 40 sequences" in lines[0]
    assert "best floor, linear on window statistics, 100.0 %" in lines[0]
    assert any(line.startswith("Verdict     below the floor") for line in lines)


@pytest.mark.parametrize("facts", [{"data_options": {"size": 1}}, {"data_options": [1]}, {"seed": "x"}])
def test_options_of_the_training_that_make_no_sense(tmp_path, facts):
    saved_model(tmp_path, facts={"data": "digits", **facts})
    with pytest.raises(InputError, match="data options that the model was trained with"):
        evaluate(tmp_path)


def test_facts_of_own_data_that_are_none(tmp_path, images):
    saved_model(tmp_path / "model", facts={"own": None})
    for name in "ab":
        write_image(tmp_path / "set" / name / "1.png", images[0].astype(np.uint8))
        write_image(tmp_path / "set" / name / "2.png", images[1].astype(np.uint8))
    with pytest.raises(InputError, match="expected steps of"):
        evaluate(tmp_path / "model", str(tmp_path / "set"))


@pytest.fixture
def small_texts(tmp_path):
    (tmp_path / "dbpedia").mkdir()
    for split in ("train", "test"):
        rows = "".join(f'{label},"","{letter * 6}"\n' for label, letter in ((1, "a"), (2, "b")) for _ in range(5))
        (tmp_path / "dbpedia" / f"{split}.csv").write_text(rows)
    return tmp_path


def test_a_model_of_texts_from_training_to_a_file(small_texts, tmp_path):
    options = {"data_dir": str(small_texts), "limit_train": 8, "limit_classes": 2, "max_length": 5}
    result = run_small(tmp_path / "run", data="dbpedia", **options)
    saved = open_model(tmp_path / "run")
    assert saved.preprocessing.characters == "ab"
    assert saved.facts["data_options"] == {"limit_train": 8, "limit_classes": 2, "max_length": 5}
    assert evaluate(tmp_path / "run", data_dir=str(small_texts))["accuracy"] == round(result["test_accuracy"], 6)
    (tmp_path / "a.txt").write_text("aaaaa\nbzb\n")
    answers = list(predict_file(tmp_path / "run", tmp_path / "a.txt"))
    sequences = [torch.tensor([1] * 5), torch.tensor([2, 0, 2])]
    expected = predict_logits(saved.network, SequenceData("x", saved.spec, sequences)).double().softmax(1)
    assert [list(answer.shares) for answer in answers] == expected.tolist()
    with (small_texts / "dbpedia" / "train.csv").open("w") as file:
        file.write('1,"","ac"\n2,"","ca"\n' * 4)
    with pytest.raises(InputError, match="expected the training texts that the model was trained on"):
        evaluate(tmp_path / "run", data_dir=str(small_texts))


@pytest.mark.parametrize("facts", [{}, {"data": 5}, {"data": []}])
def test_a_model_that_does_not_say_what_it_learned_from(tmp_path, facts):
    saved_model(tmp_path, facts=facts)
    with pytest.raises(InputError, match="expected --data"):
        evaluate(tmp_path)


def test_lines_are_csv_and_json_even_for_odd_names():
    answers = [Answer('a,"b".png', ClassTarget(("x;y", "z, w")), (0.75, 0.25))]
    stream = io.StringIO()
    write_predictions(iter(answers), "csv", stream)
    assert stream.getvalue().splitlines() == [
        'name,class,probability,p(x;y),"p(z, w)"',
        '"a,""b"".png",x;y,0.750000,0.750000,0.250000',
    ]
    stream = io.StringIO()
    write_predictions(iter(answers), "jsonl", stream)
    assert json.loads(stream.getvalue()) == {
        "name": 'a,"b".png',
        "class": "x;y",
        "probability": 0.75,
        "probabilities": {"x;y": 0.75, "z, w": 0.25},
    }


def test_digits_of_the_test_set_through_a_file(finished_run, tmp_path):
    test = load("digits").test
    np.save(tmp_path / "a.npy", test.inputs[:3].numpy())
    logits = predict_logits(load_model(finished_run / "model").network, test.subset([0, 1, 2]))
    labels = [answer.entry["class"] for answer in predict_file(finished_run, tmp_path / "a.npy")]
    assert labels == [test.classes[index] for index in logits.argmax(1)]
