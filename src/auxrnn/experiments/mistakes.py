"""What a trained model gets wrong on test sequences, as figures and tables, by the kind of its target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auxrnn.experiments.probes import confusion
from auxrnn.report.figures import draw_confusion, draw_scatter
from auxrnn.report.page import NOTHING, Cell, Figure, Table
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import UNLABELLED
from auxrnn.use.inference import predict_logits, predict_steps
from auxrnn.use.persistence import SavedModel

MOST_VALUES = 6
"""Values of one model that are drawn, one figure each."""


@dataclass(frozen=True)
class Asked:
    """A model and the test sequences that it is asked about.

    name: of the model on the page; index: its number there; whole: what part of the test set they are, in words.
    """

    index: int
    name: str
    saved: SavedModel
    part: SequenceData
    whole: str


def mistakes(asked: Asked) -> tuple[list[Table], list[Figure]]:
    """Confusions of classes and tags, scores of each class where there are several, answers against true values."""
    target = asked.saved.target
    if target.per_step:
        return _tags(asked)
    if target.one_class:
        return _classes(asked)
    return _several(asked) if target.has_classes else _values(asked)


def _classes(asked: Asked) -> tuple[list[Table], list[Figure]]:
    assert isinstance(asked.part.labels, Tensor)
    logits = predict_logits(asked.saved.network, asked.part)
    return _confused(asked, logits, asked.part.labels, "classes")


def _tags(asked: Asked) -> tuple[list[Table], list[Figure]]:
    assert asked.part.labels is not None
    answers = torch.cat(predict_steps(asked.saved.network, asked.part, asked.saved.target.answers))
    labels = torch.cat(list(asked.part.labels))
    there = labels != UNLABELLED
    answered = torch.nn.functional.one_hot(answers[there], asked.saved.target.size)
    return _confused(asked, answered, labels[there], "tags of single steps")


def _confused(asked: Asked, outputs: Tensor, labels: Tensor, what: str) -> tuple[list[Table], list[Figure]]:
    names = asked.saved.target.names
    counts = confusion(outputs, labels, len(names))
    right = 100 * np.trace(counts) / max(len(labels), 1)
    caption = (
        f"{asked.name}: true {what} against answers on {asked.whole}, {right:.1f} % right. "
        f"Darker: a larger share of the row."
    )
    return [], [Figure(caption, draw_confusion(counts, names, title=asked.name), f"confusion-{asked.index + 1}")]


def _several(asked: Asked) -> tuple[list[Table], list[Figure]]:
    assert isinstance(asked.part.labels, Tensor)
    target = asked.saved.target
    answered = target.answers(predict_logits(asked.saved.network, asked.part)) > 0
    labelled = asked.part.labels > 0
    rows: list[list[Cell | str]] = []
    for place, name in enumerate(target.names):
        true, said = labelled[:, place], answered[:, place]
        both = int((true & said).sum())
        rows.append(
            [
                name,
                f"{int(true.sum()):,}",
                f"{int(said.sum()):,}",
                _percent(both, int(said.sum())),
                _percent(both, int(true.sum())),
                _percent(2 * both, int(true.sum() + said.sum())),
            ]
        )
    header = ["class", "labelled", "answered", "precision, %", "recall, %", "F1, %"]
    return [Table(f"{asked.name}: each class on {asked.whole}", header, rows)], []


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else NOTHING


def _values(asked: Asked) -> tuple[list[Table], list[Figure]]:
    assert isinstance(asked.part.labels, Tensor)
    target = asked.saved.target
    answers = target.answers(predict_logits(asked.saved.network, asked.part)).numpy()
    true = asked.part.labels.numpy()
    figures = []
    for place, name in enumerate(target.names[:MOST_VALUES]):
        error = float(np.sqrt(np.square(answers[:, place] - true[:, place]).mean()))
        drawing = draw_scatter(true[:, place], answers[:, place], title=f"{asked.name}: {name}")
        caption = f"{asked.name}: {name} as answered against the true one on {asked.whole}; RMSE {error:.4g}."
        figures.append(Figure(caption, drawing, f"values-{asked.index + 1}-{place + 1}"))
    return [], figures
