"""`LongSequenceTagger`: one class for every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from auxrnn.errors import InputError
from auxrnn.estimator.base import Array
from auxrnn.estimator.classifier import ClassEstimator
from auxrnn.estimator.labels import learn_labels, place_labels, read_tags
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.preprocessing import RawSequences
from auxrnn.targets import UNLABELLED, Labels, TagsTarget, Target
from auxrnn.use.inference import predict_steps


class LongSequenceTagger(ClassEstimator):
    """Predict a class for every step of sequences that are too long to back-propagate through.

    `y` is (N, T), or a list of (T_i,), with labels of any type that can be sorted. A step has none where there is -1
    among whole numbers, or None or an empty text among texts; such steps are neither learned from nor counted. A tag
    follows from its step and those before it. An update takes the loss of one random stretch of `bptt` steps of each
    sequence, so its cost does not depend on the length. `X` and all other parameters are those of
    `LongSequenceEstimator`.

    Parameters
    ----------
    class_weight : None, "balanced" or dict
        Weight of each class in the loss: all alike; so that every class counts as much as any other; or by label, at
        least 0, 1 where a label is left out.

    Attributes
    ----------
    classes_ : array (classes,)
        The tags, sorted.
    """

    kinds: ClassVar[tuple[str, ...]] = ("tags",)

    def predict(self, X: Any) -> Any:
        """Predict the most likely class of each step.

        Parameters
        ----------
        X : array or list
            N sequences, in a form of training.

        Returns
        -------
        array or list of array
            (N, T) for an array, a list of (T_i,) for a list; of the type of `classes_`.

        Raises
        ------
        InputError
            For sequences unlike those of training.
        """
        return self._steps(X, lambda places: self.classes_[places.numpy()], self._target.answers)

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class at each step.

        Parameters
        ----------
        X : array or list
            N sequences, in a form of training.

        Returns
        -------
        array or list of array
            (N, T, classes) for an array, a list of (T_i, classes) for a list; each in 0..1.

        Raises
        ------
        InputError
            For sequences unlike those of training.
        """
        return self._steps(X, lambda shares: shares.numpy(), lambda outputs: self._target.shares(outputs.double()))

    def score(self, X: Any, y: Any) -> float:
        """Measure the step accuracy.

        Parameters
        ----------
        X : array or list
            N sequences, in a form of training.
        y : array or list
            Tags, in the form of training.

        Returns
        -------
        float
            Share of right answers among the steps that have a tag, in 0..1.

        Raises
        ------
        InputError
            Where no step has a tag.
        """
        tags = self._known_labels(y, self._read(X), "y")
        if not any(bool((part != UNLABELLED).any()) for part in tags):
            raise InputError("y: expected at least one step with a tag, got none.")
        answers = [np.searchsorted(self.classes_, found) for found in self.predict(X)]
        found, known = torch.from_numpy(np.concatenate(answers)), torch.cat(list(tags))
        there = known != UNLABELLED
        return float((found == known)[there].double().mean())

    def _steps(
        self, X: Any, told: Callable[[torch.Tensor], Array], read: Callable[[torch.Tensor], torch.Tensor]
    ) -> Any:
        data = self._read(X)
        with self._network() as network:
            found = [told(steps) for steps in predict_steps(network, data, read)]
        return np.stack(found) if isinstance(data.inputs, torch.Tensor) else found

    def _learn_labels(self, y: Any, raw: RawSequences) -> tuple[Target, Labels]:
        tags, there = read_tags(y, _lengths(raw), "y")
        if not any(known.any() for known in there):
            raise InputError("y: expected at least one step with a tag, got none.")
        self.classes_, _ = learn_labels(np.concatenate([one[known] for one, known in zip(tags, there, strict=True)]))
        return TagsTarget(tuple(map(str, self.classes_.tolist()))), self._places(tags, there, "y")

    def _known_labels(self, y: Any, raw: RawSequences | SequenceData, name: str) -> Labels:
        return self._places(*read_tags(y, _lengths(raw), name), name)

    def _places(self, tags: list[Array], there: list[Array], name: str) -> Labels:
        found = []
        for index, (one, known) in enumerate(zip(tags, there, strict=True)):
            places = torch.full((len(one),), UNLABELLED)
            places[torch.from_numpy(known)] = place_labels(one[known], self.classes_, f"{name}, sequence {index}")
            found.append(places)
        return found


def _lengths(sequences: RawSequences | SequenceData) -> list[int]:
    if isinstance(sequences, SequenceData):
        return sequences.lengths.tolist()
    return [len(item) for item in sequences.items]
