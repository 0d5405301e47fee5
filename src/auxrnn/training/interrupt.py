"""Stopping on request: SIGINT and SIGTERM let the step at hand finish, save, and leave."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from auxrnn.training.checkpoints import Checkpoints

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptedRun(RuntimeError):
    """The run was asked to stop, and its state is saved. `signum`: the signal that asked."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


class StopOnSignal(Callback):
    """Saves a checkpoint at the next safe moment after a signal, then raises `InterruptedRun`.

    A second signal does what it would have done without this. Comes after `Checkpoints` in the list of callbacks.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {signum: signal.signal(signum, self._receive) for signum in SIGNALS}

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self.received = signum
        self._restore()
        print(f"\n{signal.Signals(signum).name}: finishing this step and saving ...", flush=True)

    def _restore(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.received is not None and not trainer.is_last_batch:
            self.checkpoints.save(trainer)
            raise InterruptedRun(self.received)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.received is not None:  # Checkpoints has just saved
            raise InterruptedRun(self.received)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if threading.current_thread() is threading.main_thread():
            self._restore()
