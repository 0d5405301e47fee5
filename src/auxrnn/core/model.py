"""The models: what training, inference and storage need of one, and the recurrent one with its auxiliary objectives."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.config.choices import Gradient, ReadoutKind
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import SequenceBatch
from auxrnn.core.encoder import Encoder, core_sizes
from auxrnn.core.gradients import GRADIENTS, forward_losses, has_traces
from auxrnn.core.objectives import (
    Loss,
    Objective,
    Supervised,
    SupervisedSteps,
    objective_losses,
    output_head,
)
from auxrnn.core.readouts import Moments, Readout
from auxrnn.core.recurrent import detach_state
from auxrnn.core.truncation import MAX_CHUNK, WindowPlan, encode_plans, run_prefix
from auxrnn.errors import InputError
from auxrnn.targets import Target, as_target

LONG_WINDOW = 1024
"""Steps of a window from which on an answer without gradient does not hold its outputs."""


class Classifier(nn.Module, ABC):
    """A network that answers each sequence, or each step: `forward(batch) -> outputs (B, size)`, or (B, T, size).

    Attributes
    ----------
    target : Target
        What the outputs stand for; of a class the logits.
    longest : int or None
        Steps of the longest sequence that it can read; None where any can be read.
    gradient : str
        With "fptt" a training step asks for `losses_forward` in place of `losses`.
    """

    target: Target
    longest: int | None = None
    gradient: Gradient = "truncated"

    @property
    def num_classes(self) -> int:
        """Outputs of the network; for one class a sequence the number of classes."""
        return self.target.size

    @abstractmethod
    def forward(self, batch: SequenceBatch) -> Tensor:
        """Give outputs (B, size), or (B, T, size) where every step has a label."""

    @abstractmethod
    def pieces(self, batch: SequenceBatch) -> Iterator[Tensor]:
        """Yield the outputs of consecutive steps, (B, t, size) each, together (B, T, size), of a label a step."""

    def measured(self, batch: SequenceBatch) -> Loss:
        """Compute the supervised loss on all labels of a batch, in memory that does not depend on its length."""
        return reduce(operator.add, (self.target.loss(*part) for part in self.labelled(batch)))

    def labelled(self, batch: SequenceBatch) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Yield outputs, labels and weights (None: all 1) of all labels; those of steps come piece by piece."""
        if batch.labels is None:
            raise ValueError("Expected a batch with labels to measure the answers by, got none.")
        if not self.target.per_step:
            yield self(batch), batch.labels, batch.weights
            return
        first = 0
        for outputs in self.pieces(batch):
            steps = slice(first, first + outputs.shape[1])
            yield outputs, batch.labels[:, steps], None if batch.weights is None else batch.weights[:, steps]
            first = steps.stop

    @abstractmethod
    def losses(
        self, batch: SequenceBatch, names: Sequence[str], truth_share: float, generator: torch.Generator
    ) -> dict[str, Loss]:
        """Compute the losses of the named objectives with one walk over the batch; see `SequenceClassifier.losses`."""

    def losses_forward(self, batch: SequenceBatch) -> Iterator[Loss]:
        """Yield the supervised loss after each piece of a batch; a model of gradient "fptt" has it."""
        raise NotImplementedError

    @abstractmethod
    def parts(self, names: Sequence[str]) -> list[nn.Module]:
        """List the modules that the losses of the named objectives train."""

    def classifier_parameters(self) -> int:
        """Count the weights that take part in `forward`; auxiliary decoders do not."""
        return sum(weight.numel() for part in self.parts(["supervised"]) for weight in part.parameters())


class SequenceClassifier(Classifier):
    """A recurrent network: encoder, head and auxiliary decoders.

    Parameters
    ----------
    encoder : Encoder
        From raw steps to hidden states.
    num_classes : int or Target
        So many classes, one a sequence; or a `targets.Target` for values, several classes, or a class a step.
    auxiliaries : dict of str to Objective, optional
        Auxiliary losses by name, for example `{"reconstruct": Reconstruction(encoder)}`. They take part in `losses`
        alone.
    bptt : int or None
        Truncation length (K) of the supervised loss, in steps of the core, at least 0; None for full back-propagation.
    gradient : {"truncated", "checkpointed", "exact", "fptt"}
        How the supervised loss has its gradient in `losses`: in the windows of `bptt`, through all steps, or in pieces
        of `bptt` steps; see `gradients`.
    readout : {"last", "stats", "stats-max"}
        What the head reads; see `readouts.Readout`.
    windows : dict, optional
        Options of `objectives.Supervised` for a readout of all steps.
    **head
        Options of `heads.FeedForward`.

    Raises
    ------
    InputError
        For a stem of several raw steps where every step has a label, for a gradient that the core cannot give, and for
        fptt with a label a step.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), figure 1 and section 3.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_classes: int | Target,
        auxiliaries: dict[str, Objective] | None = None,
        *,
        bptt: int | None = 300,
        gradient: Gradient = "truncated",
        readout: ReadoutKind = "last",
        windows: dict[str, Any] | None = None,
        **head: Any,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.target = as_target(num_classes)
        self.supervised: Supervised | SupervisedSteps
        if self.target.per_step:
            if encoder.stride > 1:
                raise InputError(f"Expected stride 1 for a label a step, got {encoder.stride}.")
            head_of_steps = output_head(encoder, self.target.size, **head)
            self.supervised = SupervisedSteps(head_of_steps, bptt=bptt, target=self.target)
        else:
            reads = Readout(readout, core_sizes(encoder, encoder.example())[0])
            own_head = output_head(encoder, self.target.size, reads, **head)
            self.supervised = Supervised(own_head, bptt=bptt, target=self.target, readout=reads, **(windows or {}))
        if gradient == "exact" and not has_traces(encoder):
            raise InputError(f"Expected a core with traces for gradient exact, got {type(encoder.core).__name__}.")
        if gradient == "fptt" and self.target.per_step:
            raise InputError(
                "Expected one label a sequence with gradient fptt, got one a step; take gradient truncated."
            )
        self.gradient = gradient
        self.auxiliaries = nn.ModuleDict(auxiliaries or {})

    def forward(self, batch: SequenceBatch) -> Tensor:
        """Answer each sequence, or each step.

        Parameters
        ----------
        batch : SequenceBatch
            Raw steps; labels are not read.

        Returns
        -------
        Tensor
            Outputs (B, size), with gradient over the last `bptt` steps; of a readout of all steps the gradient stops at
            the head. Of a label a step (B, T, size), with gradient within stretches of `bptt` steps; what lies past a
            sequence's end means nothing.
        """
        if isinstance(self.supervised, SupervisedSteps):
            steps = self.encoder.cut(batch).inputs.shape[1]
            bptt = self.supervised.bptt
            return torch.cat(list(self._stretches(batch, steps if bptt is None else max(bptt, 1))), dim=1)
        batch = self.encoder.cut(batch)
        wanted = self.supervised.totals(batch.lengths)
        if wanted is not None:
            totals = run_prefix(self.encoder, batch.inputs, [], wanted.without_blocks()).totals
            assert totals is not None
            return self.supervised.answer(Moments.of(totals))
        draw = self.supervised.draw(batch.lengths, step_generator(0))
        longest = int((draw.windows.stop - draw.windows.start).max())
        if longest > LONG_WINDOW and not torch.is_grad_enabled():
            stop = draw.windows.stop  # the last step is enough, and memory does not grow with the window
            draw = replace(draw, windows=WindowPlan(stop - 1, stop))
        windows = encode_plans(self.encoder, batch.inputs, [draw.windows])
        return self.supervised.logits(draw, windows[0])

    def pieces(self, batch: SequenceBatch) -> Iterator[Tensor]:
        return self._stretches(batch, MAX_CHUNK)

    def _stretches(self, batch: SequenceBatch, steps: int) -> Iterator[Tensor]:
        """Yield outputs (B, t, size) of stretches of `steps` steps; no gradient goes from one to another."""
        state, batch = None, self.encoder.cut(batch)
        longest = int(batch.lengths.max())
        for first in range(0, longest, steps):
            hidden, state = self.encoder(batch.inputs[:, first : min(first + steps, longest)], state)
            state = detach_state(state)
            yield self.supervised.head(hidden.detach() if self.supervised.bptt == 0 else hidden)

    def losses(
        self, batch: SequenceBatch, names: Sequence[str], truth_share: float, generator: torch.Generator
    ) -> dict[str, Loss]:
        """Compute the losses of the named objectives with one walk over the batch.

        Parameters
        ----------
        batch : SequenceBatch
            With labels where "supervised" is asked for.
        names : sequence of str
            "supervised", or names of `auxiliaries`.
        truth_share : float
            Share of true inputs that a reconstruction decoder is fed, in [0, 1].
        generator : torch.Generator
            On the CPU; see `anchors.step_generator`.

        Returns
        -------
        dict of str to Loss
            By name; `.mean` of each is what a training loop adds up.
        """
        windowed = [name for name in names if name != "supervised" or self.gradient == "truncated"]
        objectives = [self._objective(name) for name in windowed]
        losses = objective_losses(self.encoder, batch, objectives, truth_share, generator) if windowed else []
        found = dict(zip(windowed, losses, strict=True))
        if len(windowed) < len(names):
            found["supervised"] = GRADIENTS[self.gradient](self.encoder, self.encoder.cut(batch), self.supervised)
        return {name: found[name] for name in names}

    def losses_forward(self, batch: SequenceBatch) -> Iterator[Loss]:
        """Yield the supervised loss after each piece of `bptt` steps; see `gradients.forward_losses`."""
        assert isinstance(self.supervised, Supervised)
        return forward_losses(self.encoder, self.encoder.cut(batch), self.supervised)

    def parts(self, names: Sequence[str]) -> list[nn.Module]:
        """List the encoder, and the heads and decoders of the named objectives."""
        return [self.encoder, *(self._objective(name) for name in names)]

    def _objective(self, name: str) -> Objective:
        return self.supervised if name == "supervised" else self.auxiliaries[name]  # type: ignore[return-value]
