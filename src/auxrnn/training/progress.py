"""What a person sees of a training: a bar on a terminal, plain lines elsewhere (a bar leaves nothing in a log)."""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from auxrnn.training.history import History
from auxrnn.training.module import PhaseModule

LINE_EVERY = 30.0  # seconds between plain lines within an epoch


class ProgressReport(Callback):
    """Loss terms, score, steps a second and remaining time of the phase. Comes after `History` in the callbacks."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.bar: Any = None
        self.task: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self._started, self._first_step, self._last_line = time.monotonic(), trainer.global_step, time.monotonic()
        assert isinstance(pl_module, PhaseModule)
        if sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.table import Column

            def fixed(width: int) -> Column:  # so that a narrow terminal cuts the numbers alone, at their end
                return Column(min_width=width, no_wrap=True)

            self.bar = Progress(
                TextColumn("{task.description}", table_column=fixed(len(pl_module.phase.name))),
                BarColumn(bar_width=8, table_column=fixed(8)),
                TimeRemainingColumn(table_column=fixed(7)),
                TextColumn("{task.fields[numbers]}"),
            )
            self.bar.start()
            self.task = self.bar.add_task(
                pl_module.phase.name, total=pl_module.phase_steps, completed=trainer.global_step, numbers=""
            )

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, PhaseModule)
        if self.bar is not None:
            running = self.history.running()
            score = self.history.target.score
            names = {"supervised": "loss", score: score}  # before the auxiliary losses: 80 columns are few
            first = {name: running.pop(key) for key, name in names.items() if key in running}
            numbers = f"{self._speed(trainer):.3g} steps/s {_numbers({**first, **running}, digits=3)}"
            self.bar.update(self.task, completed=trainer.global_step, numbers=numbers)
        elif time.monotonic() - self._last_line >= LINE_EVERY:
            self._line(trainer, pl_module, f"step {trainer.global_step}", self.history.running())

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, PhaseModule)
        row = self.history.rows[-1]
        score = self.history.target.score
        shown = ("supervised", "reconstruct", "predict", f"train_{score}", f"validation_{score}")
        self._line(trainer, pl_module, f"epoch {row['epoch']}", {name: row[name] for name in shown if name in row})

    def _line(self, trainer: L.Trainer, module: PhaseModule, where: str, values: dict[str, float]) -> None:
        self._last_line = time.monotonic()
        speed = self._speed(trainer)
        left = (module.phase_steps - trainer.global_step) / speed if speed else 0
        text = (
            f"{module.phase.name} {where}/{module.phase.epochs if where.startswith('epoch') else module.phase_steps}  "
            f"{_numbers(values)}  {speed:.3g} steps/s  {_clock(left)} left"
        )
        if self.bar is not None:
            self.bar.console.print(text, highlight=False)
        else:
            print(text, flush=True)

    def _speed(self, trainer: L.Trainer) -> float:
        return (trainer.global_step - self._first_step) / max(time.monotonic() - self._started, 1e-9)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._close()  # else the terminal would be left without its cursor

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _numbers(values: dict[str, float], digits: int = 4) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {value:.{digits}g}" for name, value in values.items())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
