"""The supervised loss of a label a sequence: a head on the last output of each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.batch import SequenceBatch
from auxrnn.encoder import core_sizes
from auxrnn.heads import FeedForward
from auxrnn.losses import Loss
from auxrnn.objectives.base import Draw, Objective, checked_bptt, spec_and_example
from auxrnn.targets import Target, as_target
from auxrnn.truncation import WindowPlan, Windows


class Supervised(Objective):
    """The target's loss of a head on the last output, truncated to the last `bptt` steps.

    0 trains the head alone. head: a module (B, H) -> (B, outputs). target: what the labels say; one class a sequence,
    and so cross-entropy, where none is given.
    """

    def __init__(self, head: nn.Module, *, bptt: int | None = 300, target: Target | None = None) -> None:
        super().__init__()
        self.head, self.bptt, self.target = head, checked_bptt(bptt), target

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        reach = lengths if self.bptt is None else lengths.clamp(max=max(self.bptt, 1))  # the last output needs a step
        stop = lengths.unsqueeze(1)
        return Draw(WindowPlan(stop - reach.unsqueeze(1), stop))

    def logits(self, draw: Draw, windows: Windows) -> Tensor:
        """(B, outputs), from the output of each sequence's own last step."""
        last = (draw.windows.stop - draw.windows.start - 1).squeeze(1).to(windows.outputs.device)  # (B,)
        hidden = windows.outputs[torch.arange(len(last), device=last.device), 0, last]  # (B, H)
        return self.head(hidden.detach() if self.bptt == 0 else hidden)

    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        return label_loss(self.logits(draw, windows), batch, self.target)


def label_loss(outputs: Tensor, batch: SequenceBatch, target: Target | None = None) -> Loss:
    """The summed loss of outputs (B, outputs), or (B, T, outputs) where every step has a label, each by its weight.

    Cross-entropy where no target is given. ValueError without labels.
    """
    if batch.labels is None:
        raise ValueError("Expected a batch with labels for the supervised loss, got none.")
    target = as_target(outputs.shape[-1]) if target is None else target
    return target.loss(outputs, batch.labels, batch.weights)


def output_head(core: nn.Module, outputs: int, **options: Any) -> FeedForward:
    """The paper's feed-forward head on a core that knows its inputs (an `Encoder`); options go to `FeedForward`."""
    return FeedForward(core_sizes(core, spec_and_example(core, None)[1])[0], outputs, **options)
