"""The answers and scores of a trained network on a whole set of sequences, in bounded memory. Knows no training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from auxrnn.core.batch import batches_by_length
from auxrnn.core.model import Classifier
from auxrnn.sources.dataset import SequenceData

BATCH_SIZE = 256
MOST_STEPS = 2**21
"""Padded steps of a batch of several sequences: long ones are answered a few at a time."""


@torch.no_grad()
def predict_logits(network: Classifier, data: SequenceData, batch_size: int = BATCH_SIZE) -> Tensor:
    """Compute the outputs for each sequence of a set.

    Parameters
    ----------
    network : Classifier
        Put into evaluation mode meanwhile.
    data : SequenceData
        N sequences.
    batch_size : int
        Sequences a batch, at least 1.

    Returns
    -------
    Tensor
        (N, size) float32 on the CPU, in the order of `data`; of a class the logits.
    """
    found = torch.empty(len(data), network.target.size)
    with evaluating(network) as device:
        for indices in batches_by_length(data.lengths, batch_size, MOST_STEPS):
            found[indices] = network(data.batch(indices, lazy=True).to(device)).float().cpu()
    return found


@torch.no_grad()
def predict_steps(
    network: Classifier, data: SequenceData, read: Callable[[Tensor], Tensor], batch_size: int = BATCH_SIZE
) -> list[Tensor]:
    """Compute an answer for every step of each sequence; for a label a step.

    Memory holds the answers, and the outputs of one piece.

    Parameters
    ----------
    network, data, batch_size
        As for `predict_logits`.
    read : callable
        Turns outputs (..., size) into the answer of each step.

    Returns
    -------
    list of Tensor
        (T_i, ...) for each sequence, on the CPU.
    """
    found: list[Tensor] = [torch.empty(0)] * len(data)
    with evaluating(network) as device:
        for indices in batches_by_length(data.lengths, batch_size, MOST_STEPS):
            parts = [read(outputs).cpu() for outputs in network.pieces(data.batch(indices, lazy=True).to(device))]
            whole = torch.cat(parts, dim=1)
            for row, index in enumerate(indices.tolist()):
                found[index] = whole[row, : int(data.lengths[index])].clone()
    return found


@torch.no_grad()
def measure(
    network: Classifier, data: SequenceData, batch_size: int = BATCH_SIZE
) -> tuple[float, dict[str, float], Tensor]:
    """Measure a network on a labelled set.

    Parameters
    ----------
    network, data, batch_size
        As for `predict_logits`; with labels.

    Returns
    -------
    loss : float
        Mean over all labels.
    scores : dict of str to float
        The target's scores, of the sum of all tallies.
    tallies : Tensor
        The tally of each sequence, (N, sums) float64, in the order of `data`.
    """
    total, count = 0.0, 0
    tallies: Tensor | None = None
    target = network.target
    with evaluating(network) as device:
        for indices in batches_by_length(data.lengths, batch_size, MOST_STEPS):
            for outputs, labels, weights in network.labelled(data.batch(indices, lazy=True).to(device)):
                loss, found = target.loss(outputs, labels, weights), target.tallies(outputs, labels).cpu()
                total, count = total + float(loss.total), count + loss.count
                tallies = found.new_zeros(len(data), found.shape[1]) if tallies is None else tallies
                tallies[indices] += found
    assert tallies is not None
    return total / max(count, 1), target.scores(tallies.sum(0)), tallies


@contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Put a network into evaluation mode for a while; give the device of its weights."""
    was_training = network.training
    network.eval()
    try:
        yield next(network.parameters()).device
    finally:
        network.train(was_training)
