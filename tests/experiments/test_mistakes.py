"""Mistakes of each kind of target, counted by hand."""

import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.experiments import mistakes as module
from auxrnn.experiments.mistakes import Asked, mistakes
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassesTarget, TagsTarget, ValueTarget
from auxrnn.use.persistence import SavedModel

SPEC = InputSpec("values", 1)


def asked(target, labels):
    config = ModelConfig(model="lstm", hidden_size=4, projection_size=None)
    saved = SavedModel(build_model(config, SPEC, target), config, SPEC, target.names)
    return Asked(0, "LSTM", saved, SequenceData("test", SPEC, torch.randn(4, 3, 1), labels, target=target), "all")


def test_each_of_several_classes(monkeypatch):
    outputs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [1.0, -1.0]])
    monkeypatch.setattr(module, "predict_logits", lambda *_: outputs)
    tables, figures = mistakes(asked(ClassesTarget(("a", "b")), torch.tensor([[1, 0], [1, 0], [1, 0], [0, 0]])))
    assert figures == []
    (a, b) = tables[0].rows
    assert a == ["a", "3", "3", "66.7", "66.7", "66.7"]
    assert b == ["b", "0", "1", "0.0", "–", "0.0"]


def test_values_one_figure_each():
    target = ValueTarget(("mass", "age"), (1.0, 2.0), (1.0, 1.0))
    tables, figures = mistakes(asked(target, torch.randn(4, 2, dtype=torch.float64)))
    assert tables == []
    assert [figure.name for figure in figures] == ["values-1-1", "values-1-2"]
    assert "mass" in figures[0].caption


def test_tags_of_labelled_steps(monkeypatch):
    labels = torch.tensor([[0, 1, -1]] * 4)
    monkeypatch.setattr(module, "predict_steps", lambda *_: [torch.tensor([0, 0, 1])] * 4)
    _, (figure,) = mistakes(asked(TagsTarget(("a", "b")), labels))
    assert "50.0 % right" in figure.caption
    assert figure.caption.startswith("LSTM: true tags of single steps")
