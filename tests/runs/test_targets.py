"""Values, several classes and tags from a file to predict, better than a constant answer, and alike from a set."""

import csv
import json
from io import BytesIO, StringIO

import numpy as np
import pytest

from auxrnn.cli import main
from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.estimator import LongSequenceClassifier, LongSequenceRegressor, LongSequenceTagger
from auxrnn.experiments import insides
from auxrnn.experiments.arguments import parse_given
from auxrnn.experiments.run_report import report_runs
from auxrnn.runs import use
from auxrnn.runs.live import Request, follow_sequence
from auxrnn.runs.run import start_run
from auxrnn.runs.use import evaluate, predict_file, write_predictions
from auxrnn.sources.importing import import_source
from auxrnn.use.opening import open_model
from own_files import write_csv

LEARN = [
    "--recipe",
    "paper",
    "--max_epochs",
    "12",
    "--pretrain_epochs",
    "1",
    "--hidden_size",
    "8",
    "--projection_size",
    "null",
]
LEARN += ["--optimizer", "adam", "--lr", "0.03", "--regulariser", "none", "--aux.decoder_layers", "1"]

SCORES = {"value": "r2", "classes": "micro_f1", "tags": "step_accuracy"}
ESTIMATORS = {"value": LongSequenceRegressor, "classes": LongSequenceClassifier, "tags": LongSequenceTagger}


def write(folder, kind, number=60):
    """A long-form table of levels around 0: the level as a price, what it is, or at every step whether it is above."""
    generator = np.random.default_rng(0)
    rows = []
    for index in range(number):
        steps, level = int(generator.integers(6, 11)), float(generator.uniform(-1, 1))
        wave = level + generator.normal(0, 0.3, steps)
        several = "|".join(name for name, true in (("high", level > 0), ("far", abs(level) > 0.5)) if true)
        for step in range(steps):
            tag = "" if generator.random() < 0.1 else "up" if wave[step] > 0 else "down"
            label = {"value": f"{1000 + 50 * level:.6f}", "classes": several, "tags": tag}[kind]
            rows.append(f"{index},{step},{wave[step]:.5f},{label}")
    return write_csv(folder / f"{kind}.csv", "id,time,a,label", *rows)


def train(path, out, *options):
    usual = [word for pair in zip(LEARN[::2], LEARN[1::2], strict=True) if pair[0] not in options for word in pair]
    config, given = parse_given([str(path), *usual, *options, "--out", str(out)])
    said = []
    return start_run(config, said.append, given=given), said


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Of each kind the file, the run folder, its result and what it said."""
    folder = tmp_path_factory.mktemp("targets")
    found = {}
    for kind in SCORES:
        path = write(folder, kind)
        found[kind] = (path, folder / kind, *train(path, folder / kind, "--target", kind))
    return found


@pytest.mark.parametrize("kind", SCORES)
def test_better_than_a_constant_answer(trained, kind):
    _, folder, result, said = trained[kind]
    constant = {"value": 0.0, "classes": 0.7, "tags": 0.6}[kind]
    assert result[f"test_{SCORES[kind]}"] > constant + 0.15
    assert result["target"] == kind
    assert any(line.startswith(("Values to predict: label", "Classes: 2, any", "Tags: 2, one a step")) for line in said)
    header = (folder / "metrics.csv").read_text().splitlines()[0].split(",")
    assert f"validation_{SCORES[kind]}" in header
    assert f"Test {'R2' if kind == 'value' else ''}" in (folder / "model" / "README.md").read_text()


@pytest.mark.parametrize("kind", SCORES)
def test_evaluate_says_what_the_result_says(trained, kind):
    _, folder, result, _ = trained[kind]
    found = evaluate(folder)
    assert found[SCORES[kind]] == pytest.approx(result[f"test_{SCORES[kind]}"], abs=1e-6)
    assert found["loss"] == pytest.approx(result["test_loss"], abs=1e-5)
    low, high = result["test_interval"]
    assert low < result[f"test_{SCORES[kind]}"] < high
    assert found["interval"].startswith(f"{low:.4f} to {high:.4f} (95 %")
    card = (folder / "model" / "README.md").read_text()
    told = f"{low:.4g} to {high:.4g}" if kind == "value" else f"{100 * low:.2f} to {100 * high:.2f} %"
    assert f"95 % interval {told} (bootstrap) over 12 test sequences" in card
    assert "test interval" not in card


@pytest.mark.parametrize("kind", SCORES)
def test_a_set_gives_the_same_bits(trained, kind, tmp_path):
    path, folder, result, _ = trained[kind]
    import_source(path, tmp_path / "set", ReadingOptions(target=kind), lambda _: None, block=100)
    of_set, _ = train(tmp_path / "set", tmp_path / "run")
    assert of_set["test_loss"] == result["test_loss"]
    one, other = (place / "model" / "model.safetensors" for place in (folder, tmp_path / "run"))
    assert one.read_bytes() == other.read_bytes()
    with pytest.raises(InputError, match=f"expected --target {kind} as it was imported with, got class"):
        train(tmp_path / "set", tmp_path / "other", "--target", "class")


def rows_of(trained, kind):
    stream = StringIO()
    write_predictions(predict_file(trained[kind][1], trained[kind][0]), "csv", stream)
    return list(csv.DictReader(StringIO(stream.getvalue())))


def test_predictions_in_a_table(trained):
    with open(trained["tags"][0], newline="") as file:
        given = list(csv.DictReader(file))
    values, classes, tags = (rows_of(trained, kind) for kind in SCORES)
    assert list(values[0]) == ["name", "label"]
    assert 900 < float(values[0]["label"]) < 1100
    assert list(classes[0]) == ["name", "classes", "p(far)", "p(high)"]
    assert list(tags[0]) == ["name", "step", "class", "probability", "p(down)", "p(up)"]
    assert len(tags) == len(given)
    right = [row["class"] == other["label"] for row, other in zip(tags, given, strict=True) if other["label"]]
    assert np.mean(right) > 0.8


def test_tags_keep_the_places_of_their_steps(trained, tmp_path):
    """A step that is left out for a missing value moves no other: answers can be laid beside the rows again."""
    run = tmp_path / "run"
    train(trained["tags"][0], run, "--target", "tags", "--missing", "drop", "--max_epochs", "1")
    path = write_csv(tmp_path / "new.csv", "id,time,a", "7,1,0.5", "7,2,", "7,3,0.1", "7,4,0.2")
    answers = list(predict_file(run, path))
    assert [answer.step for answer in answers] == [1, 3, 4]


def test_predictions_as_json_lines(trained):
    lines = {}
    for kind in SCORES:
        stream = StringIO()
        write_predictions(predict_file(trained[kind][1], trained[kind][0]), "jsonl", stream)
        lines[kind] = json.loads(stream.getvalue().splitlines()[0])
    assert set(lines["value"]) == {"name", "values"}
    assert set(lines["classes"]) == {"name", "classes", "probabilities"}
    assert set(lines["tags"]) == {"name", "step", "class", "probability", "probabilities"}


@pytest.mark.parametrize("kind", SCORES)
def test_a_stream_says_the_same_as_the_estimator_of_the_folder(trained, kind, capsys):
    saved = open_model(trained[kind][1])
    estimator = ESTIMATORS[kind].from_pretrained(trained[kind][1] / "model")
    steps = np.random.default_rng(1).normal(size=(7, 1)).round(4)
    out = StringIO()
    content = "\n".join(str(step) for (step,) in steps).encode()
    follow_sequence(saved, Request(every=7, form="jsonl"), BytesIO(content), out)
    entry = json.loads(out.getvalue())
    told = list(entry["values" if kind == "value" else "probabilities"].values())
    expected = estimator.predict([steps]) if kind == "value" else estimator.predict_proba([steps])[0]
    expected = expected[-1] if kind == "tags" else expected
    assert told == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("kind", SCORES)
def test_a_report(trained, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(insides, "MOST", 1)
    page = report_runs([trained[kind][1]], tmp_path / "page.html", say=lambda _: None)
    text = page.read_text().replace("\u00a0", " ")
    shown = {
        "value": "label as answered against the true one",
        "classes": "precision, %",
        "tags": "tags of single steps",
    }
    assert shown[kind] in text
    unit = {"value": "test R2", "classes": "test micro-F1, %", "tags": "test step accuracy, %"}
    assert unit[kind] in text


def test_a_model_without_a_target_is_of_classes(trained, tmp_path):
    path = write_csv(
        tmp_path / "a.csv", "id,time,a,label", *(f"{i},{t},{i % 2},{i % 2}" for i in range(20) for t in "12")
    )
    train(path, tmp_path / "run")
    config = tmp_path / "run" / "model" / "config.json"
    content = json.loads(config.read_text())
    assert content.pop("target") == {"kind": "class"}
    del content["facts"]["own"]["form"]["target"], content["facts"]["own"]["form"]["labels"]
    del content["facts"]["own"]["reading"]["target"]
    before = evaluate(tmp_path / "run")
    del content["digest"]  # older than targets
    config.write_text(json.dumps(content))
    assert evaluate(tmp_path / "run") == before
    assert len(list(predict_file(tmp_path / "run", path))) == 20


@pytest.mark.parametrize(
    ("model", "kind"),
    [*(("transformer", kind) for kind in SCORES), ("irnn", "tags"), ("urnn", "value"), ("sa-lstm", "classes")],
)
def test_other_models(tmp_path, model, kind):
    options = ["--model", model, "--max_epochs", "1", "--transformer.width", "8", "--transformer.layers", "1"]
    result, _ = train(write(tmp_path, kind, 20), tmp_path / "run", "--target", kind, *options)
    assert np.isfinite(result["test_loss"])
    assert evaluate(tmp_path / "run")["loss"] == pytest.approx(result["test_loss"], abs=1e-5)


def test_resumed_values_have_the_same_bits(tmp_path, trained):
    """Mean and scale of the values are learned anew from the same split."""
    path, folder, result, _ = trained["value"]
    again, _ = train(path, tmp_path / "run", "--target", "value")
    assert again["test_loss"] == result["test_loss"]
    assert open_model(tmp_path / "run").target == open_model(folder).target


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["0,0,1,up", "0,1,1,down"], [], "For a class at every step say --target tags"),
        (["0,0,1,1.5", "1,0,1,2.5"], [], "say --target value"),
        (["0,0,1,1.5", "1,0,1,x"], ["--target", "value"], "expected a number as label, got 'x'"),
        (["0,0,1,nan", "1,0,1,1"], ["--target", "value"], "expected a label, got none. --missing drop"),
        (["0,0,1,inf", "1,0,1,1"], ["--target", "value"], "a finite number as label"),
        (["0,0,1,up", "0,1,1,3"], ["--target", "tags"], "expected a word as label"),
        (["0,0,1,up", "1,0,1,up"], ["--target", "tags"], "at least 2 classes"),
        (["0,0,1,up", "1,0,1,up"], ["--target", "tag"], "Did you mean 'tags'"),
    ],
)
def test_bad_labels_end_with_2_and_write_nothing(tmp_path, capsys, lines, options, message):
    path = write_csv(tmp_path / "a.csv", "id,time,a,label", *lines)
    assert main(["train", str(path), *LEARN, *options, "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_weights_of_classes_need_classes(tmp_path, capsys):
    words = ["train", str(write(tmp_path, "value", 20)), *LEARN, "--target", "value", "--class_weights", "balanced"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "to balance by class_weights, got 1 value" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_tags_are_answered_in_groups_that_fit(trained, monkeypatch):
    whole = rows_of(trained, "tags")
    monkeypatch.setattr(use, "GROUP_STEPS", 25)  # two or three sequences at once
    assert rows_of(trained, "tags") == whole
