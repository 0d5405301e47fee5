"""One class a sequence; and what tags share with it: cross-entropy, the sums that scores need, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.losses import Loss
from auxrnn.targets.base import Labels, Target, check_number
from auxrnn.targets.keeper import Array, LabelKeeper
from auxrnn.targets.labelling import UNLABELLED, Label, class_cell, class_item

MOST_SHOWN = 12  # classes with their counts
IMBALANCE = 3.0  # largest class to smallest from which accuracy alone misleads


class ClassKeeper(LabelKeeper):
    """One class a sequence."""

    dtype = "int32"

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, str)
        return [self.labelling.place(label, where)]

    def check(self) -> None:
        self.labelling.check()

    def finished(self, numbers: Array) -> tuple[tuple[str, ...], Array]:
        names, places = self._in_order()
        return names, places[numbers]

    @staticmethod
    def opened(labels: Array) -> Array:
        return labels.astype(np.int64)


@dataclass(frozen=True)
class ClassTarget(Target):
    """One of several classes, labels (N,) int64. Cross-entropy; accuracy and macro-F1 (Trinh et al. 2018)."""

    kind: ClassVar[str] = "class"
    one_class: ClassVar[bool] = True
    keeper: ClassVar[type[LabelKeeper]] = ClassKeeper
    array_hint: ClassVar[str] = (
        " Say what they are: --target classes (0 and 1 for each class), value (numbers) or tags (one a step, "
        "({number}, {steps}))."
    )
    missing_hint: ClassVar[str] = " If a row may have several classes, or none, say --target classes."
    score: ClassVar[str] = "accuracy"
    scores_told: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1")
    trivial: ClassVar[str] = "majority class"
    model_name: ClassVar[str] = "sequence classifier"
    model_tag: ClassVar[str] = "sequence-classification"
    estimator: ClassVar[str] = "LongSequenceClassifier"

    @classmethod
    def read_cells(cls, cells: Sequence[Any], columns: Sequence[str], where: str, decimal: str) -> Label | None:
        return class_cell(cells[0], where, " For several classes say --target classes.")

    @classmethod
    def read_item(cls, item: Array, where: str) -> Label | None:
        return class_item(item, where)

    @classmethod
    def array_shape(cls, shape: tuple[int, ...], number: int, steps: int) -> tuple[str, bool]:
        return f"one label a sequence, ({number},)", shape in ((number,), (number, 1))

    def findings(self, labels: Array) -> list[str]:
        counts = np.bincount(labels, minlength=self.size)
        lines = [
            f"Classes: {self.size} ({counted(self.names, counts)})",
            *imbalance(self.names, counts, "sequences"),
        ]
        joined = next((name for name in self.names if "|" in name or ";" in name), None)
        if joined is not None:
            lines.append(f"Note: {joined!r} counts as one class; if it is several, say --target classes.")
        return lines

    def words(self, labels: Array) -> str:
        return self.names[int(labels)]

    def codes(self, labels: Labels) -> Array:
        return class_codes(labels, self.size)

    def loss(self, outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Loss:
        return Loss(summed_cross_entropy(outputs, labels, weights), len(labels), self.tally(outputs, labels))

    def tallies(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return count_classes(outputs.detach(), labels)

    def scores(self, tally: Tensor) -> dict[str, float]:
        return dict(zip(self.scores_told, class_scores(tally), strict=True))

    def shares(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(-1)

    def answers(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(-1)

    def entry(self, shares: Sequence[float], digits: int) -> dict[str, Any]:
        return class_entry(self.names, shares, digits)

    def row(self, shares: Sequence[float], digits: int) -> dict[str, str]:
        return class_row(self.names, shares, digits)

    def described(self) -> str:
        return f"{self.size} classes"

    def check(self, labels: Labels, lengths: Tensor, where: str) -> None:
        if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
            found = f"{tuple(labels.shape)} of {labels.dtype}" if isinstance(labels, Tensor) else "a list"
            raise InputError(f"{where}: expected labels (N,) of int64, got {found}.")
        check_number(labels, lengths, where)
        outside = ((labels < 0) | (labels >= self.size)).nonzero()
        if len(outside):
            first = int(outside[0])
            raise InputError(
                f"{where}: expected labels from 0 to {self.size - 1} for {self.size} classes, "
                f"got {int(labels[first])} at sequence {first}."
            )

    def strata(self, labels: Labels) -> Tensor:
        assert isinstance(labels, Tensor)
        return labels

    def absent(self, train: Labels, test: Labels) -> str | None:
        return first_absent(self.names, train, test)

    def balanced(self, labels: Labels, where: str) -> Tensor:
        assert isinstance(labels, Tensor)
        return balanced_weights(torch.bincount(labels, minlength=self.size))


def summed_cross_entropy(outputs: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Outputs (M, classes), labels (M,), weights (M,) -> the sum in nats; unlabelled ones count nothing."""
    if weights is None:
        return functional.cross_entropy(outputs, labels, reduction="sum", ignore_index=UNLABELLED)
    each = functional.cross_entropy(outputs, labels, reduction="none", ignore_index=UNLABELLED)
    return (each * weights).sum()


def count_classes(outputs: Tensor, labels: Tensor) -> Tensor:
    """Of outputs (B, ..., classes), labels (B, ...), how often each class was labelled, answered, both in a sequence.

    Three vectors in one, (B, 3 * classes) float64; unlabelled steps count nothing.
    """
    rows, classes = len(outputs), outputs.shape[-1]
    steps = labels.numel() // max(rows, 1)
    answers, labels = outputs.argmax(-1).reshape(rows, steps), labels.reshape(rows, steps)
    there = labels != UNLABELLED
    first = classes * torch.arange(rows, device=labels.device).unsqueeze(1)  # the place of class 0 of each sequence
    counted = ((labels, there), (answers, there), (labels, there & (answers == labels)))
    parts = [torch.bincount((first + found)[which], minlength=rows * classes) for found, which in counted]
    return torch.cat([part.view(rows, classes) for part in parts], dim=1).double()


def class_scores(tally: Tensor) -> tuple[float, float]:
    """Accuracy, and macro-F1: the mean over the classes that occur of 2 * right / (labelled + answered)."""
    labelled, answered, right = tally.view(3, -1)
    return float(right.sum() / labelled.sum().clamp(min=1)), mean_f1(labelled, answered, right)


def mean_f1(labelled: Tensor, answered: Tensor, right: Tensor) -> float:
    """The mean F1 of the classes that are labelled or answered at all; 0 where none is."""
    occurs = labelled + answered > 0
    return float((2 * right / (labelled + answered))[occurs].mean()) if bool(occurs.any()) else 0.0


def class_entry(names: Sequence[str], shares: Sequence[float], digits: int) -> dict[str, Any]:
    """The likeliest class, and the probability of each."""
    best = max(range(len(shares)), key=shares.__getitem__)
    every = {name: round(share, digits) for name, share in zip(names, shares, strict=True)}
    return {"class": names[best], "probability": round(shares[best], digits), "probabilities": every}


def class_row(names: Sequence[str], shares: Sequence[float], digits: int) -> dict[str, str]:
    """`class_entry` as columns."""
    best = max(range(len(shares)), key=shares.__getitem__)
    every = {f"p({name})": f"{share:.{digits}f}" for name, share in zip(names, shares, strict=True)}
    return {"class": names[best], "probability": f"{shares[best]:.{digits}f}", **every}


def first_absent(names: Sequence[str], train: Labels, test: Labels) -> str | None:
    """The first class of the test labels that training has not."""
    known, asked = (
        {int(place) for part in ([labels] if isinstance(labels, Tensor) else labels) for place in part.unique()}
        for labels in (train, test)
    )
    missing = sorted(asked - known - {UNLABELLED})
    return names[missing[0]] if missing else None


def balanced_weights(counts: Tensor) -> Tensor:
    """Labels / (classes that occur * labels of the class), as scikit-learn's "balanced": their mean over the set is 1.

    counts: labels of each class, (classes,).
    """
    return int(counts.sum()) / (int((counts > 0).sum()) * counts.clamp(min=1).float())


def class_codes(labels: Labels, size: int) -> Array:
    """(labels, size) float64: 1 for the class that is right, -1 for the others; unlabelled ones are left out."""
    flat = labels if isinstance(labels, Tensor) else torch.cat(list(labels))
    flat = flat.flatten()
    return 2.0 * functional.one_hot(flat[flat >= 0], size).double().numpy() - 1.0


def counted(classes: Sequence[str], counts: Array) -> str:
    """The first classes with how many there are of each."""
    shown = ", ".join(f"{name}: {count:,}" for name, count in zip(classes[:MOST_SHOWN], counts.tolist(), strict=False))
    return shown + (f", ... {int(counts.min()):,} to {int(counts.max()):,} each" if len(classes) > MOST_SHOWN else "")


def imbalance(classes: Sequence[str], counts: Array, what: str) -> list[str]:
    """A warning where one class is rare. what: is counted."""
    if counts.max() < IMBALANCE * counts.min():
        return []
    large, small = int(counts.argmax()), int(counts.argmin())
    return [
        f"Warning: class {classes[large]!r} has {counts[large] / counts[small]:.1f} times as many {what} "
        f"as {classes[small]!r}; look at macro-F1 beside accuracy, and consider --class_weights balanced."
    ]
