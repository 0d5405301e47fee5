"""The learning curve: one row an epoch, kept in every checkpoint, so that a resumed run has the same curve."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from auxrnn.errors import InputError
from auxrnn.files import write_atomically
from auxrnn.targets import Target
from auxrnn.training.module import PhaseModule
from auxrnn.training.ranks import ALONE, Ranks

Row = dict[str, Any]

STATE = ("rows", "seconds", "sums", "tally", "loss_sum", "steps")
"""What a checkpoint keeps of a history."""


def columns(score: str) -> tuple[str, ...]:
    """Of a learning curve by the target's `score`; empty where one does not apply.

    seconds: of training and validation since the start of the run, pauses left out.
    """
    return (
        "phase", "epoch", "step", "loss", "supervised", "reconstruct", "predict", f"train_{score}",
        "validation_loss", f"validation_{score}", "gradient_norm", "lr", "seconds",
    )  # fmt: skip


class History(Callback):
    """Collects a row an epoch of the losses and of how `target` scores; writes `path` (CSV) anew after each, whole
    or not at all. No file where path is None.

    Over several ranks every row is of all their sequences, and the same on each of them.
    """

    def __init__(self, target: Target, path: Path | None = None, ranks: Ranks = ALONE) -> None:
        self.target, self.path, self.ranks = target, path, ranks
        self.rows: list[Row] = []
        self.seconds = 0.0
        self.sums: dict[str, list[float]] = {}  # objective -> [total, count] of the epoch so far
        self.tally: list[float] = []  # of its answers, as the target counts them
        self.loss_sum = 0.0
        self.steps = 0
        self.validation: list[float] = []  # [total, count, tally ...]
        self._since = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._count_time()
        self.steps += 1
        self.loss_sum += float(outputs["value"])
        for name, (total, count, tally) in outputs["parts"].items():
            self.sums[name] = _added(self.sums.get(name, []), [float(total), float(count)])
            if tally is not None:
                self.tally = _added(self.tally, tally.tolist())

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validation = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        new = [float(outputs["total"]), float(outputs["count"]), *outputs["tally"].tolist()]
        self.validation = _added(self.validation, new)

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
        row |= {name: total / max(count, 1) for name, (total, count) in self.sums.items()}
        if self.tally:
            row[f"train_{self.target.score}"] = self._score(self.tally)
        # A rank without a sequence to validate has no tally; what all have is known from training.
        total, count, *tally = self.ranks.sum(self.validation or [0.0] * (2 + len(self.tally)))
        if count:
            row["validation_loss"] = total / count
            row[f"validation_{self.target.score}"] = self._score(tally)
        self.rows.append(row)
        self.sums, self.tally, self.loss_sum, self.steps, self.validation = {}, [], 0.0, 0, []
        if self.path is not None and trainer.is_global_zero:
            write_rows(self.path, self.rows, self.target.score)

    def running(self) -> dict[str, float]:
        """Mean losses and the training score of the epoch so far."""
        found = {name: total / max(count, 1) for name, (total, count) in self.sums.items()}
        if self.tally:
            found[self.target.score] = self._score(self.tally)
        return found

    def _score(self, tally: list[float]) -> float:
        return self.target.scores(torch.tensor(tally, dtype=torch.float64))[self.target.score]

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if set(state) != set(STATE):
            raise InputError(
                f"Expected a checkpoint with {', '.join(STATE)} of the epoch so far, got {', '.join(state)}: another "
                "version of auxrnn wrote it. Go on with that version, or train again into a new folder."
            )
        for name, value in state.items():
            setattr(self, name, value)

    def _count_time(self) -> None:
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now


def _added(sums: list[float], new: list[float]) -> list[float]:
    """Entry by entry; nothing so far counts as zeros."""
    return [one + other for one, other in zip(sums, new, strict=True)] if sums else new


def write_rows(path: Path, rows: list[Row], score: str) -> None:
    """The learning curve as CSV, whole or as it was."""

    def write(aside: Path) -> None:
        with open(aside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns(score))
            writer.writeheader()
            writer.writerows(rows)

    write_atomically(path, write)
