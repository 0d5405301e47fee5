"""How well a model answers when it has read only the first part of each sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from auxrnn.data.dataset import SequenceData
from auxrnn.errors import InputError
from auxrnn.inference import measure
from auxrnn.model import Classifier

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def first_part(data: SequenceData, share: float) -> SequenceData:
    """The first `share` of the steps of each sequence, at least one step."""
    inputs = [one[: max(math.ceil(share * len(one)), 1)] for one in data.inputs]
    return replace(data, inputs=inputs, image_shape=None, pixel_order=None)


def early_scores(network: Classifier, data: SequenceData, shares: Sequence[float] = SHARES) -> dict[float, float]:
    """The target's score on labelled data by the share of each sequence that was read.

    InputError for a label a step, each of which is answered when its step is read.
    """
    if data.target.per_step:
        raise InputError("Expected a label a sequence to ask early, got one for every step.")
    return {share: measure(network, first_part(data, share))[1][data.target.score] for share in shares}
