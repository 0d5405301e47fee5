"""The gradient through all steps at constant memory, carried forward: real-time recurrent learning of diagonal cores.

The gradient of the losses of a piece has two parts. Through the steps of the piece it is found by back-propagation,
which stops at the state before the piece. Through all earlier steps it is the gradient of that state times the trace of
the state, see `cells.traces`. Both together are exact for one recurrent layer on inputs without weights of their own; a
linear map before the layer (a projection) belongs to it.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.cells.traces import Trace
from auxrnn.core.encoder import Encoder
from auxrnn.core.gradients.checkpointed import added, piece_gradient, read_through
from auxrnn.core.gradients.readings import Reading
from auxrnn.core.heads import one_mask
from auxrnn.core.objectives import Loss, Supervised, SupervisedSteps
from auxrnn.core.objectives.base import trained_weights
from auxrnn.core.recurrent import map_state
from auxrnn.core.tiles import add_gradients, with_gradients
from auxrnn.core.truncation import MAX_CHUNK, WindowPlan


def has_traces(core: nn.Module) -> bool:
    """Say whether a core, or that of an `Encoder`, knows its traces."""
    return hasattr(core.core if isinstance(core, Encoder) else core, "traces")


def eligibility_loss(
    core: nn.Module, batch: SequenceBatch, supervised: Supervised | SupervisedSteps, width: int = MAX_CHUNK
) -> Loss:
    """Compute the supervised loss with a gradient through all steps, at constant memory.

    For one layer without a stem or an embedding below it the gradient is that of full back-propagation, up to rounding.
    With several layers the weights of the top layer have their exact gradient. Those of the lower ones lack what goes
    through the states that upper layers had before the piece at hand; so do stem and embedding, which have no traces.
    This is the published approximation; it is published with pieces of one step, and longer ones leave out less.

    A reading of all steps needs the sequences twice: its own gradient is known once they have run. That of the last
    output needs the traces alone but for the piece in which a sequence ends.

    Parameters
    ----------
    core : Module
        A core with traces (`lru`, `mingru`), or an `Encoder` with one.
    batch : SequenceBatch
        As the core reads it, with labels.
    supervised : Supervised or SupervisedSteps
        The loss; its own truncation is not looked at.
    width : int
        Steps of a piece, at least 1.

    Returns
    -------
    Loss
        Its gradients are computed already; `backward` hands them on.

    References
    ----------
    Zucchet, Meier, Schug, Mujika & Sacramento (2023), "Online learning of long-range dependencies", arXiv 2305.15947.
    Irie, Gopalakrishnan & Schmidhuber (2024), "Exploring the promise and limits of real-time recurrent learning", arXiv
    2305.19044.
    """
    inner, below = (core.core, core.projection) if isinstance(core, Encoder) else (core, None)
    traced: Any = inner
    weights, lengths = trained_weights(core, supervised), batch.lengths
    longest = int(lengths.max())
    reading = Reading(supervised, batch, width)
    begin = torch.zeros(len(batch), 1, dtype=torch.int64)
    with one_mask([supervised]):
        state, loss, gradients = read_through(core, batch, reading, WindowPlan(begin, begin), weights)
        of_traced = [[torch.zeros_like(weight) for weight in layer] for layer in traced.traced_weights(below)]
        carried: list[Trace] = []
        for first in range(0, longest, width):
            start, stop = (lengths.clamp(max=end).unsqueeze(1) for end in (first, first + width))
            if reading.asks(start.squeeze(1), stop.squeeze(1)):
                before = map_state(lambda part: part.detach().requires_grad_(), state)
                plan = WindowPlan(start, stop)
                of_state, more, own = piece_gradient(core, batch, reading, plan, before, [], weights)
                gradients, loss = add_gradients(gradients, more), added(loss, own)
                for sums, trace, gradient in zip(of_traced, carried, traced.units(of_state[0]), strict=False):
                    for total, eligible in zip(sums, trace.fresh, strict=True):
                        total += torch.einsum("bn,bn...->n...", gradient, eligible.conj())
            if first + width >= longest:
                break
            with torch.no_grad():
                fresh, state = traced.traces(_features(core, batch, slice(first, first + width)), state, below)
            carried = [new.after(old) for new, old in zip_longest(fresh, carried)]
    with torch.enable_grad():
        made = [weight for layer in traced.traced_weights(below) for weight in layer]
    sums = [total for layer in of_traced for total in layer]
    through = torch.autograd.grad(made, weights, sums, allow_unused=True)
    gradients = add_gradients(gradients, list(through))
    assert loss is not None
    return Loss(with_gradients(loss.total, gradients, weights), loss.count, loss.tally)


def _features(core: nn.Module, batch: SequenceBatch, steps: slice) -> Tensor:
    """What the core, or the projection before it, reads of some steps, zero past the end of each sequence."""
    inputs = batch.inputs[:, steps]
    features = core.features(inputs) if isinstance(core, Encoder) else inputs
    at = torch.arange(inputs.shape[1]) + steps.start
    inside = (at < batch.lengths.unsqueeze(1)).unsqueeze(2).to(features.device)
    return torch.where(inside, features, torch.zeros((), dtype=features.dtype, device=features.device))
