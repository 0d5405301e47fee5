"""Random changes of training sequences that leave their labels true. A function of a batch and a generator alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import get_args

import torch
from torch import Tensor

from auxrnn.config.choices import Augmentation
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import SequenceBatch
from auxrnn.core.lazy_steps import Inputs, LazySteps, Read
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData

NOISE = 0.3
"""Standard deviation of the noise, in standard deviations of a channel."""

NOISE_BLOCK = 512
"""Steps of a sequence whose noise is drawn at once."""

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
        return replace(batch, inputs=_noisy(inputs, generator))
    factors = torch.exp(SCALE * torch.randn(len(inputs), 1, 1, generator=generator)).to(inputs.dtype)
    if isinstance(inputs, LazySteps):
        scaled = [partial(_scaled_part, *one) for one in zip(inputs.reads, factors[:, 0], strict=True)]
        return replace(batch, inputs=LazySteps(scaled, inputs.lengths))
    return replace(batch, inputs=inputs * factors.to(inputs.device))


def check_augmentation(kind: Augmentation, data: SequenceData) -> None:
    """InputError for what would make labels untrue, or inputs that are none."""
    if kind != "none" and data.target.per_step:
        raise InputError(f"Expected augment none for a label a step, got {kind}.")
    if kind in ("noise", "scale") and data.spec.kind != "values":
        raise InputError(f"Expected augment turn or none for {data.spec.kind}, got {kind}.")


def _turned(batch: SequenceBatch, generator: torch.Generator) -> Inputs:
    """Inputs whose step t is that at (t + shift) modulo the sequence's own length; padding stays where it is."""
    shift = (torch.rand(len(batch), generator=generator, dtype=torch.float64) * batch.lengths).long()
    if isinstance(batch.inputs, LazySteps):
        each = zip(batch.inputs.reads, batch.lengths.tolist(), shift.tolist(), strict=True)
        return LazySteps([partial(_turned_part, *one) for one in each], batch.lengths)
    turned = batch.inputs.clone()
    for row, (length, first) in enumerate(zip(batch.lengths.tolist(), shift.tolist(), strict=True)):
        turned[row, :length] = batch.inputs[row, :length].roll(-first, 0)  # row by row, for long ones are large
    return turned


def _turned_part(read: Read, length: int, shift: int, first: int, stop: int) -> Tensor:
    """The steps `[first, stop)` of a sequence that begins at step `shift`."""
    first, stop = first + shift, stop + shift
    if first >= length:
        return read(first - length, stop - length)
    return read(first, stop) if stop <= length else torch.cat([read(first, length), read(0, stop - length)])


def _scaled_part(read: Read, factor: Tensor, first: int, stop: int) -> Tensor:
    return read(first, stop) * factor


def _noisy(inputs: Inputs, generator: torch.Generator) -> Inputs:
    """Inputs with noise, the same however they are read: drawn by blocks, each a function of its sequence and place."""
    seeds = torch.randint(2**62, (len(inputs),), generator=generator).tolist()
    if isinstance(inputs, LazySteps):
        noisy = [partial(_noisy_part, *one) for one in zip(inputs.reads, seeds, strict=True)]
        return LazySteps(noisy, inputs.lengths)
    drawn = torch.stack([_noise(seed, 0, inputs.shape[1], inputs.shape[2:]) for seed in seeds])
    return inputs + NOISE * drawn.to(inputs)


def _noisy_part(read: Read, seed: int, first: int, stop: int) -> Tensor:
    steps = read(first, stop)
    return steps + NOISE * _noise(seed, first, stop, steps.shape[1:]).to(steps)


def _noise(seed: int, first: int, stop: int, channels: torch.Size) -> Tensor:
    """Normal numbers of the steps `[first, stop)` of one sequence."""
    blocks = range(first // NOISE_BLOCK, -(-stop // NOISE_BLOCK))
    drawn = [torch.randn((NOISE_BLOCK, *channels), generator=step_generator(seed, block)) for block in blocks]
    begin = first - blocks.start * NOISE_BLOCK
    return torch.cat(drawn)[begin : begin + stop - first]
