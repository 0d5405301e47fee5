"""What a training runs in: its device, the other ranks, who looks on, where it is saved, who may stop it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from auxrnn.config import TrainingConfig
from auxrnn.core.kernels.lstm import use_backend
from auxrnn.core.model import Classifier
from auxrnn.core.threads import cpu_threads
from auxrnn.errors import InputError
from auxrnn.training.checkpoints import Checkpoints
from auxrnn.training.history import History
from auxrnn.training.interrupt import InterruptedRun, StopSignals
from auxrnn.training.precision import find_device, matmul_precision, usable_precision
from auxrnn.training.progress import ProgressReport
from auxrnn.training.ranks import Ranks, find_ranks, noticing_losses
from auxrnn.training.selection import BestEpoch
from auxrnn.training.watcher import TensorBoardCurve, Watcher


@dataclass
class Surroundings:
    """What all phases of a training have in common."""

    training: TrainingConfig
    ranks: Ranks
    device: torch.device
    precision: str
    history: History
    best: BestEpoch
    watchers: list[Watcher]
    signals: StopSignals
    checkpoints: Checkpoints | None

    @classmethod
    def of(
        cls,
        model: Classifier,
        training: TrainingConfig,
        folder: Path | None,
        watchers: Sequence[Watcher],
        *,
        quiet: bool,
    ) -> Surroundings:
        ranks = find_ranks(training)
        if not ranks.started:
            raise InputError(
                f"Expected {ranks.number} processes for as many devices, got one; `auxrnn train` and torchrun start "
                "them."
            )
        use_backend(model, training.lstm_backend)
        checkpoints, looking = None, [*([] if quiet else [ProgressReport()]), *watchers]
        if folder is not None:
            steps, minutes = training.checkpoint_steps, training.checkpoint_minutes
            checkpoints = Checkpoints(folder / "checkpoints", steps=steps, minutes=minutes)
            looking += [TensorBoardCurve(folder / "tensorboard")] if TensorBoardCurve.is_installed() else []
        device = find_device(training.accelerator, ranks.local)
        return cls(
            training,
            ranks,
            device,
            usable_precision(training.precision, device),
            History(model.target, None if folder is None else folder / "metrics.csv", ranks),
            BestEpoch(training.patience, keep=training.keep),
            looking if ranks.is_first else [],
            StopSignals(speak=ranks.number == 1),  # of several, one may be asked because another has died
            checkpoints,
        )

    @contextmanager
    def at_work(self, model: Classifier, facts: dict[str, Any]) -> Iterator[None]:
        """The model on its device, all ranks there with the same `facts`; afterwards everything as it was."""
        cards = [self.device] if self.device.type == "cuda" else []
        with ExitStack() as stack:
            stack.enter_context(noticing_losses(self.ranks))
            stack.enter_context(warnings.catch_warnings())
            if not self.ranks.is_first:
                warnings.simplefilter("ignore")  # the first warns for all
            stack.enter_context(cpu_threads(self.training.num_threads))
            stack.enter_context(matmul_precision(self.training.matmul_precision))
            stack.enter_context(torch.random.fork_rng(devices=cards))  # every step sets the global generators
            self.ranks.meet(self.device, facts)
            if self.checkpoints is not None:
                stack.enter_context(self.signals.listening())
            for watcher in self.watchers:
                stack.callback(_close, watcher)
            stack.callback(model.cpu)
            self.ranks.share(model.to(self.device))
            yield

    def raise_if_asked(self) -> None:
        """For a moment whose state is saved, and in which every rank comes here."""
        received = self.ranks.highest(self.signals.received)
        if received:
            raise InterruptedRun(received)


def _close(watcher: Watcher) -> None:
    """What ended the training counts more than a watcher that cannot close."""
    try:
        watcher.close()
    except Exception as error:
        warnings.warn(f"{type(watcher).__name__} could not close: {error}", stacklevel=2)
