"""`LongSequenceRegressor`: one or several numbers a sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from sklearn.base import RegressorMixin

from auxrnn.errors import InputError
from auxrnn.estimator.base import Array, LongSequenceEstimator
from auxrnn.estimator.labels import read_values
from auxrnn.sources.preprocessing import RawSequences
from auxrnn.targets import Labels, Target, ValueTarget
from auxrnn.use.inference import predict_logits

ALONE = "value"
"""The name of the value of a `y` of one dimension."""


class LongSequenceRegressor(RegressorMixin, LongSequenceEstimator):
    """Predict one or several numbers of sequences that are too long to back-propagate through.

    `y` is (N,) or (N, K) of finite numbers. They are learned standardised as the training split was; `predict` answers
    in their own units. The loss is the squared error; `score` is R2. `X` and the parameters are those of
    `LongSequenceEstimator`.

    Notes
    -----
    All of scikit-learn's `check_estimator` passes, on tables.
    """

    kinds: ClassVar[tuple[str, ...]] = ("value",)

    def predict(self, X: Any) -> Array:
        """Predict the values of each sequence.

        Parameters
        ----------
        X : array, table or list
            N sequences, in a form of training.

        Returns
        -------
        array
            (N,) or (N, K) as in training, in the units of `y`.

        Raises
        ------
        InputError
            For sequences unlike those of training.
        """
        data = self._read(X)
        with self._network() as network:
            outputs = predict_logits(network, data)
        target = self.model_.target
        values = target.answers(outputs).numpy()
        return values if target.size > 1 or target.names == _names(1) else values[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_labels(self, y: Any, raw: RawSequences) -> tuple[Target, Labels]:
        values = read_values(y, len(raw), "y")
        names = (ALONE,) if values.ndim == 1 else _names(values.shape[1])
        self._names = names
        return ValueTarget(names), torch.from_numpy(values.reshape(len(values), -1))

    def _known_labels(self, y: Any, raw: RawSequences, name: str) -> Labels:
        values = read_values(y, len(raw), name)
        values = values.reshape(len(values), -1)
        if values.shape[1] != len(self._names):
            raise InputError(f"{name}: expected {len(self._names)} values a sequence, got {values.shape[1]}.")
        return torch.from_numpy(values)


def _names(size: int) -> tuple[str, ...]:
    return tuple(f"value_{number}" for number in range(1, size + 1))
