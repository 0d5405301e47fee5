"""The learning curve: one row an epoch, kept in every checkpoint, so that a resumed run has the same curve."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import torch

from auxrnn.core.objectives import Loss
from auxrnn.storage.files import write_atomically
from auxrnn.targets import Target
from auxrnn.training.ranks import ALONE, Ranks
from auxrnn.training.step import StepLosses, TrainingStep

Row = dict[str, Any]

STATE = ("rows", "seconds", "cpu_seconds", "sums", "tally", "loss_sum", "steps")
"""What a checkpoint keeps of a history."""


def columns(score: str) -> tuple[str, ...]:
    """Of a learning curve by the target's `score`; empty where one does not apply.

    seconds: of training and validation since the start of the run, pauses left out.
    """
    return (
        "phase", "epoch", "step", "loss", "supervised", "reconstruct", "predict", f"train_{score}",
        "validation_loss", f"validation_{score}", "gradient_norm", "lr", "seconds",
    )  # fmt: skip


class History:
    """Collects a row an epoch of the losses and of how `target` scores; writes `path` (CSV) anew after each, whole
    or not at all. No file where path is None.

    Over several ranks every row is of all their sequences, and the same on each of them.
    """

    def __init__(self, target: Target, path: Path | None = None, ranks: Ranks = ALONE) -> None:
        self.target, self.path, self.ranks = target, path, ranks
        self.rows: list[Row] = []
        self.seconds = 0.0
        self.cpu_seconds = 0.0  # of all threads of this process
        self.sums: dict[str, list[float]] = {}  # objective -> [total, count] of the epoch so far
        self.tally: list[float] = []  # of its answers, as the target counts them
        self.loss_sum = 0.0
        self.steps = 0
        self.validation: list[float] = []  # [total, count, tally ...]
        self.start_clock()

    def start_clock(self) -> None:
        """What has passed since the last step was a pause."""
        self._since, self._cpu_since = time.monotonic(), time.process_time()

    def add_step(self, losses: StepLosses) -> None:
        """Count a step of the epoch."""
        self._count_time()
        self.steps += 1
        self.loss_sum += float(losses.value)
        for name, loss in losses.parts.items():
            self.sums[name] = _added(self.sums.get(name, []), [float(loss.total), float(loss.count)])
            if loss.tally is not None:
                self.tally = _added(self.tally, loss.tally.tolist())

    def add_validation(self, loss: Loss) -> None:
        """Count a batch of the validation set."""
        assert loss.tally is not None
        self.validation = _added(self.validation, [float(loss.total), float(loss.count), *loss.tally.tolist()])

    def end_epoch(self, epoch: int, step: TrainingStep, lr: float) -> Row:
        """The row of the epoch, numbered from 1 in its phase; written to the file by the first rank."""
        self._count_time()
        row: Row = {
            "phase": step.phase.name,
            "epoch": epoch,
            "step": step.number,
            "loss": self.loss_sum / max(self.steps, 1),
            "gradient_norm": step.gradient_norm,
            "lr": lr,
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
        if self.path is not None and self.ranks.is_first:
            write_rows(self.path, self.rows, self.target.score)
        return row

    def running(self) -> dict[str, float]:
        """Mean losses and the training score of the epoch so far."""
        found = {name: total / max(count, 1) for name, (total, count) in self.sums.items()}
        if self.tally:
            found[self.target.score] = self._score(self.tally)
        return found

    def _score(self, tally: list[float]) -> float:
        return float(self.target.first_score(torch.tensor(tally, dtype=torch.float64)))

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _count_time(self) -> None:
        now, cpu_now = time.monotonic(), time.process_time()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.cpu_seconds, self._cpu_since = self.cpu_seconds + cpu_now - self._cpu_since, cpu_now


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
