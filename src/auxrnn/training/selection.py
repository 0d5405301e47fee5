"""Which epoch's weights are kept: the best on the validation split, the first of equals, or the last; the test set has
no say.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from auxrnn.training.history import History
from auxrnn.training.module import PhaseModule


class BestModel(Callback):
    """Keeps the weights of the best epoch, in every checkpoint too, and stops early where `patience` says so.

    Reads the row that `History` has just written, so it comes after it in the list of callbacks.
    """

    def __init__(
        self, history: History, patience: int | None = None, *, keep: Literal["best", "last"] = "best"
    ) -> None:
        self.history, self.patience, self.keep = history, patience, keep
        self.score = -math.inf
        self.epoch = 0
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_if_exhausted(trainer)  # a run killed after its last epoch is not taken further

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, PhaseModule)
        score = self.history.rows[-1].get(f"validation_{self.history.target.score}")
        if score is None:
            return
        if self.keep == "last":
            self.score, self.epoch = score, trainer.current_epoch + 1
            return
        if score > self.score:
            self.score, self.epoch, self.waited = score, trainer.current_epoch + 1, 0
            pl_module.check_weights()
            self.weights = {
                name: weight.detach().cpu().clone() for name, weight in pl_module.model.state_dict().items()
            }
        else:
            self.waited += 1
        self._stop_if_exhausted(trainer)

    def _stop_if_exhausted(self, trainer: L.Trainer) -> None:
        if self.patience is not None and self.waited >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        names = ("score", "epoch", "waited", "weights")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
