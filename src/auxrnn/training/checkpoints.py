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

import torch

from auxrnn.errors import InputError
from auxrnn.storage.files import write_atomically

PATTERN = re.compile(r"phase-(\d+)-step-(\d+)\.ckpt")
KEPT = 2
DIGEST = hashlib.sha256().digest_size  # bytes of checksum behind what torch wrote, which torch does not mind
FORMAT = "auxrnn-checkpoint"
VERSION = 3
EARLIER = "pytorch-lightning_version"
"""An entry of the checkpoints of earlier versions."""


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write numbers and plain values with a checksum, whole or not at all."""

    def write(aside: Path) -> None:
        torch.save({FORMAT: VERSION, **content}, aside)
        with open(aside, "rb+") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0, os.SEEK_END)
            file.write(digest)

    write_atomically(path, write)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` has written, on the CPU. InputError for anything else; no code is run."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: expected a checkpoint of numbers and plain values, found one that may carry code; refused."
        ) from error
    except Exception as error:  # torch raises whatever happens to it
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk, not the file
        raise InputError(f"{path}: expected a checkpoint of a training, found another file: {error}") from error
    if isinstance(content, dict) and (EARLIER in content or content.get(FORMAT, VERSION) != VERSION):
        raise InputError(
            f"{path}: expected a checkpoint of this version of auxrnn, found one that another version wrote. Go on "
            "with that version, or train again into a new folder."
        )
    if not isinstance(content, dict) or FORMAT not in content:
        raise InputError(f"{path}: expected a checkpoint of a training, found another file.")
    return content


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


class Checkpoints:
    """The checkpoints of one run: due every `steps` optimiser steps and every `minutes`, the newest two kept."""

    def __init__(self, folder: Path, *, steps: int | None, minutes: float | None) -> None:
        self.folder, self.steps, self.minutes = folder, steps, minutes
        self._saved_at = time.monotonic()

    def is_due(self, step: int) -> bool:
        """By the number of steps, which every rank knows."""
        return self.steps is not None and step % self.steps == 0

    def is_late(self) -> bool:
        """By the clock, which each rank has for itself."""
        return self.minutes is not None and time.monotonic() - self._saved_at >= 60 * self.minutes

    def save(self, phase: int, step: int, content: dict[str, Any]) -> Path:
        """Write a checkpoint and keep one older one; newer ones are of a future given up."""
        path = self.folder / f"phase-{phase}-step-{step:09d}.ckpt"
        save_checkpoint(path, content)
        self.restart_clock()
        found = find_checkpoints(self.folder)
        kept = [other for at, done, other in found if (at, done) <= (phase, step)][:KEPT]
        for _, _, other in found:
            if other not in kept:
                other.unlink(missing_ok=True)
        return path

    def restart_clock(self) -> None:
        """A checkpoint has been written, here or by the first rank."""
        self._saved_at = time.monotonic()
