"""One class for every step (tagging)."""

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
from auxrnn.targets.labelling import UNLABELLED, Label, class_item
from auxrnn.targets.losses import Loss
from auxrnn.targets.multilabel import SEPARATOR
from auxrnn.targets.scores import MACRO_F1, Score


class TagsKeeper(LabelKeeper):
    """One class a step, or none: as many numbers as the sequence has steps."""

    dtype = "int32"

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, tuple)
        tags = label if kept is None else tuple(label[step] for step in kept.tolist())
        return [UNLABELLED if tag is None else self.labelling.place(str(tag), where) for tag in tags]

    def check(self) -> None:
        self.labelling.check(least=1)

    def finished(self, numbers: Array) -> tuple[tuple[str, ...], Array]:
        names, places = self._in_order()
        return names, places[numbers].astype(np.int32)

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        return (steps,)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        return bool(labels.min() >= UNLABELLED and labels.max() < size)


@dataclass(frozen=True)
class TagsTarget(CategoryTarget):
    """One of several classes at every step, labels (N, T) or N tensors (T_i,) int64; -1 where a step has none.

    Cross-entropy, its mean over the labelled steps. A tag follows from its step and the steps before.

    References
    ----------
    The paper is silent on this task; its window, the last steps, would leave all other steps without a loss. We chose
    one random stretch of `bptt` steps for every sequence and update, which costs the same at any length and learns
    every step as often as any other.
    """

    kind: ClassVar[str] = "tags"
    per_step: ClassVar[bool] = True
    keeper: ClassVar[type[LabelKeeper]] = TagsKeeper
    scored: ClassVar[dict[str, Score]] = {"step_accuracy": Score("step accuracy"), "macro_f1": MACRO_F1}
    window: ClassVar[str] = "a random stretch of {}"
    model_name: ClassVar[str] = "sequence tagger"
    model_tag: ClassVar[str] = "sequence-tagging"
    estimator: ClassVar[str] = "LongSequenceTagger"

    @classmethod
    def read_item(cls, item: Array, where: str) -> Label | None:
        """The class of each step; none for -1, NaN and the empty text."""
        if item.dtype.kind == "f" and (broken := item[np.isfinite(item) & (item != np.floor(item))]).size:
            raise InputError(
                f"{where}: expected tags, one class a step as a whole number or a text, got {float(broken[0])}. "
                "Numbers at each step cannot be predicted; --target value is for those of a whole sequence."
            )
        return tuple(None if tag == "-1" else tag for tag in (class_item(one, where) for one in item))

    @classmethod
    def array_shape(cls, shape: tuple[int, ...], number: int, steps: int) -> tuple[str, bool]:
        return f"a label for each step, ({number}, {steps})", shape == (number, steps)

    def findings(self, labels: Array) -> list[str]:
        there = labels[labels >= 0]
        counts = np.bincount(there, minlength=self.size)
        without = len(labels) - len(there)
        told = f"; {without:,} steps without, which are not learned from" if without else ""
        return [
            f"Tags: {self.size}, one a step ({counted(self.names, counts)}){told}",
            *imbalance(self.names, counts, "steps"),
        ]

    def words(self, labels: Array) -> str:
        return SEPARATOR.join(self.names[place] for place in np.unique(labels) if place >= 0) or "no label"

    def loss(self, outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Loss:
        flat, known = outputs.flatten(0, -2), labels.flatten()
        total = summed_cross_entropy(flat, known, None if weights is None else weights.flatten())
        return Loss(total, int((known != UNLABELLED).sum()), self.tally(outputs, labels))

    def described(self) -> str:
        return f"one of {self.size} classes at every step"

    def check(self, labels: Labels, lengths: Tensor, where: str) -> None:
        check_number(labels, lengths, where)
        for index, (tags, length) in enumerate(zip(labels, lengths.tolist(), strict=True)):
            if tags.dtype != torch.int64 or tags.shape != (length,):
                raise InputError(
                    f"{where}, sequence {index}: expected a tag for each of its {length} steps, int64, got "
                    f"{tuple(tags.shape)} of {tags.dtype}."
                )
            least, greatest = int(tags.min()), int(tags.max())
            if least < UNLABELLED or greatest >= self.size:
                raise InputError(
                    f"{where}, sequence {index}: expected tags from 0 to {self.size - 1}, or {UNLABELLED} for none, "
                    f"got {least if least < UNLABELLED else greatest}."
                )
