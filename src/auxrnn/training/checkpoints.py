"""Checkpoints that survive being killed at any moment: written aside, flushed, renamed; the last two kept.

A run folder's `checkpoints/` holds `phase-P-step-S.ckpt` and, where validation chooses, `best.safetensors`.
"""

from __future__ import annotations

import re
import time
import zipfile
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from auxrnn.files import write_atomically

PATTERN = re.compile(r"phase-(\d+)-step-(\d+)\.ckpt")
KEPT = 2


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's way to disk, made safe against a kill."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        write_atomically(Path(path), lambda aside: torch.save(checkpoint, aside))


def is_whole(path: Path) -> bool:
    """Whether every record of a checkpoint is there and matches its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, ValueError, RuntimeError):
        return False


def find_checkpoints(folder: Path) -> list[tuple[int, int, Path]]:
    """(phase, step, path) of every checkpoint in a folder, the newest first."""
    found = []
    for path in folder.glob("phase-*.ckpt"):
        match = PATTERN.fullmatch(path.name)
        if match:
            found.append((int(match[1]), int(match[2]), path))
    return sorted(found, reverse=True)


class Checkpoints(Callback):
    """Save every `steps` optimiser steps, every `minutes`, at the end of every epoch, and when asked to stop.

    In the middle of an epoch the state is saved after a step. At its last step it is saved after validation instead, so
    that a resumed run never skips or repeats one.
    """

    def __init__(self, folder: Path, phase_index: int, *, steps: int | None, minutes: float | None) -> None:
        self.folder, self.phase_index, self.steps, self.minutes = folder, phase_index, steps, minutes
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            return
        due = self.steps is not None and trainer.global_step % self.steps == 0
        waited = self.minutes is not None and time.monotonic() - self._saved_at >= 60 * self.minutes
        if due or waited:
            self.save(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: L.Trainer) -> Path:
        """Write a checkpoint of this moment and drop all but the last two."""
        path = self.folder / f"phase-{self.phase_index}-step-{trainer.global_step:09d}.ckpt"
        trainer.save_checkpoint(path)
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            for _, _, old in find_checkpoints(self.folder)[KEPT:]:
                old.unlink(missing_ok=True)
        return path
