"""Losses of one step each, pure and unreduced: the caller masks, sums and divides; and the sum with what it is over."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Loss:
    """A summed loss, and what it is over.

    Attributes
    ----------
    total : Tensor
        Scalar sum.
    count : int
        Tokens or labels that it is over.
    tally : Tensor, optional
        Sums from which the target's scores follow; None without labels.
    """

    total: Tensor
    count: int
    tally: Tensor | None = None

    @property
    def mean(self) -> Tensor:
        """The mean, `sum_i L_i / sum_i l_i`; 0 for a batch whose sequences are too short to have a token."""
        return self.total / max(self.count, 1)

    def __add__(self, other: Loss) -> Loss:
        tally = None if self.tally is None or other.tally is None else self.tally + other.tally
        return Loss(self.total + other.total, self.count + other.count, tally)


def softmax_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats: logits (..., V), targets (...) integers in 0..V-1 -> (...)."""
    if logits.shape[:-1] != targets.shape:
        raise ValueError(f"Expected targets of shape {tuple(logits.shape[:-1])}, got {tuple(targets.shape)}.")
    flat = functional.cross_entropy(logits.flatten(0, -2), targets.flatten().long(), reduction="none")
    return flat.view(targets.shape)


def pixel_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood in nats of a pixel with independent channels, summed over them.

    logits (..., C, levels), targets (..., C) integers in 0..levels-1 -> (...).
    """
    return softmax_loss(logits, targets).sum(-1)


def squared_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared error summed over channels: predictions and targets (..., C) -> (...)."""
    if predictions.shape != targets.shape:
        raise ValueError(f"Expected targets of shape {tuple(predictions.shape)}, got {tuple(targets.shape)}.")
    return (predictions - targets).square().sum(-1)
