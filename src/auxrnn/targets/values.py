"""One or several numbers a sequence (regression)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from auxrnn.errors import InputError
from auxrnn.storage.numbers import number_of
from auxrnn.targets.base import Labels, Target, check_finite_sequence_labels
from auxrnn.targets.keeper import Array, LabelKeeper
from auxrnn.targets.labelling import Label
from auxrnn.targets.losses import Loss
from auxrnn.targets.moments import channel_moments
from auxrnn.targets.scores import Score

DIGITS, MOST_DIGITS = 8, 17
"""Significant digits of a value in an answer: of its size, or of its deviation where that is smaller; the most that
float64 has.
"""

MOST_SHOWN = 12  # values with their spread


class ValueKeeper(LabelKeeper):
    """Numbers for each sequence."""

    typecode = "d"
    dtype = "float64"
    fewest = 1

    def numbers(self, label: Label, where: str, kept: Array | None) -> Sequence[float]:
        assert isinstance(label, tuple)
        return [float(value) for value in label if value is not None]

    def check(self) -> None:
        """Any numbers can be learned."""

    def finished(self, numbers: Array) -> tuple[tuple[str, ...], Array]:
        return self.names, numbers.reshape(-1, len(self.names))

    @staticmethod
    def shape(sequences: int, steps: int, size: int) -> tuple[int, ...]:
        return (sequences, size)

    @staticmethod
    def valid(labels: Array, size: int) -> bool:
        return bool(np.isfinite(labels).all())


@dataclass(frozen=True)
class ValueTarget(Target):
    """One or several numbers a sequence in their own units, labels (N, size) float64: squared error, its mean over the
    values.

    Scores are in the units of the labels, each a mean over the values as in scikit-learn: R2, root mean squared error,
    mean absolute error. The paper is silent on this task.

    Parameters
    ----------
    names : tuple of str
        One for each value.
    mean, scale : tuple of float
        Of each value on the training split: the network learns (value - mean) / scale. Empty for the values as they
        are.
    """

    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    kind: ClassVar[str] = "value"
    has_classes: ClassVar[bool] = False
    several_columns: ClassVar[bool] = True
    keeper: ClassVar[type[LabelKeeper]] = ValueKeeper
    array_types: ClassVar[str] = "fiu"
    scored: ClassVar[dict[str, Score]] = {
        "r2": Score("R2", percent=False),
        "rmse": Score("RMSE", percent=False),
        "mae": Score("MAE", percent=False),
    }
    trivial: ClassVar[str] = "mean"
    share_name: ClassVar[str] = "values"
    model_name: ClassVar[str] = "sequence regressor"
    model_tag: ClassVar[str] = "sequence-regression"
    estimator: ClassVar[str] = "LongSequenceRegressor"

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            found = getattr(self, name)
            known = bool(self.mean or self.scale)
            if len(found) != self.size * known or not bool(
                torch.isfinite(torch.tensor(found, dtype=torch.float64)).all()
            ):
                raise InputError(f"Expected one finite {name} a value ({self.size}), got {found}.")
        if any(scale <= 0 for scale in self.scale):
            raise InputError(f"Expected scales above 0, got {self.scale}.")

    @classmethod
    def read_cells(cls, cells: Sequence[Any], columns: Sequence[str], where: str, decimal: str) -> Label | None:
        pairs = zip(cells, columns, strict=True)
        numbers = tuple(number_of(cell, where, name, decimal) for cell, name in pairs)
        return None if any(map(math.isnan, numbers)) else numbers

    @classmethod
    def read_item(cls, item: Array, where: str) -> Label | None:
        numbers = item.reshape(-1).astype(np.float64)
        if np.isinf(numbers).any():
            raise InputError(f"{where}: expected finite values in y, got {numbers.tolist()[:8]}.")
        return None if np.isnan(numbers).any() else tuple(numbers.tolist())

    @classmethod
    def array_shape(cls, shape: tuple[int, ...], number: int, steps: int) -> tuple[str, bool]:
        return f"({number},) or ({number}, K) numbers", len(shape) in (1, 2) and shape[0] == number

    @classmethod
    def column_names(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        return columns

    @classmethod
    def place_names(cls, number: int) -> tuple[str, ...]:
        return ("value",) if number == 1 else tuple(f"value_{place}" for place in range(1, number + 1))

    def findings(self, labels: Array) -> list[str]:
        shown = ", ".join(
            f"{name} {column.mean():.4g} ± {column.std():.4g} ({column.min():.4g} to {column.max():.4g})"
            for name, column in zip(self.names[:MOST_SHOWN], labels.T, strict=False)
        )
        return [f"Values to predict: {shown}{' ...' if self.size > MOST_SHOWN else ''}; learned standardised"]

    def words(self, labels: Array) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in zip(self.names, labels, strict=True))

    def codes(self, labels: Labels) -> Array:
        assert isinstance(labels, Tensor)
        zero = self.shares(torch.zeros(1, self.size, dtype=torch.float64))
        unit = self.shares(torch.ones(1, self.size, dtype=torch.float64)) - zero
        return ((labels.double() - zero) / unit).numpy()

    def loss(self, outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Loss:
        outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
        each = (outputs - self._standardised(labels).to(outputs.dtype)).square().mean(-1)  # (B,)
        total = each.sum() if weights is None else (each * weights).sum()
        return Loss(total, len(labels), self.tally(outputs, labels))

    def tallies(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """1 for the sequence; of each value the squared and the absolute error, the label and its square.

        All of standardised numbers, so that a mean far from zero costs no digits.
        """
        known = self._standardised(labels)
        error = outputs.detach().double() - known
        return torch.cat([known.new_ones(len(known), 1), error.square(), error.abs(), known, known.square()], dim=1)

    def rates(self, tallies: Tensor) -> tuple[Tensor, ...]:
        number = tallies[..., :1].clamp(min=1)
        squared, absolute, sums, squares = tallies[..., 1:].unflatten(-1, (4, -1)).unbind(-2)
        spread = (squares - sums.square() / number).clamp(min=0.0)
        spread = torch.where(spread > 1e-12 * squares, spread, 0.0)  # labels that never change
        r2 = torch.where(spread > 0, 1 - squared / spread, (squared == 0).double())
        scale = tallies.new_tensor(self.scale or (1.0,) * self.size)
        found = (r2, (squared / number).sqrt() * scale, absolute / number * scale)
        return tuple(value.mean(-1) for value in found)

    def shares(self, outputs: Tensor) -> Tensor:
        if not self.mean:
            return outputs.double()
        return outputs.double() * outputs.new_tensor(self.scale, dtype=torch.float64) + outputs.new_tensor(
            self.mean, dtype=torch.float64
        )

    def answers(self, outputs: Tensor) -> Tensor:
        return self.shares(outputs)

    def entry(self, shares: Sequence[float], digits: int) -> dict[str, Any]:
        return {"values": {name: float(text) for name, text in self.row(shares, digits).items()}}

    def row(self, shares: Sequence[float], digits: int) -> dict[str, str]:
        scales = self.scale or (None,) * self.size
        return {name: _shown(value, scale) for name, value, scale in zip(self.names, shares, scales, strict=True)}

    def described(self) -> str:
        return "1 value" if self.size == 1 else f"{self.size} values"

    def check(self, labels: Labels, lengths: Tensor, where: str) -> None:
        check_finite_sequence_labels(labels, lengths, self.size, where, "values")

    def fitted(self, labels: Labels, where: str) -> Self:
        """With mean and standard deviation of training labels; the deviation of a value that never changes is 1."""
        assert isinstance(labels, Tensor)
        mean, scale = channel_moments(lambda: [labels.numpy(force=True)], where)
        return replace(self, mean=mean, scale=scale)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "mean": list(self.mean), "scale": list(self.scale)}

    @classmethod
    def from_dict(cls, names: tuple[str, ...], content: Mapping[str, Any]) -> Self:
        if set(content) != {"kind", "mean", "scale"}:
            raise InputError(f"expected the entries kind, mean and scale of target value, found {sorted(content)}")
        mean, scale = (tuple(float(value) for value in content[name]) for name in ("mean", "scale"))
        return cls(names, mean, scale)

    def _standardised(self, labels: Tensor) -> Tensor:
        numbers = labels.double()
        if not self.mean:
            return numbers
        return (numbers - numbers.new_tensor(self.mean)) / numbers.new_tensor(self.scale)


def _shown(value: float, scale: float | None) -> str:
    digits = DIGITS
    if value and scale is not None:
        digits += max(0, math.floor(math.log10(abs(value)) - math.log10(scale)))
    return f"{value:.{min(digits, MOST_DIGITS)}g}"
