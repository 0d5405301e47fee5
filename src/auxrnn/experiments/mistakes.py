"""What a trained model gets wrong on test sequences, as figures and tables, by the kind of its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auxrnn.experiments.probes import confusion
from auxrnn.report.figures import draw_confusion, draw_scatter
from auxrnn.report.page import NOTHING, Cell, Figure, Table
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import UNLABELLED, Target
from auxrnn.use.inference import predict_logits, predict_steps
from auxrnn.use.persistence import SavedModel

MOST_VALUES = 6
"""Values of one model that are drawn, one figure each."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Asked:
    """A model and the test sequences that it is asked about.

    name: of the model on the page; index: its number there; whole: what part of the test set they are, in words;
    places: of each of them in it.
    """

    index: int
    name: str
    saved: SavedModel
    part: SequenceData
    whole: str
    places: Tensor


@dataclass(frozen=True)
class Mistakes:
    """Tables and figures of what a model gets wrong, and what `worst_first` says of its answers."""

    tables: list[Table]
    figures: list[Figure]
    worst: list[int]
    wrong: int


def mistakes(asked: Asked) -> Mistakes:
    """Confusions of classes and tags, scores of each class, answers against true values."""
    target, part = asked.saved.target, asked.part
    assert part.labels is not None
    if target.per_step:
        answers = predict_steps(asked.saved.network, part, target.answers)
        labels = list(part.labels)
        there = [tags != UNLABELLED for tags in labels]
        known, said = (torch.cat([one[where] for one, where in zip(every, there, strict=True)])
                       for every in (labels, answers))  # fmt: skip
        return Mistakes(*_confused(asked, said, known, "tags of single steps"), *worst_first(target, answers, labels))
    assert isinstance(part.labels, Tensor)
    outputs = predict_logits(asked.saved.network, part)
    ranked = worst_first(target, list(outputs), list(part.labels))
    if target.one_class:
        return Mistakes(*_confused(asked, target.answers(outputs), part.labels, "classes"), *ranked)
    if target.has_classes:
        answered, labelled = target.answers(outputs) > 0, part.labels > 0
        both = (answered & labelled).sum(0)
        table = _each_class(asked, labelled.sum(0).tolist(), answered.sum(0).tolist(), both.tolist())
        return Mistakes([table], [], *ranked)
    return Mistakes([], _values(asked, target.answers(outputs).numpy(), part.labels.numpy()), *ranked)


def worst_first(target: Target, outputs: Sequence[Tensor], labels: Sequence[Tensor]) -> tuple[list[int], int]:
    """Places of the sequences, those answered wrong first and the greatest loss first; and how many are wrong.

    outputs: (size,) of each sequence; of a label a step the answers (T_i,), whose loss is the share of wrong ones. A
    value is never quite right.
    """
    lost = []
    for place, (output, label) in enumerate(zip(outputs, labels, strict=True)):
        if target.per_step:
            there = label != UNLABELLED
            loss = float((output != label)[there].double().mean()) if there.any() else 0.0
            wrong = loss > 0
        else:
            loss = float(target.loss(output[None], label[None]).total)
            wrong = not target.has_classes or bool((target.answers(output) != label).any())
        lost.append((not wrong, -loss, place))
    return [place for *_, place in sorted(lost)], sum(not right for right, *_ in lost)


def _confused(asked: Asked, answers: Tensor, labels: Tensor, what: str) -> tuple[list[Table], list[Figure]]:
    names = asked.saved.target.names
    counts = confusion(answers, labels, len(names))
    right = 100 * np.trace(counts) / max(len(labels), 1)
    caption = (
        f"{asked.name}: true {what} against answers on {asked.whole}, {right:.1f} % right. "
        f"Darker: a larger share of the row."
    )
    others = counts - np.diag(counts.diagonal())
    confused = [
        f"{names[int(row.argmax())]} ({row.max():,})" if row.any() else NOTHING for row in others
    ]  # the first of equals
    table = _each_class(asked, counts.sum(1).tolist(), counts.sum(0).tolist(), counts.diagonal().tolist(), confused)
    return [table], [Figure(caption, draw_confusion(counts, names, title=asked.name), f"confusion-{asked.index + 1}")]


def _each_class(
    asked: Asked, true: list[int], said: list[int], both: list[int], confused: Sequence[str] | None = None
) -> Table:
    """How often each class is there, answered, and both; confused: what it is taken for most often."""
    rows: list[list[Cell | str]] = [
        [
            name,
            f"{true[place]:,}",
            f"{said[place]:,}",
            _percent(both[place], said[place]),
            _percent(both[place], true[place]),
            _percent(2 * both[place], true[place] + said[place]),
            *([] if confused is None else [confused[place]]),
        ]
        for place, name in enumerate(asked.saved.target.names)
    ]
    header = ["class", "count", "answered", "precision, %", "recall, %", "F1, %"]
    header += [] if confused is None else ["most confused with"]
    return Table(f"{asked.name}: each class on {asked.whole}", header, rows)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else NOTHING


def _values(asked: Asked, answers: Array, true: Array) -> list[Figure]:
    figures = []
    for place, name in enumerate(asked.saved.target.names[:MOST_VALUES]):
        error = float(np.sqrt(np.square(answers[:, place] - true[:, place]).mean()))
        drawing = draw_scatter(true[:, place], answers[:, place], title=f"{asked.name}: {name}")
        caption = f"{asked.name}: {name} as answered against the true one on {asked.whole}; RMSE {error:.4g}."
        figures.append(Figure(caption, drawing, f"values-{asked.index + 1}-{place + 1}"))
    return figures
