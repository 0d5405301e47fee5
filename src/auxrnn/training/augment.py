"""Random changes of training sequences that leave their labels true. A function of a batch and a generator alone."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from auxrnn.config.choices import Augmentation
from auxrnn.core.batch import SequenceBatch
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData

NOISE = 0.3
"""Standard deviation of the noise, in standard deviations of a channel."""

SCALE = 0.2
"""Standard deviation of the logarithm of the factor."""


def augmented(batch: SequenceBatch, kind: Augmentation, generator: torch.Generator) -> SequenceBatch:
    """The batch with other inputs, of the same lengths and labels.

    Parameters
    ----------
    kind : {"none", "turn", "noise", "scale"}
        turn: every sequence begins at a random step and goes on at its beginning where it ends, so that nothing can be
        learned by the place of an event. noise: normal noise of `NOISE` beside standardised values. scale: every
        sequence times a log-normal factor, its logarithm with standard deviation `SCALE`. Pixels and characters can
        only be turned.
    generator : Generator
        On the CPU; what is drawn is a function of it.
    """
    if kind == "none":
        return batch
    if kind == "turn":
        return replace(batch, inputs=_turned(batch, generator))
    if kind not in get_args(Augmentation):
        raise ValueError(f"Expected an augmentation of {', '.join(get_args(Augmentation))}, got {kind!r}.")
    inputs = batch.inputs
    if not inputs.is_floating_point():
        raise ValueError(f"Expected float values to change by {kind}, got {inputs.dtype}; turn them, or leave them.")
    if kind == "noise":
        drawn = torch.randn(inputs.shape, generator=generator, dtype=torch.float32)
        return replace(batch, inputs=inputs + NOISE * drawn.to(inputs))
    factor = torch.exp(SCALE * torch.randn(len(inputs), 1, 1, generator=generator))
    return replace(batch, inputs=inputs * factor.to(inputs))


def check_augmentation(kind: Augmentation, data: SequenceData) -> None:
    """InputError for what would make labels untrue, or inputs that are none."""
    if kind != "none" and data.target.per_step:
        raise InputError(f"Expected augment none for a label a step, got {kind}.")
    if kind in ("noise", "scale") and data.spec.kind != "values":
        raise InputError(f"Expected augment turn or none for {data.spec.kind}, got {kind}.")


def _turned(batch: SequenceBatch, generator: torch.Generator) -> Tensor:
    """Inputs whose step t is that at (t + shift) modulo the sequence's own length; padding stays where it is."""
    shift = (torch.rand(len(batch), generator=generator, dtype=torch.float64) * batch.lengths).long()
    turned = batch.inputs.clone()
    for row, (length, first) in enumerate(zip(batch.lengths.tolist(), shift.tolist(), strict=True)):
        turned[row, :length] = batch.inputs[row, :length].roll(-first, 0)  # row by row, for long ones are large
    return turned
