"""Checkpoints that survive being killed at any moment: written aside, flushed, renamed; the last two kept.

A run folder's `checkpoints/` holds `phase-P-step-S.ckpt`; the weights of the best epoch so far are in it too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import re
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from auxrnn.errors import InputError
from auxrnn.files import write_atomically
from auxrnn.training.module import PhaseModule

PATTERN = re.compile(r"phase-(\d+)-step-(\d+)\.ckpt")
KEPT = 2
DIGEST = hashlib.sha256().digest_size  # bytes of checksum behind what torch wrote, which torch does not mind


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's way to disk, made safe against a kill."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        def write(aside: Path) -> None:
            torch.save(checkpoint, aside)
            with open(aside, "rb+") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
                file.seek(0, os.SEEK_END)
                file.write(digest)

        write_atomically(Path(path), write)

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, location: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Numbers and plain values only, whatever is asked."""
        try:
            checkpoint = super().load_checkpoint(path, map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{path}: expected a checkpoint of numbers and plain values, found one that may carry code; refused."
            ) from error
        except Exception as error:  # torch raises whatever happens to it
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # the disk, not the file
            raise InputError(f"{path}: expected a checkpoint of a training, found another file: {error}") from error
        if not isinstance(checkpoint, dict) or "pytorch-lightning_version" not in checkpoint:
            raise InputError(f"{path}: expected a checkpoint of a training, found another file.")
        return checkpoint


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is as it was written, to the last byte."""
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return False
    return len(content) > DIGEST and hashlib.sha256(content[:-DIGEST]).digest() == content[-DIGEST:]


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
    that a resumed run never skips or repeats one. Over several ranks all take part at the same step, and the first
    writes.
    """

    def __init__(self, folder: Path, *, steps: int | None, minutes: float | None) -> None:
        self.folder, self.steps, self.minutes = folder, steps, minutes
        self._saved_at = time.monotonic()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, PhaseModule)
        if pl_module.ranks.number > 1:
            pl_module.wishes["save"] = self._waited()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            return
        due = self.steps is not None and trainer.global_step % self.steps == 0
        assert isinstance(pl_module, PhaseModule)
        waited = self._waited() if pl_module.ranks.number == 1 else pl_module.wishes["save"]
        if due or waited:
            self.save(trainer)

    def _waited(self) -> bool:
        return self.minutes is not None and time.monotonic() - self._saved_at >= 60 * self.minutes

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: L.Trainer) -> Path:
        """Write a checkpoint of this moment and keep one older one; newer ones are of a future given up."""
        module = trainer.lightning_module
        assert isinstance(module, PhaseModule)
        module.check_weights()
        path = self.folder / f"phase-{module.phase_index}-step-{trainer.global_step:09d}.ckpt"
        trainer.save_checkpoint(path)
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            now = (module.phase_index, trainer.global_step)
            found = find_checkpoints(self.folder)
            kept = [other for phase, step, other in found if (phase, step) <= now][:KEPT]
            for _, _, other in found:
                if other not in kept:
                    other.unlink(missing_ok=True)
        return path
