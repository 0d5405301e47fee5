"""Who may look on while a network is trained, and when: loggers, reports, callables of one's own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auxrnn.training.history import History
from auxrnn.training.step import TrainingStep


class Watcher:
    """Called at four moments of a training, by the first rank alone; override what you want to hear of.

    ```python
    class Log(Watcher):
        def epoch_ends(self, step, history):
            row = {name: value for name, value in history.rows[-1].items() if isinstance(value, float)}
            mlflow.log_metrics(row, len(history.rows))  # epochs of all phases
    ```
    `step.model` is the network, `step.phase` the phase, `step.number` the steps done in it.
    """

    def phase_begins(self, step: TrainingStep, history: History, steps: int) -> None:
        """Before the first step of a phase of `steps`, also of one that is resumed."""

    def step_ends(self, step: TrainingStep, history: History) -> None:
        """After each step; `history.running()` tells of the epoch so far."""

    def epoch_ends(self, step: TrainingStep, history: History) -> None:
        """After validation; the epoch's row is `history.rows[-1]`."""

    def close(self) -> None:
        """At the end, whatever ended the training."""


class TensorBoardCurve(Watcher):
    """Writes each row of the history as scalars into `folder`, by epoch of the phase: `train/validation_accuracy`, ...

    A resumed run goes on in a new event file beside the old one, from its own epoch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    @staticmethod
    def is_installed() -> bool:
        return find_spec("tensorboard") is not None

    def epoch_ends(self, step: TrainingStep, history: History) -> None:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder))
        row = history.rows[-1]
        for name, value in row.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{row['phase']}/{name}", value, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
