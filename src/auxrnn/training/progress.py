"""What a person sees of a training: a bar on a terminal, plain lines elsewhere (a bar leaves nothing in a log)."""

from __future__ import annotations

import sys
import time
from typing import Any

from auxrnn.training.history import History
from auxrnn.training.step import TrainingStep
from auxrnn.training.watcher import Watcher

LINE_EVERY = 30.0  # seconds between plain lines within an epoch


class Pace:
    """Steps a second of a phase of `steps`, from where it is begun or gone on with, and the time that is left."""

    def __init__(self, step: TrainingStep, steps: int) -> None:
        self.steps = steps
        self._since, self._first = time.monotonic(), step.number

    def speed(self, step: TrainingStep) -> float:
        return (step.number - self._first) / max(time.monotonic() - self._since, 1e-9)

    def line(self, step: TrainingStep, where: str, values: dict[str, float]) -> str:
        """Where a phase stands, in one line."""
        speed = self.speed(step)
        left = (self.steps - step.number) / speed if speed else 0
        return f"{step.phase.name} {where}  {_numbers(values)}  {speed:.3g} steps/s  {_clock(left)} left"


class ProgressReport(Watcher):
    """Loss terms, score, steps a second and remaining time of the phase."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None

    def phase_begins(self, step: TrainingStep, history: History, steps: int) -> None:
        self.close()
        self.pace, self._last_line = Pace(step, steps), time.monotonic()
        if sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.table import Column

            def fixed(width: int) -> Column:  # so that a narrow terminal cuts the numbers alone, at their end
                return Column(min_width=width, no_wrap=True)

            self.bar = Progress(
                TextColumn("{task.description}", table_column=fixed(len(step.phase.name))),
                BarColumn(bar_width=8, table_column=fixed(8)),
                TimeRemainingColumn(table_column=fixed(7)),
                TextColumn("{task.fields[numbers]}"),
            )
            self.bar.start()
            self.task = self.bar.add_task(step.phase.name, total=steps, completed=step.number, numbers="")

    def step_ends(self, step: TrainingStep, history: History) -> None:
        if self.bar is not None:
            running = history.running()
            score = history.target.score
            names = {"supervised": "loss", score: score}  # before the auxiliary losses: 80 columns are few
            first = {name: running.pop(key) for key, name in names.items() if key in running}
            numbers = f"{self.pace.speed(step):.3g} steps/s {_numbers({**first, **running}, digits=3)}"
            self.bar.update(self.task, completed=step.number, numbers=numbers)
        elif time.monotonic() - self._last_line >= LINE_EVERY:
            self._line(step, f"step {step.number}/{self.pace.steps}", history.running())

    def epoch_ends(self, step: TrainingStep, history: History) -> None:
        row, score = history.rows[-1], history.target.score
        shown = ("supervised", "reconstruct", "predict", f"train_{score}", f"validation_{score}")
        self._line(
            step, f"epoch {row['epoch']}/{step.phase.epochs}", {name: row[name] for name in shown if name in row}
        )

    def close(self) -> None:
        if self.bar is not None:  # else the terminal would be left without its cursor
            self.bar.stop()
            self.bar = None

    def _line(self, step: TrainingStep, where: str, values: dict[str, float]) -> None:
        self._last_line = time.monotonic()
        text = self.pace.line(step, where, values)
        if self.bar is not None:
            self.bar.console.print(text, highlight=False)
        else:
            print(text, flush=True)


def _numbers(values: dict[str, float], digits: int = 4) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {value:.{digits}g}" for name, value in values.items())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
