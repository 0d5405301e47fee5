"""Stopping on request: SIGINT and SIGTERM let the step at hand finish, save, and leave."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from auxrnn.training.checkpoints import Checkpoints
from auxrnn.training.module import PhaseModule
from auxrnn.training.ranks import ALONE, Ranks

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptedRun(RuntimeError):  # noqa: N818 - it went as asked
    """The run was asked to stop, and its state is saved. `signum`: the signal that asked."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


class StopOnSignal(Callback):
    """Saves a checkpoint at the next safe moment after a signal, then raises `InterruptedRun`.

    One serves all phases, so that a signal between two of them is not lost. A second signal does what it would have
    done without this. Comes after `Checkpoints` in the list of callbacks. Over several ranks all of them stop at the
    same step, whichever has got the signal.
    """

    def __init__(self, checkpoints: Checkpoints, ranks: Ranks = ALONE) -> None:
        self.checkpoints, self.ranks = checkpoints, ranks
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals from here to the end of the block; they reach the main thread only."""
        if threading.current_thread() is threading.main_thread():
            self._before = {signum: signal.signal(signum, self._receive) for signum in SIGNALS}
        try:
            yield
        finally:
            self._give_back()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.ranks.number > 1:  # Lightning's answer waits for the other ranks, in the middle of anything
            trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for signum in self._before:  # Lightning has put its own answer to SIGTERM in front
            signal.signal(signum, self._receive)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self._give_back()
        if self.received is not None:  # Lightning's own restoring has brought this back
            signal.raise_signal(signum)
            return
        self.received = signum
        if self.ranks.is_first:  # past Python's buffers: a print at hand may be what the signal has interrupted
            os.write(2, f"\n{signal.Signals(signum).name}: finishing this step and saving ...\n".encode())

    def _give_back(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def raise_if_asked(self) -> None:
        """For a moment whose state is saved, and in which every rank comes here."""
        received = self.ranks.highest(self.received or 0)
        if received:
            raise InterruptedRun(received)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, PhaseModule)
        pl_module.wishes["stop"] = self.received is not None

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, PhaseModule)
        asked = self.received is not None if self.ranks.number == 1 else pl_module.wishes["stop"]
        if asked and not trainer.is_last_batch:
            self.checkpoints.save(trainer)
            self.raise_if_asked()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.raise_if_asked()  # Checkpoints has just saved
