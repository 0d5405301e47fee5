"""What CONTRIBUTING.md says of additions, on small ones: a reader, a kind of target, an experiment.

The examples `own_core.py` and `own_loss.py` are those for a cell and a loss.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from auxrnn.cli import main
from auxrnn.config import ModelConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.experiments import catalogue
from auxrnn.experiments.catalogue import Arm, Experiment, Published
from auxrnn.experiments.grids.records import read_records
from auxrnn.sources import importing
from auxrnn.sources.loading import load_files
from auxrnn.sources.reader import Example, Reader, Schema
from auxrnn.targets import KINDS
from auxrnn.targets.losses import Loss
from auxrnn.targets.values import ValueTarget
from auxrnn.use.persistence import SavedModel, load_model, save_model


def find_blocks(path):
    """A reader of `@ CLASS` and then a step a line."""

    def examples():
        for number, block in enumerate(path.read_text().split("@ ")[1:]):
            label, *steps = block.splitlines()
            yield Example(f"{path}, block {number}", np.array([line.split() for line in steps], float), label)

    return Reader(Schema("blocks of steps", "values", channels=2), frozenset(), examples)


def test_a_reader(tmp_path, monkeypatch):
    values = np.random.default_rng(0).normal(size=(20, 5, 2)).round(3)
    steps = ["".join(f"{a} {b}\n" for a, b in sequence) for sequence in values]
    (tmp_path / "data.blocks").write_text("".join(f"@ {'ab'[index % 2]}\n{text}" for index, text in enumerate(steps)))
    monkeypatch.setattr(importing, "recognise", lambda path, options: find_blocks(path))
    own = load_files(tmp_path / "data.blocks", ReadingOptions(), validation_fraction=0.2)
    assert (own.train.target.names, len(own.train) + len(own.test)) == (("a", "b"), 20)
    learned = own.preprocessing
    found = {tuple(learned.sequence(row, "here").flatten().tolist()) for row in values}
    kept = [data.inputs[index] for data in (own.train, own.test) for index in range(len(data))]
    assert {tuple(row.flatten().tolist()) for row in kept} == found


@dataclass(frozen=True)
class AbsoluteTarget(ValueTarget):
    """Numbers by their absolute error."""

    kind = "absolute"

    def loss(self, outputs, labels, weights=None):
        each = (outputs - self._standardised(labels).to(outputs.dtype)).abs().mean(-1)
        total = each.sum() if weights is None else (each * weights).sum()
        return Loss(total, len(labels), self.tally(outputs, labels))


def test_a_target_kind(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "absolute", AbsoluteTarget)
    target = AbsoluteTarget(("mass",), mean=(10.0,), scale=(2.0,))
    config, spec = ModelConfig(model="lstm", hidden_size=4, projection_size=None), InputSpec("values", 2)
    network = build_model(config, spec, target).eval()
    outputs = torch.tensor([[0.5], [-1.0]])
    assert network.target.loss(outputs, torch.tensor([[10.0], [14.0]])).total == pytest.approx(0.5 + 3.0)
    save_model(tmp_path, SavedModel(network, config, spec, ("mass",)))
    assert load_model(tmp_path).target == target


def test_an_experiment(tmp_path, monkeypatch, capsys):
    arms = (Arm("LSTM", {"model": "lstm"}, {"mnist": Published(50.0, "none")}), Arm("r-LSTM", {"model": "r-lstm"}))
    own = Experiment("own", "Of our own", "Does it learn?", ("mnist",), arms, baseline="LSTM")
    monkeypatch.setitem(catalogue.EXPERIMENTS, "own", own)
    assert main(["reproduce", "own", "--scale", "smoke", "--seeds", "1", "--out", str(tmp_path), "--workers", "1"]) == 0
    models = [record.config.model for record in read_records(tmp_path / "own.jsonl").values()]
    assert sorted(models) == ["lstm", "r-lstm"]
    assert "Does it learn?" in (tmp_path / "own.html").read_text()
