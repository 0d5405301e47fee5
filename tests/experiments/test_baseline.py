"""The floors of a data set as the command prints them, with MiniRocket where aeon is."""

import sys
import types

import numpy as np
import pytest
import torch

from auxrnn.cli import main
from auxrnn.experiments import baseline
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.experiments.baseline import MiniRocketFeatures, print_floors
from auxrnn.runs.datasets import load_data
from auxrnn.runs.run import split_data
from small_runs import run_small

DIGITS = parse_run_config(["digits", "--limit_train=60", "--limit_test=30"])


@pytest.fixture
def without_aeon(monkeypatch):
    monkeypatch.setattr(baseline, "find_spec", lambda name: None)


class FakeRocket:
    """Stands for aeon's transformer: the raw steps are the features."""

    def __init__(self, random_state):
        assert random_state == 0

    def fit(self, X):
        self.shape = X.shape[1:]

    def transform(self, X):
        assert X.shape[1:] == self.shape
        assert X.dtype == np.float32
        return X.reshape(len(X), -1)


@pytest.fixture
def fake_aeon(monkeypatch):
    name = "aeon.transformations.collection.convolution_based"
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    sys.modules[name].MiniRocket = FakeRocket
    monkeypatch.setattr(baseline, "find_spec", lambda name: "there")


def test_every_floor_with_its_scores(without_aeon):
    lines = []
    floors = print_floors(DIGITS, lines.append)
    told = next(index for index, line in enumerate(lines) if line.startswith("floor"))
    assert lines[told].split() == ["floor", "validation", "test", "seconds"]
    assert len(lines[told + 1 :]) == len(floors.floors) == 3
    for line, floor in zip(lines[told + 1 :], floors.floors, strict=True):
        assert line.startswith(floor.name)
        assert f"{100 * floors.score(floor.test):.2f} %" in line
        assert line.endswith("best by validation") is (floor is floors.best)
    assert "Note        MiniRocket is left out: pip install 'auxrnn[peers]' brings aeon, which has it" in lines


def test_the_same_floors_as_at_the_end_of_a_run(tmp_path, without_aeon):
    result = run_small(tmp_path / "run")
    floors = print_floors(parse_run_config(["--config", str(tmp_path / "run" / "config.yaml")]), lambda line: None)
    assert floors.to_dict() == result["floors"]


def test_what_was_not_read_is_told(without_aeon, monkeypatch):
    from auxrnn.verdict.floors import measured

    monkeypatch.setattr(measured, "MOST_TRAINED", 20)
    monkeypatch.setattr(measured, "MOST_JUDGED", 10)
    lines = []
    print_floors(DIGITS, lines.append)
    assert "Note        Trained on 20 of 54 sequences, drawn by the seed" in lines
    assert "Note        Judged on 10 of 30 test sequences, drawn by the seed" in lines


def test_mini_rocket_and_ridge_where_aeon_is(fake_aeon):
    floors = print_floors(DIGITS, lambda line: None)
    rocket = floors.floors[-1]
    assert rocket.name == "MiniRocket and ridge"
    train, _ = split_data(load_data(DIGITS).sequences, DIGITS)
    test = load_data(DIGITS).sequences.test
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))
    model.fit(train.inputs[:, :, 0].numpy(), train.labels.numpy())
    assert floors.score(rocket.test) == pytest.approx(model.score(test.inputs[:, :, 0].numpy(), test.labels.numpy()))


def test_mini_rocket_takes_sequences_padded_to_the_longest_of_training(fake_aeon, monkeypatch):
    from auxrnn.core.batch import InputSpec
    from auxrnn.sources.dataset import SequenceData

    def of(*lengths):
        parts = [torch.arange(1.0, length + 1).unsqueeze(1) for length in lengths]
        return SequenceData("x", InputSpec("values", 1), parts)

    features = MiniRocketFeatures(of(2, 4), 0)
    assert features.of(of(3, 5)).tolist() == [[1, 2, 3, 0], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("limit", "value", "why"),
    [
        ("SHORTEST", 65, "needs 65 steps, the longest sequence has 64"),
        ("MOST_HELD", 100, "all 54 sequences of 64 steps"),
    ],
)
def test_why_mini_rocket_is_left_out(fake_aeon, monkeypatch, limit, value, why):
    monkeypatch.setattr(baseline, limit, value)
    lines = []
    print_floors(DIGITS, lines.append)
    assert any(why in line for line in lines)


def test_the_command(tmp_path, capsys, without_aeon):
    table = tmp_path / "texts.csv"
    rows = [f"{'good' if index % 2 else 'evil'} words {index},{'yes' if index % 2 else 'no'}" for index in range(60)]
    table.write_text("said,label\n" + "\n".join(rows) + "\n")
    assert main(["baseline", str(table), "--text", "said", "--label", "label"]) == 0
    said = capsys.readouterr().out
    assert "TF-IDF of words" in said
    assert "100.00 %" in said
    assert "MiniRocket" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["digits", "--modle", "lstm"], "--modle"),
        (["digits", "mnist"], "one data set"),
    ],
)
def test_what_cannot_be_read(capsys, words, message):
    assert main(["baseline", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
