"""Which epoch's weights are kept: the best on the validation split, the first of equals; the test set has no say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import safetensors.torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from auxrnn.files import write_atomically
from auxrnn.training.history import History
from auxrnn.training.module import PhaseModule


class BestModel(Callback):
    """Keeps the weights of the best epoch, in `path` or in memory, and stops early where `patience` says so.

    Reads the row that `History` has just written, so it comes after it in the list of callbacks.
    """

    def __init__(self, history: History, path: Path | None = None, patience: int | None = None) -> None:
        self.history, self.path, self.patience = history, path, patience
        self.accuracy = -1.0
        self.epoch = 0
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_if_exhausted(trainer)  # a run killed after its last epoch is not taken further

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, PhaseModule)
        accuracy = self.history.rows[-1].get("validation_accuracy")
        if accuracy is None:
            return
        if accuracy > self.accuracy:
            self.accuracy, self.epoch, self.waited = accuracy, trainer.current_epoch + 1, 0
            self._keep(trainer, pl_module)
        else:
            self.waited += 1
        self._stop_if_exhausted(trainer)

    def _keep(self, trainer: L.Trainer, module: PhaseModule) -> None:
        module.check_weights()
        weights = {name: weight.detach().cpu().clone() for name, weight in module.model.state_dict().items()}
        if self.path is None:
            self.weights = weights
        elif trainer.is_global_zero:
            write_atomically(self.path, lambda aside: safetensors.torch.save_file(weights, aside))

    def best_weights(self) -> dict[str, Tensor] | None:
        """The kept weights, or None where nothing was validated."""
        if self.epoch == 0:
            return None
        return self.weights if self.path is None else safetensors.torch.load_file(self.path)

    def _stop_if_exhausted(self, trainer: L.Trainer) -> None:
        if self.patience is not None and self.waited >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "epoch": self.epoch, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.accuracy, self.epoch, self.waited = state["accuracy"], state["epoch"], state["waited"]
