"""One class a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from auxrnn.errors import InputError
from auxrnn.targets.base import Labels, check_number
from auxrnn.targets.categories import CategoryTarget, counted, imbalance, summed_cross_entropy
from auxrnn.targets.keeper import Array, LabelKeeper
from auxrnn.targets.labelling import Label, class_item
from auxrnn.targets.losses import Loss
from auxrnn.targets.scores import MACRO_F1, Score


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
class ClassTarget(CategoryTarget):
    """One of several classes a sequence, labels (N,) int64: cross-entropy, accuracy and macro-F1.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), for cross-entropy and accuracy.
    """

    kind: ClassVar[str] = "class"
    one_class: ClassVar[bool] = True
    keeper: ClassVar[type[LabelKeeper]] = ClassKeeper
    array_hint: ClassVar[str] = (
        " Say what they are: --target classes (0 and 1 for each class), value (numbers) or tags (one a step, "
        "({number}, {steps}))."
    )
    missing_hint: ClassVar[str] = " If a row may have several classes, or none, say --target classes."
    scored: ClassVar[dict[str, Score]] = {"accuracy": Score("accuracy"), "macro_f1": MACRO_F1}
    model_name: ClassVar[str] = "sequence classifier"
    model_tag: ClassVar[str] = "sequence-classification"
    estimator: ClassVar[str] = "LongSequenceClassifier"

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

    def loss(self, outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Loss:
        return Loss(summed_cross_entropy(outputs, labels, weights), len(labels), self.tally(outputs, labels))

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
