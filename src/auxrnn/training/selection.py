"""Which epoch's weights are kept: the best on the validation split, the first of equals, or the last; the test set has
no say.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from torch import Tensor, nn


class BestEpoch:
    """The best epoch so far with its weights, and how many epochs have passed since.

    Parameters
    ----------
    patience : int, optional
        Epochs without a rise after which training ends early; never when None.
    keep : {"best", "last"}
        "last" follows the score and keeps no weights.
    """

    def __init__(self, patience: int | None = None, *, keep: Literal["best", "last"] = "best") -> None:
        self.patience, self.keep = patience, keep
        self.score = -math.inf
        self.epoch = 0
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None

    @property
    def is_exhausted(self) -> bool:
        return self.patience is not None and self.waited >= self.patience

    def take(self, epoch: int, score: float, model: nn.Module) -> None:
        """Weigh the epoch that has just been validated; epochs count from 1."""
        if self.keep == "last":
            self.score, self.epoch = score, epoch
        elif score > self.score:
            self.score, self.epoch, self.waited = score, epoch, 0
            self.weights = {name: weight.detach().cpu().clone() for name, weight in model.state_dict().items()}
        else:
            self.waited += 1

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("score", "epoch", "waited", "weights")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
