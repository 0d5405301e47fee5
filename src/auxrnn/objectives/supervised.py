"""The supervised loss: a head on the last output of each sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.batch import SequenceBatch
from auxrnn.encoder import core_sizes
from auxrnn.heads import FeedForward
from auxrnn.objectives.base import Draw, Loss, Objective, checked_bptt, spec_and_example
from auxrnn.truncation import WindowPlan, Windows


class Supervised(Objective):
    """Cross-entropy of a head on the last output, truncated to the last `bptt` steps.

    0 trains the head alone. head: a module (B, H) -> (B, classes).
    """

    def __init__(self, head: nn.Module, *, bptt: int | None = 300) -> None:
        super().__init__()
        self.head, self.bptt = head, checked_bptt(bptt)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        reach = lengths if self.bptt is None else lengths.clamp(max=max(self.bptt, 1))  # the last output needs a step
        stop = lengths.unsqueeze(1)
        return Draw(WindowPlan(stop - reach.unsqueeze(1), stop))

    def logits(self, draw: Draw, windows: Windows) -> Tensor:
        """(B, classes), from the output of each sequence's own last step."""
        last = (draw.windows.stop - draw.windows.start - 1).squeeze(1).to(windows.outputs.device)  # (B,)
        hidden = windows.outputs[torch.arange(len(last), device=last.device), 0, last]  # (B, H)
        return self.head(hidden.detach() if self.bptt == 0 else hidden)

    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        return label_loss(self.logits(draw, windows), batch)


def label_loss(logits: Tensor, batch: SequenceBatch) -> Loss:
    """Summed cross-entropy of logits (B, classes), each label by its weight. ValueError without labels."""
    if batch.labels is None:
        raise ValueError("Expected a batch with labels for the supervised loss, got none.")
    if batch.weights is None:
        total = functional.cross_entropy(logits, batch.labels, reduction="sum")
    else:
        total = (functional.cross_entropy(logits, batch.labels, reduction="none") * batch.weights).sum()
    return Loss(total, len(batch), (logits.detach().argmax(1) == batch.labels).sum())


def classifier_head(core: nn.Module, num_classes: int, **options: Any) -> FeedForward:
    """The paper's feed-forward head on a core that knows its inputs (an `Encoder`); options go to `FeedForward`."""
    return FeedForward(core_sizes(core, spec_and_example(core, None)[1])[0], num_classes, **options)
