"""Full back-propagation through time in memory that grows with the root of the length.

The sequences run once without gradient; only states about sqrt(T) steps apart are kept. Then the pieces between them
run again, the last first, each with gradient from its state, and hand the gradient of that state on to the one before.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.gradients.readings import Reading
from auxrnn.core.heads import one_mask
from auxrnn.core.objectives import Loss, Supervised, SupervisedSteps
from auxrnn.core.objectives.base import trained_weights
from auxrnn.core.recurrent import State, map_state, select_rows, state_tensors
from auxrnn.core.tiles import Gradients, add_gradients, with_gradients
from auxrnn.core.truncation import WindowPlan, encode_from, run_prefix


def checkpointed_loss(
    core: nn.Module, batch: SequenceBatch, supervised: Supervised | SupervisedSteps, width: int | None = None
) -> Loss:
    """Compute the supervised loss with its gradient through all steps.

    Value and gradient are those of plain back-propagation through the whole sequences, up to rounding. Each step runs
    forward twice and backward once.

    Parameters
    ----------
    core : Module
        A core, or an `Encoder`.
    batch : SequenceBatch
        As the core reads it, with labels.
    supervised : Supervised or SupervisedSteps
        The loss; its own truncation is not looked at.
    width : int, optional
        Steps of a piece, at least 1; the root of the longest length where None, which keeps least.

    Returns
    -------
    Loss
        Its gradients are computed already; `backward` hands them on.

    References
    ----------
    Chen, Xu, Zhang & Guestrin (2016), "Training deep nets with sublinear memory cost", arXiv 1604.06174; for recurrent
    networks Gruslys, Munos, Danihelka, Lanctot & Graves (2016), arXiv 1606.03401.
    """
    lengths, weights = batch.lengths, trained_weights(core, supervised)
    longest = int(lengths.max())
    width = width or math.isqrt(longest - 1) + 1
    starts = torch.minimum(torch.arange(0, longest, width), lengths.unsqueeze(1))  # (B, pieces)
    stops = torch.minimum(starts + width, lengths.unsqueeze(1))
    reading = Reading(supervised, batch, width)
    later: list[Tensor] = []
    rows = torch.arange(len(batch)) * starts.shape[1]
    with one_mask([supervised]):
        states, loss, gradients = read_through(core, batch, reading, WindowPlan(starts, stops), weights)
        for piece in reversed(range(starts.shape[1])):
            before = map_state(lambda part: part.detach().requires_grad_(), select_rows(states, rows + piece))
            plan = WindowPlan(starts[:, piece : piece + 1], stops[:, piece : piece + 1])
            later, more, own = piece_gradient(core, batch, reading, plan, before, later, weights)
            gradients, loss = add_gradients(gradients, more), added(loss, own)
    assert loss is not None
    return Loss(with_gradients(loss.total, gradients, weights), loss.count, loss.tally)


def added(loss: Loss | None, own: Loss | None) -> Loss | None:
    """Sum two losses, where there are two."""
    return own if loss is None else loss if own is None else loss + own


def read_through(
    core: nn.Module, batch: SequenceBatch, reading: Reading, pieces: WindowPlan, weights: list[nn.Parameter]
) -> tuple[State, Loss | None, Gradients]:
    """Run all steps without gradient: the states before the pieces, the loss, and the gradients behind the core.

    There is no loss yet where the pieces have it; then no step is run behind the start of the last piece.
    """
    with torch.no_grad():
        prefix = run_prefix(core, batch.inputs, [pieces], None if reading.by_pieces else reading.totals())
    torch.clear_autocast_cache()
    if prefix.totals is None:
        return prefix.states[0], None, [None] * len(weights)
    return prefix.states[0], *reading.begin(prefix.totals, weights)


def piece_gradient(
    core: nn.Module,
    batch: SequenceBatch,
    reading: Reading,
    plan: WindowPlan,
    before: State,
    later: list[Tensor],
    weights: list[nn.Parameter],
) -> tuple[list[Tensor], Gradients, Loss | None]:
    """Back-propagate through one piece of every sequence.

    Parameters
    ----------
    plan : WindowPlan
        The piece, one window a sequence.
    before : State
        Before the piece; its tensors want a gradient.
    later : list of Tensor
        The gradient of the state behind the piece, tensor by tensor; empty for none.

    Returns
    -------
    list of Tensor
        The gradient of the state before the piece.
    Gradients
        Of the weights.
    Loss or None
        Of the piece's own labels.
    """
    with torch.enable_grad():
        windows = encode_from(core, batch.inputs, [plan], [before])[0]
        total, loss = reading.through(windows.outputs.squeeze(1), plan.start.squeeze(1), plan.stop.squeeze(1))
        for part, gradient in zip(state_tensors(windows.state), later, strict=False):
            total = total + (part * gradient).sum()
    parts = state_tensors(before)
    found = torch.autograd.grad(total, [*parts, *weights], allow_unused=True)
    torch.clear_autocast_cache()  # weights cast for this piece belong to its graph, which is gone
    own = [torch.zeros_like(part) if one is None else one for part, one in zip(parts, found, strict=False)]
    return own, [None if one is None else one.contiguous() for one in found[len(parts) :]], loss
