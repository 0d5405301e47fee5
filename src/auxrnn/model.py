"""The models: what training, inference and storage need of one, and the recurrent one with its auxiliary objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.anchors import step_generator
from auxrnn.batch import SequenceBatch
from auxrnn.encoder import Encoder
from auxrnn.objectives import Loss, Objective, Supervised, classifier_head, objective_losses
from auxrnn.truncation import encode_plans


class Classifier(nn.Module, ABC):
    """A network that says of each sequence which class it is of: `forward(batch) -> logits (B, classes)`.

    num_classes: how many. longest: steps of the longest sequence that it can read; None where any can be read.
    """

    num_classes: int
    longest: int | None = None

    @abstractmethod
    def forward(self, batch: SequenceBatch) -> Tensor:
        """Logits (B, classes)."""

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

    auxiliaries: objectives by name, for example `{"reconstruct": Reconstruction(encoder)}`; they take part in `losses`
    alone. bptt: truncation of the supervised loss, None for full. head: options of `heads.FeedForward`.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_classes: int,
        auxiliaries: dict[str, Objective] | None = None,
        *,
        bptt: int | None = 300,
        **head: Any,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.supervised = Supervised(classifier_head(encoder, num_classes, **head), bptt=bptt)
        self.auxiliaries = nn.ModuleDict(auxiliaries or {})
        self.num_classes = num_classes

    def forward(self, batch: SequenceBatch) -> Tensor:
        """Logits (B, classes), with gradient over the last `bptt` steps."""
        draw = self.supervised.draw(batch.lengths, step_generator(0))
        windows = encode_plans(self.encoder, batch.inputs, [draw.windows])
        return self.supervised.logits(draw, windows[0])

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
