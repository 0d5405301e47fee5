"""Forward propagation through time: a loss after each piece of a sequence, from the state that the piece before left.

The optimiser steps after each loss, and the next piece runs with the new weights from the old state. No gradient goes
from piece to piece; memory is that of one. What holds the weights of these steps together is
`training.dynamic_regulariser`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce

import torch
from torch import Tensor, nn

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.objectives import Loss, Supervised
from auxrnn.core.objectives.supervised import greatest_within
from auxrnn.core.readouts import Moments
from auxrnn.core.recurrent import detach_state, initial_state
from auxrnn.core.truncation import WindowPlan, encode_from
from auxrnn.targets import ClassTarget, as_target


def forward_losses(core: nn.Module, batch: SequenceBatch, supervised: Supervised) -> Iterator[Loss]:
    """Yield the loss after each piece of `supervised.bptt` steps; weights may change before the next is asked for.

    Where a sequence of T steps has run for t of them, its loss is beta = t / T times that of its label and, for
    classes, (1 - beta) / classes times the cross-entropy from the uniform distribution. A readout of all steps reads
    those so far, and its gradient goes through the piece at hand.

    Parameters
    ----------
    core : Module
        A core, or an `Encoder`.
    batch : SequenceBatch
        As the core reads it, with labels.
    supervised : Supervised
        The loss; its `bptt` is at least 1.

    Yields
    ------
    Loss
        Over the sequences that have steps in the piece; its tally is of those that end there.

    References
    ----------
    Kag & Saligrama (2021), "Training recurrent neural networks via forward propagation through time", ICML, PMLR 139.
    The second part is weighed as in the authors' code; the paper counts it whole. The code draws the answer to an
    unfinished sequence to the uniform distribution for 20 epochs, and then to a table by class and piece; we keep to
    the former.
    """
    state = initial_state(core, batch.inputs)
    read: Moments | None = None
    for first in range(0, int(batch.lengths.max()), supervised.block):
        start, stop = (batch.lengths.clamp(max=end) for end in (first, first + supervised.block))  # (B,)
        plan = WindowPlan(start.unsqueeze(1), stop.unsqueeze(1))
        windows = encode_from(core, batch.inputs, [plan], [state])[0]
        state, outputs = detach_state(windows.state), windows.outputs.squeeze(1)  # (B, L, H), zero behind each end
        if supervised.readout is not None and supervised.readout.reads_all:
            read = _sums(outputs, stop - start, read, greatest=supervised.readout.reads_greatest)
            count = stop.to(outputs.device).unsqueeze(1)
            logits = supervised.answer(Moments(read.mean / count, read.square / count, read.greatest))
        else:
            last = (stop - start - 1).clamp(min=0).to(outputs.device)
            logits = supervised.head(outputs[torch.arange(len(last), device=last.device), last])
        yield _loss(logits, batch, start, stop, supervised)


def forward_loss(core: nn.Module, batch: SequenceBatch, supervised: Supervised) -> Loss:
    """Add up the losses after all pieces, with the weights as they are."""
    return reduce(operator.add, forward_losses(core, batch, supervised))


def _sums(outputs: Tensor, length: Tensor, before: Moments | None, *, greatest: bool) -> Moments:
    """Add outputs (B, L, H) to sums, float64, that have no gradient any more; the greatest among them likewise."""
    total, square = outputs.sum(1).double(), outputs.square().sum(1).double()
    top = greatest_within(outputs, length.to(outputs.device)) if greatest else None
    if before is None:
        return Moments(total, square, top)
    if top is not None and before.greatest is not None:
        top = before.greatest.detach().maximum(top)
    return Moments(before.mean.detach() + total, before.square.detach() + square, top)


def _loss(logits: Tensor, batch: SequenceBatch, start: Tensor, stop: Tensor, supervised: Supervised) -> Loss:
    """The loss after the steps `[start, stop)`, (B,), of each sequence; empty where it has ended before."""
    assert batch.labels is not None
    target = as_target(logits.shape[-1]) if supervised.target is None else supervised.target
    beta, there = stop.to(logits) / batch.lengths.to(logits), (stop > start).to(logits)
    weights = there if batch.weights is None else there * batch.weights
    total = target.loss(logits, batch.labels, weights * beta).total
    if isinstance(target, ClassTarget):
        total = total - (weights * (1 - beta) * logits.log_softmax(1).mean(1)).sum() / target.size
    ended = ((stop > start) & (stop == batch.lengths)).nonzero().squeeze(1).to(logits.device)
    tally = target.loss(logits[ended].detach(), batch.labels[ended]).tally
    return Loss(total, int((stop > start).sum()), tally)
