"""What a trained network says of a whole set of sequences, and how well, in bounded memory. Knows no training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from auxrnn.model import Classifier
from auxrnn.sources.dataset import SequenceData

BATCH_SIZE = 256


def batches_by_length(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Indices (b,) of each batch: sequences of like length side by side, so that padding stays low."""
    return list(torch.argsort(lengths, stable=True).split(batch_size))


@torch.no_grad()
def predict_logits(network: Classifier, data: SequenceData, batch_size: int = BATCH_SIZE) -> Tensor:
    """Outputs (N, size) on the CPU, of a class the logits, in the order of `data`; the network in evaluation mode."""
    found = torch.empty(len(data), network.target.size)
    with evaluating(network) as device:
        for indices in batches_by_length(data.lengths, batch_size):
            found[indices] = network(data.batch(indices).to(device)).float().cpu()
    return found


@torch.no_grad()
def predict_steps(
    network: Classifier, data: SequenceData, read: Callable[[Tensor], Tensor], batch_size: int = BATCH_SIZE
) -> list[Tensor]:
    """What `read` makes of the outputs (..., size) of every step, (T_i, ...) for each sequence, on the CPU.

    For a label a step. Memory holds what `read` gives, and the outputs of one piece.
    """
    found: list[Tensor] = [torch.empty(0)] * len(data)
    with evaluating(network) as device:
        for indices in batches_by_length(data.lengths, batch_size):
            parts = [read(outputs).cpu() for outputs in network.pieces(data.batch(indices).to(device))]
            whole = torch.cat(parts, dim=1)
            for row, index in enumerate(indices.tolist()):
                found[index] = whole[row, : int(data.lengths[index])].clone()
    return found


@torch.no_grad()
def measure(
    network: Classifier, data: SequenceData, batch_size: int = BATCH_SIZE
) -> tuple[float, dict[str, float], Tensor]:
    """The mean loss on a labelled set, the target's scores, and the tally of each sequence, (N, sums), in their order.

    The scores are those of the tallies' sum.
    """
    total, count = 0.0, 0
    tallies: Tensor | None = None
    target = network.target
    with evaluating(network) as device:
        for indices in batches_by_length(data.lengths, batch_size):
            for outputs, labels, weights in network.labelled(data.batch(indices).to(device)):
                loss, found = target.loss(outputs, labels, weights), target.tallies(outputs, labels).cpu()
                total, count = total + float(loss.total), count + loss.count
                tallies = found.new_zeros(len(data), found.shape[1]) if tallies is None else tallies
                tallies[indices] += found
    assert tallies is not None
    return total / max(count, 1), target.scores(tallies.sum(0)), tallies


@contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """The network in evaluation mode, as before afterwards; where its weights are."""
    was_training = network.training
    network.eval()
    try:
        yield next(network.parameters()).device
    finally:
        network.train(was_training)
