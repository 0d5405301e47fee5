"""The supervised loss of a label a sequence: a head on the last output, or on statistics of all outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.encoder import core_sizes
from auxrnn.core.heads import FeedForward
from auxrnn.core.objectives.base import Draw, Objective, checked_bptt, spec_and_example
from auxrnn.core.readouts import Moments, Readout
from auxrnn.core.recurrent import State
from auxrnn.core.totals import LOWEST, Totals, TotalsPlan
from auxrnn.core.truncation import WindowPlan, Windows
from auxrnn.targets import Target, as_target
from auxrnn.targets.losses import Loss

UNBOUNDED = 2**62
"""Steps of a block that holds any sequence."""


class Supervised(Objective):
    """The supervised loss of one label a sequence: a head on what a readout gives.

    Readout `last`: the last output, with gradient over the last `bptt` steps.

    Readouts of all steps: a sequence is cut into blocks of `bptt` steps. The value is exact, over all steps. The
    gradient goes through `num_windows` blocks drawn without replacement, or through all where there are no more; each
    step counts 1 / P(its block is drawn). On average over the draws the gradient is that of the plain readout with
    every graph cut at its block's start. The greatest outputs have their gradient through the `top_windows` blocks in
    which most units are greatest.

    Parameters
    ----------
    head : Module
        What the readout gives (B, size) -> (B, outputs).
    bptt : int, optional
        Truncation length (K) in steps of the core, at least 0. None: all of them. 0 trains the head alone.
    target : Target, optional
        What the labels say; one class a sequence, and so cross-entropy, where None.
    readout : Readout, optional
        `last` where None.
    num_windows, top_windows : int
        Blocks a sequence, at least 1, for readouts of all steps.
    anchor_weight : float
        Weight, at least 0, of a second loss: the label asked at the end of each drawn window, of what that window alone
        gives, as a mean over the windows of each sequence.

    Raises
    ------
    ValueError
        For a negative `bptt`.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), section 3, for `last`. Readouts of all steps and labels at anchors are ours.
    """

    def __init__(
        self,
        head: nn.Module,
        *,
        bptt: int | None = 300,
        target: Target | None = None,
        readout: Readout | None = None,
        num_windows: int = 5,
        top_windows: int = 3,
        anchor_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.head, self.bptt, self.target = head, checked_bptt(bptt), target
        self.readout = readout
        self.num_windows, self.top_windows, self.anchor_weight = num_windows, top_windows, anchor_weight

    @property
    def reads_all(self) -> bool:
        """Whether the head reads all steps."""
        return self.readout is not None and self.readout.reads_all

    @property
    def block(self) -> int:
        """Steps of a block: a window of the readouts of all steps."""
        return self.bptt or UNBOUNDED

    def totals(self, lengths: Tensor) -> TotalsPlan | None:
        """Say what is needed of all steps of sequences of `lengths` (B,); None for nothing."""
        if self.readout is None or not self.readout.reads_all:
            return None
        return TotalsPlan(lengths, self.block, self.top_windows if self.readout.reads_greatest else 0)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        if self.reads_all:
            return Draw(self._blocks(lengths, generator), totals=self.totals(lengths))
        reach = lengths if self.bptt is None else lengths.clamp(max=max(self.bptt, 1))  # the last output needs a step
        stop = lengths.unsqueeze(1)
        return Draw(WindowPlan(stop - reach.unsqueeze(1), stop))

    def _blocks(self, lengths: Tensor, generator: torch.Generator) -> WindowPlan:
        """Draw `num_windows` blocks of each sequence, each as likely; empty windows where there are fewer."""
        if self.bptt == 0:
            return WindowPlan(lengths.new_zeros(len(lengths), 1), lengths.new_zeros(len(lengths), 1))
        number = self._number(lengths)
        most = int(number.max())
        if most == 1:
            chosen = torch.zeros(len(lengths), 1, dtype=torch.int64)
        else:
            order = torch.rand(len(lengths), most, generator=generator)
            order = order.masked_fill(torch.arange(most) >= number.unsqueeze(1), 2.0)
            chosen = order.topk(min(self.num_windows, most), dim=1, largest=False).indices
        return self._windows(chosen, lengths, chosen < number.unsqueeze(1))

    def _windows(self, blocks: Tensor, lengths: Tensor, there: Tensor) -> WindowPlan:
        """Give the windows of blocks (B, W), empty where they are not `there`."""
        first = torch.where(there, blocks, 0) * self.block
        stop = torch.minimum(first + self.block, lengths.unsqueeze(1))
        return WindowPlan(first, torch.where(there, stop, first))

    def _block_of(self, windows: WindowPlan) -> Tensor:
        """Give the block of each window, (B, W); -2 for an empty one."""
        return torch.where(windows.stop > windows.start, windows.start // self.block, -2)

    def _number(self, lengths: Tensor) -> Tensor:
        """Count the blocks of each sequence, (B,)."""
        return (lengths + (self.block - 1)) // self.block

    def completed(self, draw: Draw, before: State, totals: Totals | None) -> tuple[Draw, State]:
        """Add the windows that hold the greatest outputs, which are known once a sequence has run.

        Those that were drawn are not run twice.
        """
        if totals is None or totals.blocks is None or self.bptt == 0:
            return draw, before
        assert draw.totals is not None
        drawn = (totals.blocks.unsqueeze(2) == self._block_of(draw.windows).unsqueeze(1)).any(2)  # (B, top)
        plan = self._windows(totals.blocks, draw.totals.lengths, (totals.blocks >= 0) & ~drawn)
        return draw.beside(plan, before, totals.states)

    def logits(self, draw: Draw, windows: Windows) -> Tensor:
        """Give the head's outputs, (B, outputs)."""
        if self.reads_all:
            return self.answer(self._moments(draw, windows))
        last = (draw.windows.stop - draw.windows.start - 1).squeeze(1).to(windows.outputs.device)  # (B,)
        hidden = windows.outputs[torch.arange(len(last), device=last.device), 0, last]  # (B, H)
        return self.head(hidden.detach() if self.bptt == 0 else hidden)

    def answer(self, moments: Moments) -> Tensor:
        """Give the head's outputs (B, outputs) for the moments of all steps."""
        assert self.readout is not None
        return self.head(self.readout(moments))

    def loss(self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float) -> Loss:
        found = label_loss(self.logits(draw, windows), batch, self.target)
        if self.anchor_weight and self.reads_all and self.bptt != 0:
            at_anchors = self._loss_at_anchors(batch, draw, windows)
            found = replace(found, total=found.total + self.anchor_weight * at_anchors.total)
        return found

    def _moments(self, draw: Draw, windows: Windows) -> Moments:
        """Join the known values of all steps with the gradient of the windows."""
        totals = windows.totals
        assert totals is not None
        outputs = windows.outputs  # (B, W, L, H), zero where there is no step
        known = Moments.of(totals)
        if self.bptt == 0:
            return known
        drawn = self._drawn(totals, outputs)
        number = self._number(totals.count).double()
        each = (number / number.clamp(max=drawn) / totals.count).to(outputs.device, outputs.dtype).view(-1, 1)
        seen = outputs[:, :drawn].flatten(1, 2)  # (B, W * L, H)
        mean, square = seen.sum(1) * each, seen.square().sum(1) * each
        greatest = known.greatest
        if greatest is not None:
            greatest = greatest + self._greatest_gradient(draw, totals, outputs)
        return Moments(known.mean + mean - mean.detach(), known.square + square - square.detach(), greatest)

    def _drawn(self, totals: Totals, outputs: Tensor) -> int:
        """Count the windows of outputs (B, W, L, H) that were drawn; the rest hold the greatest outputs."""
        return outputs.shape[1] - (self.top_windows if totals.blocks is not None else 0)

    def _greatest_gradient(self, draw: Draw, totals: Totals, outputs: Tensor) -> Tensor:
        """Give zero, with the gradient of the greatest outputs in the blocks that have most, outputs (B, W, L, H)."""
        assert totals.blocks is not None
        assert totals.block_of is not None
        block = self._block_of(draw.windows)
        top = (block.unsqueeze(2) == totals.blocks.unsqueeze(1)).any(2)  # (B, W)
        own = greatest_within(outputs, (draw.windows.stop - draw.windows.start).to(outputs.device))  # (B, W, H)
        mine = torch.where(top, block, -2).to(outputs.device).unsqueeze(2) == totals.block_of.unsqueeze(1)
        return torch.where(mine, own - own.detach(), 0.0).sum(1)

    def _loss_at_anchors(self, batch: SequenceBatch, draw: Draw, windows: Windows) -> Loss:
        """Ask the label at the end of every drawn window, of what it alone gives; take the mean over each sequence's
        windows.
        """
        totals, outputs = windows.totals, windows.outputs
        assert totals is not None
        assert batch.labels is not None
        drawn = self._drawn(totals, outputs)
        length = (draw.windows.stop - draw.windows.start)[:, :drawn].flatten()  # (B * W,)
        rows = length.nonzero().squeeze(1)
        sequence = (rows // drawn).to(outputs.device)
        own = outputs[:, :drawn].flatten(0, 1)[rows.to(outputs.device)]  # (R, L, H)
        count = length[rows].to(outputs.device, outputs.dtype).unsqueeze(1)
        greatest = None if totals.greatest is None else greatest_within(own, count.squeeze(1))
        moments = Moments(own.sum(1) / count, own.square().sum(1) / count, greatest)
        weights = (1 / sequence.bincount().to(count.dtype))[sequence]
        if batch.weights is not None:
            weights = weights * batch.weights[sequence]
        labels, logits = batch.labels[sequence], self.answer(moments)
        target = as_target(logits.shape[-1]) if self.target is None else self.target
        return target.loss(logits, labels, weights)


def greatest_within(outputs: Tensor, length: Tensor) -> Tensor:
    """Find each unit's greatest output (..., H) over the first `length` (...) steps of (..., L, H)."""
    outside = torch.arange(outputs.shape[-2], device=outputs.device) >= length.unsqueeze(-1)
    return outputs.masked_fill(outside.unsqueeze(-1), LOWEST).amax(-2)


def label_loss(outputs: Tensor, batch: SequenceBatch, target: Target | None = None) -> Loss:
    """Sum the loss over all labels of a batch, each by its weight.

    Parameters
    ----------
    outputs : Tensor
        (B, outputs), or (B, T, outputs) where every step has a label.
    batch : SequenceBatch
        With labels.
    target : Target, optional
        One class a sequence, and so cross-entropy, where None.

    Returns
    -------
    Loss
        The sum, and the number of labels.

    Raises
    ------
    ValueError
        Without labels.
    """
    if batch.labels is None:
        raise ValueError("Expected a batch with labels for the supervised loss, got none.")
    target = as_target(outputs.shape[-1]) if target is None else target
    return target.loss(outputs, batch.labels, batch.weights)


def output_head(core: nn.Module, outputs: int, readout: Readout | None = None, **options: Any) -> FeedForward:
    """Make the paper's feed-forward head on a core that knows its inputs (an `Encoder`).

    Parameters
    ----------
    core : Module
        An `Encoder`.
    outputs : int
        Outputs of the head.
    readout : Readout, optional
        What the head reads; the last output where None.
    **options
        Of `heads.FeedForward`.

    Returns
    -------
    FeedForward
        (B, size of the readout) -> (B, outputs).
    """
    hidden = core_sizes(core, spec_and_example(core, None)[1])[0]
    return FeedForward(hidden if readout is None else readout.size, outputs, **options)
