"""One class a sequence, the sums that its scores need, and the cross-entropy that it shares with tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.losses import Loss
from auxrnn.targets.base import Labels, Target, check_number

UNLABELLED = -1
"""The label of a step that has none."""


@dataclass(frozen=True)
class ClassTarget(Target):
    """One of several classes, labels (N,) int64. Cross-entropy; accuracy and macro-F1 (Trinh et al. 2018)."""

    kind: ClassVar[str] = "class"
    score: ClassVar[str] = "accuracy"
    scores_told: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1")
    model_name: ClassVar[str] = "sequence classifier"
    model_tag: ClassVar[str] = "sequence-classification"
    estimator: ClassVar[str] = "LongSequenceClassifier"

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
