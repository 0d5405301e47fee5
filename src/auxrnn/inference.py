"""What a trained network says of a whole set of sequences, in bounded memory. Knows nothing of training."""

from __future__ import annotations

import torch
from torch import Tensor

from auxrnn.data.dataset import SequenceData
from auxrnn.model import Classifier

BATCH_SIZE = 256


def batches_by_length(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Indices (b,) of each batch: sequences of like length side by side, so that padding stays low."""
    return list(torch.argsort(lengths, stable=True).split(batch_size))


@torch.no_grad()
def predict_logits(network: Classifier, data: SequenceData, batch_size: int = BATCH_SIZE) -> Tensor:
    """Logits (N, classes) on the CPU, in the order of `data`, with the network in evaluation mode."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    try:
        found = torch.empty(len(data), network.num_classes)
        for indices in batches_by_length(data.lengths, batch_size):
            found[indices] = network(data.batch(indices).to(device)).float().cpu()
    finally:
        network.train(was_training)
    return found


def macro_f1(logits: Tensor, labels: Tensor) -> float:
    """The mean over the classes that occur of 2 * right / (labelled + answered): each class counts alike."""
    classes, answers = logits.shape[1], logits.argmax(1)
    labelled, answered, right = (
        torch.bincount(found, minlength=classes).double() for found in (labels, answers, labels[answers == labels])
    )
    return float((2 * right / (labelled + answered))[labelled + answered > 0].mean())


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows whose largest logit is the label's."""
    return float((logits.argmax(1) == labels).double().mean())
