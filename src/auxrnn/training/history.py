"""The learning curve: one row an epoch, kept in every checkpoint, so that a resumed run has the same curve."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from auxrnn.files import write_atomically
from auxrnn.training.module import PhaseModule
from auxrnn.training.ranks import ALONE, Ranks

Row = dict[str, Any]

COLUMNS = (
    "phase", "epoch", "step", "loss", "supervised", "reconstruct", "predict", "train_accuracy",
    "validation_loss", "validation_accuracy", "gradient_norm", "lr", "seconds",
)  # fmt: skip
"""seconds: of training and validation since the start of the run, pauses left out. Empty where it does not apply."""


class History(Callback):
    """Collects a row an epoch; writes `path` (CSV) anew after each, whole or not at all. No file where path is None.

    Over several ranks every row is of all their sequences, and the same on each of them.
    """

    def __init__(self, path: Path | None = None, ranks: Ranks = ALONE) -> None:
        self.path, self.ranks = path, ranks
        self.rows: list[Row] = []
        self.seconds = 0.0
        self.sums: dict[str, list[float]] = {}  # objective -> [total, count, correct] of the epoch so far
        self.loss_sum = 0.0
        self.steps = 0
        self.validation: dict[str, float] = {}
        self._since = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._count_time()
        self.steps += 1
        self.loss_sum += float(outputs["value"])
        for name, (total, count, correct) in outputs["parts"].items():
            sums = self.sums.setdefault(name, [0.0, 0.0, 0.0])
            for index, value in enumerate((total, count, 0 if correct is None else correct)):
                sums[index] += float(value)

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validation = {"total": 0.0, "correct": 0.0, "count": 0.0}

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        for name in self.validation:
            self.validation[name] += float(outputs[name])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, PhaseModule)
        self._count_time()
        row: Row = {
            "phase": pl_module.phase.name,
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "loss": self.loss_sum / max(self.steps, 1),
            "gradient_norm": pl_module.gradient_norm,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(self.seconds, 3),
        }
        for name, (total, count, correct) in self.sums.items():
            row[name] = total / max(count, 1)
            if name == "supervised":
                row["train_accuracy"] = correct / max(count, 1)
        total, correct, count = self.ranks.sum([self.validation.get(key, 0.0) for key in ("total", "correct", "count")])
        if count:
            row["validation_loss"] = total / count
            row["validation_accuracy"] = correct / count
        self.rows.append(row)
        self.sums, self.loss_sum, self.steps, self.validation = {}, 0.0, 0, {}
        if self.path is not None and trainer.is_global_zero:
            write_rows(self.path, self.rows)

    def running(self) -> dict[str, float]:
        """Mean losses and training accuracy of the epoch so far."""
        found = {name: total / max(count, 1) for name, (total, count, _) in self.sums.items()}
        if "supervised" in self.sums:
            _, count, correct = self.sums["supervised"]
            found["accuracy"] = correct / max(count, 1)
        return found

    def state_dict(self) -> dict[str, Any]:
        names = ("rows", "seconds", "sums", "loss_sum", "steps")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _count_time(self) -> None:
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now


def write_rows(path: Path, rows: list[Row]) -> None:
    """The learning curve as CSV, whole or as it was."""

    def write(aside: Path) -> None:
        with open(aside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    write_atomically(path, write)
