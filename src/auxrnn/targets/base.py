"""What a target is: all that training, inference, storage and reports ask about what is learned of a sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from auxrnn.errors import InputError
from auxrnn.targets.keeper import Array, LabelKeeper
from auxrnn.targets.labelling import Label
from auxrnn.targets.losses import Loss
from auxrnn.targets.scores import Score

Labels = Tensor | Sequence[Tensor]
"""The labels of a set of N sequences: a tensor (N, ...), or for a label a step N tensors (T_i,)."""


@dataclass(frozen=True)
class Target(ABC):
    """What is answered of a sequence, or of each of its steps: how labels are read, learned, scored and worded.

    Parameters
    ----------
    names : tuple of str
        One for each output.

    Attributes
    ----------
    kind : str
        As `--target` and config.json call it.
    per_step, one_class, has_classes, several_columns : bool
        Whether every step has a label; a sequence has one class and nothing else; names are classes; a label may stand
        in several columns of a table.
    keeper : type
        Numbers the labels while they are read.
    array_types : str
        Kinds of numpy types that labels may have.
    array_hint, missing_hint : str
        What to do about labels (N, K) that do not fit, with {number} and {steps}; about a row without a label.
    scored : dict
        Scores of every result, in words, by their name in files. The first chooses the best epoch; higher is better.
    score, scores_told : str, tuple of str
        The name of the first, and of all.
    trivial : str
        Name of the answer that does not look at the sequence.
    window : str
        Steps whose gradient the supervised loss has, with {} for how many and of what.
    share_name : str
        What `shares` are.
    model_name, model_tag, estimator : str
        Names of such a model in words, as a tag on a hub, and in Python.
    """

    names: tuple[str, ...]

    kind: ClassVar[str]
    per_step: ClassVar[bool] = False
    one_class: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True
    several_columns: ClassVar[bool] = False
    keeper: ClassVar[type[LabelKeeper]]
    array_types: ClassVar[str] = "fiubUS"
    array_hint: ClassVar[str] = ""
    missing_hint: ClassVar[str] = ""
    scored: ClassVar[dict[str, Score]] = {}
    score: ClassVar[str]
    scores_told: ClassVar[tuple[str, ...]]
    trivial: ClassVar[str]
    window: ClassVar[str] = "the last {}"
    share_name: ClassVar[str] = "probabilities"
    model_name: ClassVar[str]
    model_tag: ClassVar[str]
    estimator: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.scored:
            cls.scores_told = tuple(cls.scored)
            cls.score = cls.scores_told[0]

    @property
    def size(self) -> int:
        """Outputs of the head."""
        return len(self.names)

    @classmethod
    @abstractmethod
    def read_cells(cls, cells: Sequence[Any], columns: Sequence[str], where: str, decimal: str) -> Label | None:
        """The label that the cells of a table's row say, of the one step where `per_step`; None where there is none.

        columns: the name of each. decimal: the mark in numbers.
        """

    @classmethod
    @abstractmethod
    def read_item(cls, item: Array, where: str) -> Label | None:
        """The label that an item of an array says."""

    @classmethod
    @abstractmethod
    def array_shape(cls, shape: tuple[int, ...], number: int, steps: int) -> tuple[str, bool]:
        """What the labels of `number` sequences of `steps` are as an array, in words; whether one of `shape` fits."""

    @classmethod
    def column_names(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        """What the columns of a table call the outputs; none where the cells say it."""
        return ()

    @classmethod
    def place_names(cls, number: int) -> tuple[str, ...]:
        """What the outputs are called by their places in an array of so many a sequence; none where items say it."""
        return ()

    @abstractmethod
    def findings(self, labels: Array) -> list[str]:
        """Lines on the labels of a set, as its keeper has finished them, and warnings."""

    @abstractmethod
    def words(self, labels: Array) -> str:
        """The labels of one sequence in words."""

    @abstractmethod
    def codes(self, labels: Labels) -> Array:
        """Labels as numbers to regress on, (labels, size) float64: what is read as outputs of a network.

        1 for a class that is right and -1 for one that is not; values standardised as on training labels. Steps without
        a label are left out.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Loss:
        """Compute the supervised loss of a batch: its sum, the number of labels, and the tally.

        outputs: (B, size), or (B, L, size) per step. labels: as the target has them. weights: of each label, in its
        shape; all 1 where None.
        """

    @abstractmethod
    def tallies(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Give a float64 vector for each sequence, (B, sums); `scores` follow from their sum."""

    def tally(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The sum of `tallies` over a batch, (sums,): that of two batches together is the sum of theirs."""
        return self.tallies(outputs, labels).sum(0)

    @abstractmethod
    def rates(self, tallies: Tensor) -> tuple[Tensor, ...]:
        """Compute the scores in the order of `scores_told`, each (...), from tallies (..., sums)."""

    def scores(self, tally: Tensor) -> dict[str, float]:
        """Compute the scores by name from a tally; a share of nothing is 0."""
        return dict(zip(self.scores_told, map(float, self.rates(tally)), strict=True))

    def rate(self, score: str, tallies: Tensor) -> Tensor:
        """Compute one score, (...), from tallies (..., sums)."""
        return self.rates(tallies)[self.scores_told.index(score)]

    def first_score(self, tallies: Tensor) -> Tensor:
        """Compute the score that a model is chosen by, (...), from tallies (..., sums)."""
        return self.rate(self.score, tallies)

    @abstractmethod
    def shares(self, outputs: Tensor) -> Tensor:
        """Turn outputs (..., size) into probabilities, or values in their own units."""

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """Give the answer: a class's place (...), 0 or 1 for each class (..., size), or values (..., size)."""

    @abstractmethod
    def entry(self, shares: Sequence[float], digits: int) -> dict[str, Any]:
        """Give an answer as JSON holds it, from the shares of one sequence or step."""

    @abstractmethod
    def row(self, shares: Sequence[float], digits: int) -> dict[str, str]:
        """Give an answer as a row of a table, by column."""

    @abstractmethod
    def described(self) -> str:
        """Describe the outputs in a few words: "3 classes"."""

    @abstractmethod
    def check(self, labels: Labels, lengths: Tensor, where: str) -> None:
        """Refuse labels of a set, of sequences of `lengths` (N,), that do not fit: InputError."""

    def labelled(self, labels: Labels) -> int:
        """How many labels a set has."""
        return len(labels)

    def strata(self, labels: Labels) -> Tensor:
        """Give each sequence a group, (N,) int64, whose shares a split keeps; one group by default."""
        return torch.zeros(len(labels), dtype=torch.int64)

    def absent(self, train: Labels, test: Labels) -> str | None:
        """Name a class that is tested and never learned; None where there is none."""
        return None

    def fitted(self, labels: Labels, where: str) -> Self:
        """Learn the numbers that it needs from training labels; none by default. `where` is for messages."""
        return self

    def balanced(self, labels: Labels, where: str) -> Tensor:
        """Give weights (size,) by which every class counts as much as any other; InputError without classes."""
        raise InputError(
            f"{where}: expected one class a sequence or step to balance by class_weights, got {self.described()}."
        )

    def named(self, names: tuple[str, ...]) -> Self:
        """The same with other names."""
        return replace(self, names=names)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, without the names."""
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, names: tuple[str, ...], content: Mapping[str, Any]) -> Self:
        """The reverse of `to_dict`; InputError for what does not fit."""
        if set(content) != {"kind"}:
            raise InputError(f"expected no entries of target {cls.kind} but its kind, found {sorted(content)}")
        return cls(names)


def check_finite_sequence_labels(labels: Labels, lengths: Tensor, size: int, where: str, what: str) -> Tensor:
    """Labels as the (N, size) tensor that they must be."""
    if not isinstance(labels, Tensor) or labels.dim() != 2 or labels.shape[1] != size:
        found = tuple(labels.shape) if isinstance(labels, Tensor) else f"{len(labels)} tensors"
        raise InputError(f"{where}: expected {what} of shape (N, {size}), got {found}.")
    check_number(labels, lengths, where)
    if not bool(torch.isfinite(labels).all()):
        first = int((~torch.isfinite(labels)).nonzero()[0, 0])
        raise InputError(f"{where}: expected finite {what}, got {labels[first].tolist()} at sequence {first}.")
    return labels


def check_number(labels: Labels, lengths: Tensor, where: str) -> None:
    """InputError unless there is one label, or one row of them, for each sequence."""
    if len(labels) != len(lengths):
        raise InputError(
            f"{where}: expected one label a sequence, got {len(lengths)} sequences and {len(labels)} labels."
        )
