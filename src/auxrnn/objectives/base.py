"""What an objective is, and the one walk over a batch that serves them all.

```
SequenceBatch -> draw anchors -> windows that the losses need -> prefix without gradient -> all windows in one batched
pass with gradient -> decoders on the anchor states -> token losses
```

`bptt` is the truncation length K in steps of the main network; None is full back-propagation. Knows nothing of phases,
optimisers or epochs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from auxrnn.anchors import Segments, step_generator
from auxrnn.batch import InputSpec, SequenceBatch, as_batch
from auxrnn.recurrent import Core
from auxrnn.truncation import WindowPlan, Windows, encode_plans


@dataclass(frozen=True)
class Draw:
    """What an objective asks of one batch: its windows, and the segments that it drew (None where it draws none)."""

    windows: WindowPlan
    segments: Segments | None = None


@dataclass(frozen=True)
class Loss:
    """A summed loss (scalar), over how many tokens or labels, and how many labels were right (None without labels)."""

    total: Tensor
    count: int
    correct: Tensor | None = None

    @property
    def mean(self) -> Tensor:
        """`sum_i L_i / sum_i l_i`; 0 for a batch whose sequences are too short to have a token to say."""
        return self.total / max(self.count, 1)


class Objective(nn.Module, ABC):
    """A loss on chosen windows of a core's run over a batch."""

    @abstractmethod
    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        """The windows needed for sequences of `lengths` (B,)."""

    @abstractmethod
    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        """The loss from what the core gave on those windows."""

    def forward(
        self,
        core: Core,
        inputs: Tensor | SequenceBatch,
        lengths: Tensor | None = None,
        *,
        truth_share: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The loss in a loop of your own: inputs (B, T, ...) as the core takes them, lengths (B,) where they differ.

        truth_share: share of true inputs that a reconstruction decoder is fed. generator: on the CPU; one drawn from
        torch's global generator where none is given.
        """
        if generator is None:
            generator = step_generator(int(torch.randint(2**62, ())))
        return objective_losses(core, as_batch(inputs, lengths), [self], truth_share, generator)[0].mean


def objective_losses(
    core: Core, batch: SequenceBatch, objectives: Sequence[Objective], truth_share: float, generator: torch.Generator
) -> list[Loss]:
    """One loss an objective, from one prefix and one batched pass over the windows of them all."""
    draws = [objective.draw(batch.lengths, generator) for objective in objectives]
    return losses_of_draws(core, batch, objectives, draws, truth_share, generator)


def losses_of_draws(
    core: Core,
    batch: SequenceBatch,
    objectives: Sequence[Objective],
    draws: Sequence[Draw],
    truth_share: float,
    generator: torch.Generator,
) -> list[Loss]:
    """`objective_losses` where the windows and segments are given."""
    encoded = encode_plans(core, batch.inputs, [draw.windows for draw in draws])
    return [
        objective.loss(batch, draw, windows, truth_share, generator)
        for objective, draw, windows in zip(objectives, draws, encoded, strict=True)
    ]


def spec_and_example(core: nn.Module, spec: InputSpec | None) -> tuple[InputSpec, Tensor]:
    own = getattr(core, "spec", None)
    if own is not None:
        return own, core.example()  # type: ignore[operator]
    if spec is None:
        raise ValueError("Expected spec=InputSpec(kind, size) beside a core that does not know its inputs, got none.")
    weight = next(core.parameters(), torch.zeros(()))
    if spec.kind == "characters":
        return spec, torch.zeros(1, 1, dtype=torch.int64, device=weight.device)
    return spec, weight.new_zeros(1, 1, spec.size)


def checked_bptt(bptt: int | None) -> int | None:
    if bptt is not None and bptt < 0:
        raise ValueError(f"Expected a truncation length of at least 0, or None for full back-propagation, got {bptt}.")
    return bptt
