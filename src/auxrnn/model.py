"""The models: what training, inference and storage need of one, and the recurrent one with its auxiliary objectives."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.anchors import step_generator
from auxrnn.batch import SequenceBatch
from auxrnn.config.choices import ReadoutKind
from auxrnn.encoder import Encoder, core_sizes
from auxrnn.errors import InputError
from auxrnn.objectives import (
    Loss,
    Objective,
    Supervised,
    SupervisedSteps,
    objective_losses,
    output_head,
)
from auxrnn.readouts import Moments, Readout
from auxrnn.recurrent import detach_state
from auxrnn.targets import Target, as_target
from auxrnn.truncation import MAX_CHUNK, encode_plans, run_prefix


class Classifier(nn.Module, ABC):
    """A network that answers each sequence, or each step: `forward(batch) -> outputs (B, size)`, or (B, T, size).

    target: what the outputs stand for, of a class the logits. longest: steps of the longest sequence that it can read;
    None where any can be read.
    """

    target: Target
    longest: int | None = None

    @property
    def num_classes(self) -> int:
        """How many outputs it has, for a class a sequence that of the classes."""
        return self.target.size

    @abstractmethod
    def forward(self, batch: SequenceBatch) -> Tensor:
        """Outputs (B, size), or (B, T, size) where every step has a label."""

    @abstractmethod
    def pieces(self, batch: SequenceBatch) -> Iterator[Tensor]:
        """The outputs of consecutive steps, (B, t, size) each, together (B, T, size): for a label a step alone."""

    def measured(self, batch: SequenceBatch) -> Loss:
        """The supervised loss on all labels of a batch, in memory that does not depend on its length."""
        return reduce(operator.add, (self.target.loss(*part) for part in self.labelled(batch)))

    def labelled(self, batch: SequenceBatch) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Outputs, labels and weights (None: all 1) of all labels of a batch, of those of steps piece by piece."""
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
        """The losses of the objectives `names` ("supervised" or an auxiliary's), from one walk over the batch."""

    @abstractmethod
    def parts(self, names: Sequence[str]) -> list[nn.Module]:
        """The modules that the losses of the objectives `names` train."""

    def classifier_parameters(self) -> int:
        """How many weights take part in `forward`; auxiliary decoders are left out."""
        return sum(weight.numel() for part in self.parts(["supervised"]) for weight in part.parameters())


class SequenceClassifier(Classifier):
    """Encoder + head + auxiliary decoders: `forward(batch) -> logits (B, classes)`.

    num_classes: so many classes, one a sequence; or a `targets.Target`, for values, several classes, or a class a step.
    auxiliaries: objectives by name, for example `{"reconstruct": Reconstruction(encoder)}`; they take part in `losses`
    alone. bptt: truncation of the supervised loss, None for full. readout: what the head reads; see `readouts`.
    windows: options of `objectives.Supervised` for a readout of all steps. head: options of `heads.FeedForward`.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_classes: int | Target,
        auxiliaries: dict[str, Objective] | None = None,
        *,
        bptt: int | None = 300,
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
        self.auxiliaries = nn.ModuleDict(auxiliaries or {})

    def forward(self, batch: SequenceBatch) -> Tensor:
        """Outputs (B, size), with gradient over the last `bptt` steps; of a readout of all steps to the head alone.

        Of a label a step (B, T, size), with gradient within stretches of `bptt` steps one after the other; what lies
        past a sequence's end means nothing.
        """
        if isinstance(self.supervised, SupervisedSteps):
            steps = self.encoder.cut(batch).inputs.shape[1]
            bptt = self.supervised.bptt
            return torch.cat(list(self._stretches(batch, steps if bptt is None else max(bptt, 1))), dim=1)
        batch = self.encoder.cut(batch)
        wanted = self.supervised.totals(batch.lengths)
        if wanted is not None:
            totals = run_prefix(self.encoder, batch.inputs, [], wanted).totals
            assert totals is not None
            return self.supervised.answer(Moments.of(totals))
        draw = self.supervised.draw(batch.lengths, step_generator(0))
        windows = encode_plans(self.encoder, batch.inputs, [draw.windows])
        return self.supervised.logits(draw, windows[0])

    def pieces(self, batch: SequenceBatch) -> Iterator[Tensor]:
        return self._stretches(batch, MAX_CHUNK)

    def _stretches(self, batch: SequenceBatch, steps: int) -> Iterator[Tensor]:
        """Outputs (B, t, size) of stretches of `steps` steps; no gradient goes from one to another."""
        state, batch = None, self.encoder.cut(batch)
        for inputs in batch.inputs[:, : int(batch.lengths.max())].split(steps, dim=1):
            hidden, state = self.encoder(inputs, state)
            state = detach_state(state)
            yield self.supervised.head(hidden.detach() if self.supervised.bptt == 0 else hidden)

    def losses(
        self, batch: SequenceBatch, names: Sequence[str], truth_share: float, generator: torch.Generator
    ) -> dict[str, Loss]:
        """The losses of the objectives `names` ("supervised" or an auxiliary's), from one walk over the batch."""
        objectives = [self._objective(name) for name in names]
        found = objective_losses(self.encoder, batch, objectives, truth_share, generator)
        return dict(zip(names, found, strict=True))

    def parts(self, names: Sequence[str]) -> list[nn.Module]:
        """The encoder, and the heads and decoders of the objectives `names`."""
        return [self.encoder, *(self._objective(name) for name in names)]

    def _objective(self, name: str) -> Objective:
        return self.supervised if name == "supervised" else self.auxiliaries[name]  # type: ignore[return-value]
