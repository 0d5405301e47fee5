"""Any number of classes a sequence (multi-label)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auxrnn.errors import InputError
from auxrnn.targets.base import Labels, Target, check_finite_sequence_labels
from auxrnn.targets.categories import counted, mean_f1
from auxrnn.targets.keeper import Array, LabelKeeper
from auxrnn.targets.labelling import Label, class_cell, label_cell
from auxrnn.targets.losses import Loss
from auxrnn.targets.scores import MACRO_F1, Score

SEPARATOR = "|"
"""Between the classes of one sequence in a table."""

SEPARATORS = re.compile(r"[|;]")
YES, NO = ("1", "true", "yes"), ("0", "false", "no")

END = -1
"""Closes the classes of one sequence."""


class ClassesKeeper(LabelKeeper):
    """Any number of classes a sequence: their places, then END."""

    dtype = "uint8"
    fewest = 1

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, tuple)
        names = [str(name) for name in label]
        places = [self.names.index(name) if self.names else self.labelling.place(name, where) for name in names]
        return [*places, END]

    def check(self) -> None:
        if not self.names and not self.labelling.classes:
            raise InputError("Expected at least one class under --target classes, found none in any row.")

    def finished(self, numbers: Array) -> tuple[tuple[str, ...], Array]:
        names, places = (self.names, np.arange(len(self.names))) if self.names else self._in_order()
        ends = numbers == END
        rows = np.cumsum(ends) - ends
        labels = np.zeros((int(ends.sum()), len(names)), np.uint8)
        labels[rows[~ends], places[numbers[~ends]]] = 1
        return names, labels

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        return (sequences, size)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        return bool(labels.max() <= 1)


@dataclass(frozen=True)
class ClassesTarget(Target):
    """Any number of classes a sequence, labels (N, size) of 0 and 1: binary cross-entropy, its mean over the classes.

    A class is answered where its probability is above a half. Scores: micro-F1 over all labels, macro-F1 over the
    classes that occur, and the share of sequences of which every class is right. The paper is silent on this task.
    """

    kind: ClassVar[str] = "classes"
    several_columns: ClassVar[bool] = True
    keeper: ClassVar[type[LabelKeeper]] = ClassesKeeper
    array_types: ClassVar[str] = "fiub"
    scored: ClassVar[dict[str, Score]] = {
        "micro_f1": Score("micro-F1"),
        "macro_f1": MACRO_F1,
        "exact_match": Score("exact match"),
    }
    trivial: ClassVar[str] = "most frequent answers"
    model_name: ClassVar[str] = "multi-label sequence classifier"
    model_tag: ClassVar[str] = "multi-label-classification"
    estimator: ClassVar[str] = "LongSequenceClassifier"

    @classmethod
    def read_cells(cls, cells: Sequence[Any], columns: Sequence[str], where: str, decimal: str) -> Label | None:
        if len(columns) == 1:
            cell = cells[0]
            if isinstance(cell, list):  # of Parquet
                return tuple(dict.fromkeys(name for one in cell if (name := class_cell(one, where))))
            parts = SEPARATORS.split(class_cell(cell, where) or "")
            return tuple(dict.fromkeys(name.strip() for name in parts if name.strip()))
        found = []
        for name, cell in zip(columns, cells, strict=True):
            word = (label_cell(cell) or "").lower()
            if word not in (*YES, *NO):
                raise InputError(f"{where}: expected 0 or 1 in {name!r}, got {cell!r}.")
            if word in YES:
                found.append(name)
        return tuple(found)

    @classmethod
    def read_item(cls, item: Array, where: str) -> Label | None:
        if not np.isin(item, (0, 1)).all():
            raise InputError(f"{where}: expected 0 or 1 for each class, got {item.tolist()[:8]}.")
        return tuple(str(place) for place in np.flatnonzero(item).tolist())

    @classmethod
    def array_shape(cls, shape: tuple[int, ...], number: int, steps: int) -> tuple[str, bool]:
        return f"0 and 1 for each class, ({number}, K)", len(shape) == 2 and shape[0] == number

    @classmethod
    def column_names(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        return columns if len(columns) > 1 else ()

    @classmethod
    def place_names(cls, number: int) -> tuple[str, ...]:
        return tuple(str(place) for place in range(number))

    def findings(self, labels: Array) -> list[str]:
        counts, each = labels.sum(0, dtype=np.int64), labels.sum(1)
        return [
            f"Classes: {self.size}, any number of them a sequence ({counted(self.names, counts)}); "
            f"{each.mean():.2g} a sequence, {int(each.min())} to {int(each.max())}"
        ]

    def words(self, labels: Array) -> str:
        return SEPARATOR.join(self.names[place] for place in np.flatnonzero(labels).tolist()) or "no label"

    def codes(self, labels: Labels) -> Array:
        assert isinstance(labels, Tensor)
        return 2.0 * labels.double().numpy() - 1.0

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

    def rates(self, tallies: Tensor) -> tuple[Tensor, ...]:
        labelled, answered, both = tallies[..., :-2].unflatten(-1, (3, -1)).unbind(-2)
        micro = 2 * both.sum(-1) / (labelled + answered).sum(-1).clamp(min=1)
        return micro, mean_f1(labelled, answered, both), tallies[..., -2] / tallies[..., -1].clamp(min=1)

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
