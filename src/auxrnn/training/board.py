"""The learning curve for TensorBoard, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from auxrnn.training.history import History


class TensorBoardCurve(Callback):
    """Writes each row of the history as scalars into `folder`, by epoch of the phase: `train/validation_accuracy`, ...

    A resumed run goes on in a new event file beside the old one, from its own epoch. Comes after `History`.
    """

    def __init__(self, history: History, folder: Path) -> None:
        self.history, self.folder = history, folder
        self._writer: Any = None

    @staticmethod
    def is_installed() -> bool:
        return find_spec("tensorboard") is not None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder))
        row = self.history.rows[-1]
        for name, value in row.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{row['phase']}/{name}", value, row["epoch"])
        self._writer.flush()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._close()  # Lightning tears nothing down after an error

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
