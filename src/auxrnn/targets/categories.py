"""What one class a sequence and one class a step share: cells, softmax, scores and words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from auxrnn.targets.base import Labels, Target
from auxrnn.targets.keeper import Array
from auxrnn.targets.labelling import UNLABELLED, Label, class_cell
from auxrnn.targets.scores import BALANCED

MOST_SHOWN = 12  # classes with their counts
IMBALANCE = 3.0  # largest class to smallest from which accuracy alone misleads


@dataclass(frozen=True)
class CategoryTarget(Target):
    """One of several classes, for a sequence or for each step; -1 where a step has none."""

    trivial: ClassVar[str] = "majority class"

    @classmethod
    def read_cells(cls, cells: Sequence[Any], columns: Sequence[str], where: str, decimal: str) -> Label | None:
        return class_cell(cells[0], where, " For several classes say --target classes.")

    def codes(self, labels: Labels) -> Array:
        known = torch.cat([part[part != UNLABELLED] for part in _parts(labels)])
        return 2.0 * functional.one_hot(known, self.size).double().numpy() - 1.0

    def tallies(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """How often each class was labelled, answered, both in a sequence: three vectors in one, (B, 3 * size).

        outputs (B, ..., size), labels (B, ...); unlabelled steps count nothing.
        """
        rows, classes = len(outputs), outputs.shape[-1]
        steps = labels.numel() // max(rows, 1)
        answers, labels = outputs.detach().argmax(-1).reshape(rows, steps), labels.reshape(rows, steps)
        there = labels != UNLABELLED
        first = classes * torch.arange(rows, device=labels.device).unsqueeze(1)  # the place of class 0 of each sequence
        counted = ((labels, there), (answers, there), (labels, there & (answers == labels)))
        parts = [torch.bincount((first + found)[which], minlength=rows * classes) for found, which in counted]
        return torch.cat([part.view(rows, classes) for part in parts], dim=1).double()

    def rates(self, tallies: Tensor) -> tuple[Tensor, ...]:
        """Accuracy, and macro-F1: the mean over the classes that occur of 2 * right / (labelled + answered)."""
        labelled, answered, right = tallies.unflatten(-1, (3, -1)).unbind(-2)
        return right.sum(-1) / labelled.sum(-1).clamp(min=1), mean_f1(labelled, answered, right)

    def rate(self, score: str, tallies: Tensor) -> Tensor:
        if score != BALANCED:
            return super().rate(score, tallies)
        labelled, _, right = tallies.unflatten(-1, (3, -1)).unbind(-2)
        return (right / labelled.clamp(min=1)).sum(-1) / (labelled > 0).sum(-1).clamp(min=1)

    def shares(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(-1)

    def answers(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(-1)

    def entry(self, shares: Sequence[float], digits: int) -> dict[str, Any]:
        """The likeliest class, and the probability of each."""
        best = max(range(len(shares)), key=shares.__getitem__)
        every = {name: round(share, digits) for name, share in zip(self.names, shares, strict=True)}
        return {"class": self.names[best], "probability": round(shares[best], digits), "probabilities": every}

    def row(self, shares: Sequence[float], digits: int) -> dict[str, str]:
        best = max(range(len(shares)), key=shares.__getitem__)
        every = {f"p({name})": f"{share:.{digits}f}" for name, share in zip(self.names, shares, strict=True)}
        return {"class": self.names[best], "probability": f"{shares[best]:.{digits}f}", **every}

    def labelled(self, labels: Labels) -> int:
        return sum(int((part != UNLABELLED).sum()) for part in _parts(labels))

    def absent(self, train: Labels, test: Labels) -> str | None:
        known, asked = (
            {place for part in _parts(labels) for place in part.unique().tolist()} for labels in (train, test)
        )
        missing = sorted(asked - known - {UNLABELLED})
        return self.names[missing[0]] if missing else None

    def balanced(self, labels: Labels, where: str) -> Tensor:
        """Labels / (classes that occur * labels of the class), as scikit-learn's "balanced": their mean is 1."""
        counts = torch.zeros(self.size, dtype=torch.int64)
        for part in _parts(labels):
            counts += torch.bincount(part[part != UNLABELLED], minlength=self.size)
        return int(counts.sum()) / (int((counts > 0).sum()) * counts.clamp(min=1).float())


def _parts(labels: Labels) -> Iterator[Tensor]:
    yield from ([labels] if isinstance(labels, Tensor) else labels)


def summed_cross_entropy(outputs: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Outputs (M, classes), labels (M,), weights (M,) -> the sum in nats; unlabelled ones count nothing."""
    if weights is None:
        return functional.cross_entropy(outputs, labels, reduction="sum", ignore_index=UNLABELLED)
    each = functional.cross_entropy(outputs, labels, reduction="none", ignore_index=UNLABELLED)
    return (each * weights).sum()


def mean_f1(labelled: Tensor, answered: Tensor, right: Tensor) -> Tensor:
    """The mean F1 (...) of the classes (..., size) that are labelled or answered at all; 0 where none is."""
    told = labelled + answered
    return (2 * right / told.clamp(min=1)).sum(-1) / (told > 0).sum(-1).clamp(min=1)


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
