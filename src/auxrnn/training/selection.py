"""Which epoch's weights are kept, by the validation split; the test set has no say."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from auxrnn.verdict.judge import fell_back


class Kept(NamedTuple):
    """The epoch whose weights are kept, 0 and None where none was validated; weights None: those that the model has."""

    epoch: int = 0
    score: float | None = None
    weights: dict[str, Tensor] | None = None


class BestEpoch:
    """The best epoch so far with its weights, the first of equals, and how many epochs have passed since.

    Parameters
    ----------
    patience : int, optional
        Epochs without a rise after which training ends early; never when None.
    keep : {"best", "last"}
        "last" keeps the best only where the last has fallen far behind it.
    """

    def __init__(self, patience: int | None = None, *, keep: Literal["best", "last"] = "best") -> None:
        self.patience, self.keep = patience, keep
        self.score = -math.inf
        self.epoch = 0
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None
        self.last = 0, -math.inf, 0  # epoch, score, sequences that were validated

    @property
    def is_exhausted(self) -> bool:
        return self.patience is not None and self.waited >= self.patience

    def take(self, epoch: int, score: float, sequences: int, model: nn.Module) -> None:
        """Weigh the epoch that has just been validated on so many sequences; epochs count from 1."""
        self.last = epoch, score, sequences
        if score > self.score:
            self.score, self.epoch, self.waited = score, epoch, 0
            self.weights = {name: weight.detach().cpu().clone() for name, weight in model.state_dict().items()}
        else:
            self.waited += 1

    def kept(self) -> Kept:
        """What is kept, now that training has ended."""
        epoch, score, sequences = self.last
        if epoch and self.keep == "last" and not fell_back(self.score, score, sequences):
            return Kept(epoch, score)
        return Kept(self.epoch, self.score, self.weights) if self.epoch else Kept()

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("score", "epoch", "waited", "weights", "last")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
