"""One run of a grid, from beginning to result, in any process. Knows no other run and no scheduler."""

from __future__ import annotations

import traceback
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

import torch
from safetensors import SafetensorError

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.folder import FREE, RunFolder, changed_settings, read_config, write_json
from auxrnn.runs.run import resume_run, start_run
from auxrnn.runs.stopped import FullMemoryError, StoppedRunError
from auxrnn.storage.files import remove
from auxrnn.storage.lock import TakenRunError
from auxrnn.training.interrupt import InterruptedRun

Keep = Literal["all", "model", "results"]
"""What the folder of a finished run keeps: everything, all but checkpoints, or only its small files."""


@dataclass(frozen=True)
class Task:
    """A run to make: its folder, its configuration, what is kept, whether a recorded failure is tried again."""

    folder: Path
    config: RunConfig
    keep: Keep = "model"
    retry_failed: bool = False


@dataclass(frozen=True)
class Report:
    """What became of a task. stopped: it can be gone on with, once what `error` says is put right.

    interrupted: the same, after a signal. elsewhere: another process has it. died: its process went without a word.
    """

    state: Literal["finished", "failed", "stopped", "interrupted", "elsewhere", "died"]
    error: str | None = None


def carry_out(task: Task) -> Report:
    """Train a run that is not finished, from its last checkpoint where there is one, unless another process does.

    Which of several processes that is, the run's own lock decides.
    Its lines go to log.txt. An error of the run itself is put down in failed.json, so that it is not made again;
    bad settings, missing data, a full disk or full memory are not, for they can be put right.
    """
    folder = RunFolder(task.folder)
    if folder.failure.exists() and not task.retry_failed:
        return Report("failed")
    try:
        folder.failure.unlink(missing_ok=True)
        folder.path.mkdir(parents=True, exist_ok=True)
        with open(folder.log, "a", encoding="utf-8", buffering=1) as log, redirect_stdout(log):
            return _train(task, folder, log)
    except OSError as error:
        return Report("stopped", f"{folder.path}: expected a folder that can be written to: {error}.")


def _train(task: Task, folder: RunFolder, log: TextIO) -> Report:
    try:
        if folder.config.exists():
            check_same(folder, task.config)
            resume_run(folder.path, data_dir=task.config.data_dir, judged=False)
        else:
            start_run(replace(task.config, out=str(folder.path)), judged=False)
    except TakenRunError:
        return Report("elsewhere")
    except Exception as error:
        if isinstance(error.__cause__, InterruptedRun):
            return Report("interrupted", str(error))
        traceback.print_exc(file=log)
        if _can_be_put_right(error):
            return Report("stopped", str(error) or type(error).__name__)
        own = isinstance(error, StoppedRunError)
        give_up(folder, str(error) if own else f"{type(error).__name__}: {error}")
        return Report("failed")
    tidy(folder, task.keep)
    return Report("finished")


def _can_be_put_right(error: Exception) -> bool:
    causes = (InputError, OSError, MemoryError, SafetensorError, torch.OutOfMemoryError, FullMemoryError)
    return isinstance(error, causes) or (isinstance(error, StoppedRunError) and isinstance(error.__cause__, causes))


def give_up(folder: RunFolder, error: str) -> None:
    """Record that a run has failed, when, and with which sources."""
    commit = describe_environment()["commit"]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder.failure, {"error": error, "time": now, "commit": commit})


def check_same(folder: RunFolder, config: RunConfig) -> None:
    """InputError where a folder holds a run with other settings than `config`."""
    changes = changed_settings(config, read_config(folder)) if folder.config.exists() else []
    if changes:
        raise InputError(
            f"{folder.path}: expected a run with the settings of this grid, found {', '.join(changes)}. "
            f"Delete the folder or choose another one for the grid. ({', '.join(FREE)} may differ.)"
        )


def tidy(folder: RunFolder, keep: Keep) -> None:
    """Take away what the folder of a finished run need not keep."""
    unwanted = {"all": (), "model": ("checkpoints",), "results": ("checkpoints", "model", "tensorboard", "log.txt")}
    for name in unwanted[keep] if folder.result.exists() else ():
        remove(folder.path / name)
