"""The supervised loss of a label a step: a head on every output of a random window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.objectives.base import Draw, Objective, checked_bptt
from auxrnn.core.truncation import WindowPlan, Windows
from auxrnn.targets import UNLABELLED, Target, as_target
from auxrnn.targets.losses import Loss


class SupervisedSteps(Objective):
    """The supervised loss of a label a step: a head on every output of one random window a sequence.

    A window of K = `bptt` steps lies at any place that overlaps the sequence, each as likely, and its ends are cut off.
    So every step is in K of T + K - 1 windows, and a window's sum counts (T + K - 1) / K times: on average over the
    draws the loss is the mean over all labelled steps of the batch. Its cost does not depend on T. Values are exact;
    the gradient goes back to the window's start.

    Parameters
    ----------
    head : Module
        (..., H) -> (..., outputs).
    bptt : int or None
        Steps of the longest window, at least 0. None, or K >= T: all steps. 0 trains the head alone, on one step.
    target : Target, optional
        What the labels (B, T) say, -1 for none; one class a step where None.

    References
    ----------
    The paper is silent on labels for every step; we chose one random window, which costs the same at any length.
    """

    reads_all = False
    """Each label reads its own step's output; see `Supervised.reads_all`."""

    def __init__(self, head: nn.Module, *, bptt: int | None = 300, target: Target | None = None) -> None:
        super().__init__()
        self.head, self.bptt, self.target = head, checked_bptt(bptt), target

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        steps = self._steps(lengths)
        chance = torch.rand(lengths.shape, generator=generator, dtype=torch.float64)
        first = (chance * (lengths + steps - 1)).long() - (steps - 1)  # -(K - 1) .. T - 1
        whole = steps >= lengths
        start = torch.where(whole, 0, first.clamp(min=0))
        stop = torch.where(whole, lengths, torch.minimum(first + steps, lengths))
        return Draw(WindowPlan(start.unsqueeze(1), stop.unsqueeze(1)))

    def loss(self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float) -> Loss:
        if batch.labels is None:
            raise ValueError("Expected a batch with labels for the supervised loss, got none.")
        hidden = windows.outputs.squeeze(1)  # (B, L, H)
        outputs = self.head(hidden.detach() if self.bptt == 0 else hidden)  # (B, L, outputs)
        at = draw.windows.start + torch.arange(outputs.shape[1])  # (B, L)
        inside = (at < draw.windows.stop).to(outputs.device)
        at = torch.minimum(at, batch.lengths.unsqueeze(1) - 1).to(outputs.device)
        labels = batch.labels.gather(1, at).masked_fill(~inside, UNLABELLED)
        factor = self._factor(batch.lengths).to(outputs.device, outputs.dtype).unsqueeze(1)  # (B, 1)
        weights = factor.expand(labels.shape)
        if batch.weights is not None:
            weights = weights * batch.weights.gather(1, at)
        target = as_target(outputs.shape[-1]) if self.target is None else self.target
        found = target.loss(outputs, labels, weights)
        return Loss(found.total, int((batch.labels != UNLABELLED).sum()), found.tally)

    def _steps(self, lengths: Tensor) -> Tensor:
        """Give the steps of each sequence's longest window, (B,)."""
        return lengths if self.bptt is None else torch.full_like(lengths, max(self.bptt, 1))

    def _factor(self, lengths: Tensor) -> Tensor:
        """Give one over the chance of each step to be in the window, (B,)."""
        steps = self._steps(lengths)
        return torch.where(steps >= lengths, 1.0, (lengths + steps - 1).double() / steps)
