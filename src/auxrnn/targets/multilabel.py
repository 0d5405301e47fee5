"""Any number of classes a sequence (multi-label)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.losses import Loss
from auxrnn.targets.base import Labels, Target, check_finite_sequence_labels
from auxrnn.targets.classes import mean_f1

SEPARATOR = "|"
"""Between the classes of one sequence in a table."""


@dataclass(frozen=True)
class ClassesTarget(Target):
    """Each class or not, labels (N, size) of 0 and 1. Binary cross-entropy, its mean over the classes.

    A class is answered where its probability is above a half. Scores: micro-F1 over all labels, macro-F1 over the
    classes that occur, and the share of sequences of which every class is right. The paper has no such task.
    """

    kind: ClassVar[str] = "classes"
    score: ClassVar[str] = "micro_f1"
    scores_told: ClassVar[tuple[str, ...]] = ("micro_f1", "macro_f1", "exact_match")
    model_name: ClassVar[str] = "multi-label sequence classifier"
    model_tag: ClassVar[str] = "multi-label-classification"
    estimator: ClassVar[str] = "LongSequenceClassifier"

    def loss(self, outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Loss:
        wanted = labels.to(outputs.dtype)
        each = functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none").mean(-1)  # (B,)
        total = each.sum() if weights is None else (each * weights).sum()
        return Loss(total, len(labels), self.tally(outputs, labels))

    def tallies(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Of each class whether it was labelled, answered, both; then whether the sequence is all right, and 1."""
        answered, labelled = outputs.detach() > 0, labels > 0
        right = (labelled == answered).all(1, keepdim=True)
        return torch.cat([labelled, answered, labelled & answered, right, torch.ones_like(right)], dim=1).double()

    def scores(self, tally: Tensor) -> dict[str, float]:
        labelled, answered, both = tally[:-2].view(3, -1)
        micro = 2 * both.sum() / (labelled + answered).sum().clamp(min=1)
        found = (float(micro), mean_f1(labelled, answered, both), float(tally[-2] / tally[-1].clamp(min=1)))
        return dict(zip(self.scores_told, found, strict=True))

    def shares(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def answers(self, outputs: Tensor) -> Tensor:
        return (outputs > 0).long()

    def entry(self, shares: Sequence[float], digits: int) -> dict[str, Any]:
        every = {name: round(share, digits) for name, share in zip(self.names, shares, strict=True)}
        return {"classes": self._above(shares), "probabilities": every}

    def row(self, shares: Sequence[float], digits: int) -> dict[str, str]:
        every = {f"p({name})": f"{share:.{digits}f}" for name, share in zip(self.names, shares, strict=True)}
        return {"classes": SEPARATOR.join(self._above(shares)), **every}

    def described(self) -> str:
        return f"any of {self.size} classes"

    def check(self, labels: Labels, lengths: Tensor, where: str) -> None:
        found = check_finite_sequence_labels(labels, lengths, self.size, where, "labels 0 and 1")
        if not bool(((found == 0) | (found == 1)).all()):
            first = int(((found != 0) & (found != 1)).nonzero()[0, 0])
            raise InputError(f"{where}: expected labels 0 and 1, got {found[first].tolist()} at sequence {first}.")

    def absent(self, train: Labels, test: Labels) -> str | None:
        assert isinstance(train, Tensor)
        assert isinstance(test, Tensor)
        missing = ((test > 0).any(0) & ~(train > 0).any(0)).nonzero()
        return self.names[int(missing[0])] if len(missing) else None

    def _above(self, shares: Sequence[float]) -> list[str]:
        return [name for name, share in zip(self.names, shares, strict=True) if share > 0.5]
