"""How well a model answers when it has read only the first part of each sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from auxrnn.core.model import Classifier
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.lazy import LazySequences
from auxrnn.use.inference import measure

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class FirstParts(LazySequences):
    """The first steps of sequences that are made when they are asked for, so many of each, (N,)."""

    def __init__(self, whole: LazySequences, lengths: torch.Tensor) -> None:
        self._whole, self.lengths = whole, lengths

    def at(self, index: int) -> torch.Tensor:
        return self._whole[index][: int(self.lengths[index])]

    def subset(self, indices: torch.Tensor) -> FirstParts:
        return FirstParts(self._whole.subset(indices), self.lengths[indices])


def first_part(data: SequenceData, share: float) -> SequenceData:
    """The first `share` of the steps of each sequence, at least one step. Nothing is read or copied."""
    lengths = torch.tensor([max(math.ceil(share * length), 1) for length in data.lengths.tolist()])
    inputs = (
        FirstParts(data.inputs, lengths)
        if isinstance(data.inputs, LazySequences)
        else [one[:length] for one, length in zip(data.inputs, lengths.tolist(), strict=True)]
    )
    return replace(data, inputs=inputs, image_shape=None, pixel_order=None)


def early_scores(network: Classifier, data: SequenceData, shares: Sequence[float] = SHARES) -> dict[float, float]:
    """The target's score on labelled data by the share of each sequence that was read.

    InputError for a label a step, each of which is answered when its step is read.
    """
    if data.target.per_step:
        raise InputError("Expected a label a sequence to ask early, got one for every step.")
    return {share: measure(network, first_part(data, share))[1][data.target.score] for share in shares}
