"""What the auxiliary objectives share: the raw steps that they reproduce, and the sum of their token losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.encoder import CELLS
from auxrnn.core.heads import StepHead
from auxrnn.targets.losses import Loss


def cell_of(core: nn.Module) -> str:
    """The decoder's cell: the core's own where it is one of torch's, else an LSTM."""
    inner = getattr(core, "core", core)
    return next((name for name, kind in CELLS.items() if isinstance(inner, kind)), "lstm")


def steps_at(batch: SequenceBatch, at: Tensor) -> Tensor:
    """Take the raw steps at positions (B, n, l), as (B * n, l, ...).

    Positions past a sequence's end give its last step, to be masked. The padding is never read: whatever stands there,
    NaN included, changes no gradient.
    """
    at = torch.minimum(at, batch.lengths.view(-1, 1, 1) - 1).to(batch.steps.device)
    rows = torch.arange(len(at), device=at.device).view(-1, 1, 1)
    return batch.steps[rows, at].flatten(0, 1)


def token_loss(head: StepHead, outputs: Tensor, targets: Tensor, length: Tensor) -> Loss:
    """Sum the token loss over all rows, up to each row's length (R,)."""
    losses = head.loss(outputs, targets)  # (R, l)
    inside = torch.arange(losses.shape[1]) < length.unsqueeze(1)
    return Loss(losses.masked_fill(~inside.to(losses.device), 0.0).sum(), int(length.sum()))


def no_tokens(module: nn.Module) -> Loss:
    """Give a loss over no tokens: a zero that reaches every parameter, so that a step of the optimiser still works."""
    return Loss(torch.stack([parameter.sum() for parameter in module.parameters()]).sum() * 0.0, 0)
