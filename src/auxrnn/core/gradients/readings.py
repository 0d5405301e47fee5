"""What a supervised loss reads of a sequence, piece by piece.

Where the last output or every step is asked, each piece has the loss of its own steps. A reading of all steps is a
function of few numbers, the moments of all outputs: once their gradient is known, that of the outputs of any piece
follows from the piece alone. Knows nothing of states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.objectives import Loss, Supervised, SupervisedSteps
from auxrnn.core.objectives.supervised import greatest_within, label_loss
from auxrnn.core.readouts import Moments
from auxrnn.core.tiles import Gradients
from auxrnn.core.totals import Totals, TotalsPlan
from auxrnn.targets import UNLABELLED, as_target


@dataclass
class Reading:
    """The reading of one batch by `supervised`, in pieces of `width` steps.

    Parameters
    ----------
    supervised : Supervised or SupervisedSteps
    batch : SequenceBatch
        As the core reads it, with labels.
    width : int
        Steps of a piece.
    """

    supervised: Supervised | SupervisedSteps
    batch: SequenceBatch
    width: int

    @property
    def by_pieces(self) -> bool:
        """Whether the pieces have the whole loss, so that `begin` is not called."""
        return not self.supervised.reads_all

    def asks(self, start: Tensor, stop: Tensor) -> bool:
        """Say whether the loss depends on the outputs of a piece itself; `through` says the shapes."""
        if isinstance(self.supervised, SupervisedSteps) or self.supervised.reads_all:
            return True
        return bool(self._ending(start, stop).any())

    def totals(self) -> TotalsPlan:
        """Say what must be summed up over all steps before `begin`."""
        kind = self.supervised
        top = isinstance(kind, Supervised) and kind.readout is not None and kind.readout.reads_greatest
        return TotalsPlan(self.batch.lengths, self.width, int(top))

    def begin(self, totals: Totals, weights: list[torch.nn.Parameter]) -> tuple[Loss, Gradients]:
        """Compute the loss of a reading of all steps, and the gradient of the weights behind the core.

        Parameters
        ----------
        totals : Totals
            Of all steps.
        weights : list of Parameter
            What the gradient is wanted for.
        """
        assert isinstance(self.supervised, Supervised)
        self.known = totals
        known = Moments.of(totals)
        read = [known.mean, known.square] + ([] if known.greatest is None else [known.greatest])
        read = [part.detach().requires_grad_() for part in read]
        with torch.enable_grad():
            loss = label_loss(self.supervised.answer(Moments(*read)), self.batch, self.supervised.target)
            if self.supervised.anchor_weight:  # the whole sequence is the one window
                loss = replace(loss, total=loss.total * (1 + self.supervised.anchor_weight))
        self.gradients, of_weights = _split(
            torch.autograd.grad(loss.total, [*read, *weights], allow_unused=True), len(read)
        )
        return replace(loss, total=loss.total.detach()), of_weights

    def through(self, outputs: Tensor, start: Tensor, stop: Tensor) -> tuple[Tensor, Loss | None]:
        """Give a number with the loss's gradient through the outputs of a piece, and the loss of the piece if any.

        Parameters
        ----------
        outputs : Tensor
            (B, L, H) of the steps `[start, stop)`, zero behind.
        start, stop : Tensor
            (B,) int64 on the CPU.
        """
        length = stop - start
        if isinstance(self.supervised, SupervisedSteps):
            loss = self._labels(outputs, start, stop)
            return loss.total, replace(loss, total=loss.total.detach())
        if not self.supervised.reads_all:
            rows = self._ending(start, stop).nonzero().squeeze(1)
            if not len(rows):
                return outputs.new_zeros((), requires_grad=True), None
            loss = self._last(outputs, rows, length[rows] - 1)
            return loss.total, replace(loss, total=loss.total.detach())
        each = 1 / self.known.count.to(outputs.device, outputs.dtype).unsqueeze(1)
        mean, square, *greatest = (part.to(outputs.dtype) for part in self.gradients)
        found = (outputs.sum(1) * mean * each).sum() + (outputs.square().sum(1) * square * each).sum()
        if greatest:
            assert self.known.block_of is not None
            here = self.known.block_of == (start // self.width).to(outputs.device).unsqueeze(1)
            here = here & (length > 0).to(outputs.device).unsqueeze(1)
            top = greatest_within(outputs, length.to(outputs.device))
            found = found + torch.where(here, top, 0.0).mul(greatest[0]).sum()
        return found, None

    def _ending(self, start: Tensor, stop: Tensor) -> Tensor:
        """Which sequences have their last step in the piece, (B,)."""
        return (stop == self.batch.lengths) & (stop > start)

    def _last(self, outputs: Tensor, rows: Tensor, last: Tensor) -> Loss:
        """The loss of the sequences `rows` (R,), whose last step of a piece is `last` (R,)."""
        assert self.batch.labels is not None
        own = rows.to(outputs.device)
        logits = self.supervised.head(outputs[own, last.to(outputs.device)])
        weights = None if self.batch.weights is None else self.batch.weights[own]
        return self._loss(logits, self.batch.labels[own], weights)

    def _loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Loss:
        target = as_target(logits.shape[-1]) if self.supervised.target is None else self.supervised.target
        return target.loss(logits, labels, weights)

    def _labels(self, outputs: Tensor, start: Tensor, stop: Tensor) -> Loss:
        """The loss of the labels of the steps of a piece."""
        assert self.batch.labels is not None
        logits = self.supervised.head(outputs)
        at = start.unsqueeze(1) + torch.arange(outputs.shape[1])
        inside = (at < stop.unsqueeze(1)).to(outputs.device)
        at = torch.minimum(at, self.batch.lengths.unsqueeze(1) - 1).to(outputs.device)
        labels = self.batch.labels.gather(1, at).masked_fill(~inside, UNLABELLED)
        weights = None if self.batch.weights is None else self.batch.weights.gather(1, at)
        loss = self._loss(logits, labels, weights)
        return Loss(loss.total, int((labels != UNLABELLED).sum()), loss.tally)


def _split(found: tuple[Tensor | None, ...], first: int) -> tuple[list[Tensor], Gradients]:
    read = [part for part in found[:first] if part is not None]
    assert len(read) == first
    return read, [None if one is None else one.contiguous() for one in found[first:]]
