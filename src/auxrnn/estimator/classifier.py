"""`LongSequenceClassifier`: one class a sequence, or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from sklearn.base import ClassifierMixin

from auxrnn.estimator.base import Array, LongSequenceEstimator
from auxrnn.estimator.labels import (
    class_weights,
    label_type,
    labels_of,
    learn_labels,
    place_labels,
    read_indicator,
    read_labels,
)
from auxrnn.estimator.settings import and_parameters_of
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.preprocessing import RawSequences
from auxrnn.targets import ClassesTarget, ClassTarget, Labels, Target
from auxrnn.use.inference import predict_logits
from auxrnn.use.persistence import SavedModel


class ClassEstimator(LongSequenceEstimator):
    """What the estimators of classes share: the weight of each class, and labels that are kept with the model."""

    @and_parameters_of(LongSequenceEstimator)
    def __init__(self, *, class_weight: str | Mapping[Any, float] | None = None, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.class_weight = class_weight

    def _remember_labels(self, saved: SavedModel, folder: str | Path) -> None:
        self.classes_ = labels_of(saved.classes, saved.label_type, folder)

    def _label_type(self) -> str:
        return label_type(self.classes_)

    def _class_weights(self, train: SequenceData) -> torch.Tensor | None:
        return class_weights(self.class_weight, train, self.classes_)


class LongSequenceClassifier(ClassifierMixin, ClassEstimator):
    """Classify sequences that are too long to back-propagate through.

    `y` is (N,) with labels of any type that can be sorted, at least two classes; or (N, K) of 0 and 1, where a sequence
    may have several classes (multi-label, as in scikit-learn: `predict` gives such a matrix, and `score` is the share
    of sequences of which every class is right). `X` and all other parameters are those of `LongSequenceEstimator`.

    Parameters
    ----------
    class_weight : None, "balanced" or dict
        Weight of each class in the loss, for one class a sequence: all alike; so that every class counts as much as any
        other; or by label, at least 0, 1 where a label is left out.

    Attributes
    ----------
    classes_ : array (classes,)
        The labels, sorted; of several a sequence their places 0..K-1.

    Notes
    -----
    All of scikit-learn's `check_estimator` passes, on tables; it knows no input of three dimensions, lists or texts.
    """

    kinds: ClassVar[tuple[str, ...]] = ("class", "classes")

    def predict(self, X: Any) -> Array:
        """Predict the most likely class of each sequence.

        Parameters
        ----------
        X : array, table or list
            N sequences, in a form of training.

        Returns
        -------
        array
            (N,) of the type of `classes_`; of several classes a sequence (N, K) of 0 and 1.

        Raises
        ------
        InputError
            For sequences unlike those of training.
        """
        answers = self._target.answers(self._logits(X)).numpy()
        return answers if answers.ndim == 2 else self.classes_[answers]

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array, table or list
            N sequences, in a form of training.

        Returns
        -------
        array
            (N, classes) in the order of `classes_`, each in 0..1; each row sums to 1 for one class a sequence.

        Raises
        ------
        InputError
            For sequences unlike those of training.
        """
        return self._target.shares(self._logits(X).double()).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _logits(self, X: Any) -> torch.Tensor:
        data = self._read(X)
        with self._network() as network:
            return predict_logits(network, data)

    def _learn_labels(self, y: Any, raw: RawSequences) -> tuple[Target, Labels]:
        matrix = read_indicator(y, len(raw), "y")
        if matrix is not None:
            self.classes_ = torch.arange(matrix.shape[1]).numpy()
            return ClassesTarget(_names(self.classes_)), torch.from_numpy(matrix)
        self.classes_, labels = learn_labels(read_labels(y, len(raw), "y"))
        return ClassTarget(_names(self.classes_)), labels

    def _known_labels(self, y: Any, raw: RawSequences, name: str) -> Labels:
        matrix = read_indicator(y, len(raw), name)
        if matrix is not None:
            return torch.from_numpy(matrix)
        return place_labels(read_labels(y, len(raw), name), self.classes_, name)


def _names(classes: Array) -> tuple[str, ...]:
    return tuple(map(str, classes.tolist()))
