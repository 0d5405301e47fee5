"""Mistakes of each kind of target, counted by hand."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.experiments import mistakes as module
from auxrnn.experiments.mistakes import Asked, mistakes
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.use.persistence import SavedModel

SPEC = InputSpec("values", 1)


def asked(target, labels):
    config = ModelConfig(model="lstm", hidden_size=4, projection_size=None)
    saved = SavedModel(build_model(config, SPEC, target), config, SPEC, target.names)
    return Asked(
        0,
        "LSTM",
        saved,
        SequenceData("test", SPEC, torch.randn(4, 3, 1), labels, target=target),
        "all",
        torch.arange(4),
    )


def test_each_of_several_classes(monkeypatch):
    outputs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [1.0, -1.0]])
    monkeypatch.setattr(module, "predict_logits", lambda *_: outputs)
    found = mistakes(asked(ClassesTarget(("a", "b")), torch.tensor([[1, 0], [1, 0], [1, 0], [0, 0]])))
    assert found.figures == []
    (a, b) = found.tables[0].rows
    assert a == ["a", "3", "3", "66.7", "66.7", "66.7"]
    assert b == ["b", "0", "1", "0.0", "–", "0.0"]


def test_values_one_figure_each():
    target = ValueTarget(("mass", "age"), (1.0, 2.0), (1.0, 1.0))
    found = mistakes(asked(target, torch.randn(4, 2, dtype=torch.float64)))
    assert found.tables == []
    assert [figure.name for figure in found.figures] == ["values-1-1", "values-1-2"]
    assert "mass" in found.figures[0].caption


def test_tags_of_labelled_steps(monkeypatch):
    labels = torch.tensor([[0, 1, -1]] * 4)
    monkeypatch.setattr(module, "predict_steps", lambda *_: [torch.tensor([0, 0, 1])] * 4)
    found = mistakes(asked(TagsTarget(("a", "b")), labels))
    (figure,) = found.figures
    assert "50.0 % right" in figure.caption
    assert figure.caption.startswith("LSTM: true tags of single steps")
    assert found.tables[0].rows[0] == ["a", "4", "8", "50.0", "100.0", "66.7", "–"]
    assert found.tables[0].rows[1] == ["b", "4", "0", "–", "0.0", "0.0", "a (4)"]


def test_the_table_of_classes_is_that_of_scikit_learn(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    labels, outputs = torch.randint(0, 4, (60,), generator=generator), torch.randn(60, 4, generator=generator)
    monkeypatch.setattr(module, "predict_logits", lambda *_: outputs)
    target = ClassTarget(("a", "b", "c", "d"))
    data = SequenceData("test", SPEC, torch.randn(60, 3, 1), labels, target=target)
    (table,) = mistakes(replace(asked(target, labels[:4]), part=data)).tables
    rates = precision_recall_fscore_support(labels, outputs.argmax(1))
    confused = confusion_matrix(labels, outputs.argmax(1))
    np.fill_diagonal(confused, 0)
    for place, row in enumerate(table.rows):
        assert row[1] == str(rates[3][place])
        assert row[3:6] == [f"{100 * rate[place]:.1f}" for rate in rates[:3]]
        assert row[6] == f"{target.names[confused[place].argmax()]} ({confused[place].max()})"
