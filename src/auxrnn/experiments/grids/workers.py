"""Where the tasks of a grid are carried out on this machine: a fresh process each, or this one. Knows no grid.

A process of its own gives a run its own peak memory and one thread, and a crash takes no other run with it. It leaves
the terminal's group, so that Ctrl-C reaches the grid alone, and ends when the grid is gone, however that went.
"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Protocol

import torch

from auxrnn.config import RunConfig
from auxrnn.experiments.grids.task import Report, Task, carry_out
from auxrnn.storage.processes import end_with_parent

RUNS_PER_GPU = 4
"""Runs at once on one GPU: a run of one thread leaves most of it idle."""

PATIENCE = 60.0
"""Seconds that a run has to save when it is asked to stop."""


class Workers(Protocol):
    """Carries out tasks, up to `free()` more at once; `wait` returns those that ended, by name."""

    def free(self) -> int: ...

    def start(self, name: str, task: Task) -> None: ...

    def wait(self, seconds: float) -> list[tuple[str, Report]]: ...

    def stop(self) -> None:
        """End all tasks at work so that they can be gone on with."""

    def close(self) -> None:
        """Give back what was held for them, when none is at work."""


class ThisProcess:
    """One task after another, here: for looking into a run, and for tests."""

    def __init__(self) -> None:
        self._ended: list[tuple[str, Report]] = []

    def free(self) -> int:
        return 1 - len(self._ended)

    def start(self, name: str, task: Task) -> None:
        report = carry_out(task)
        if report.state == "interrupted":
            raise KeyboardInterrupt
        self._ended.append((name, report))

    def wait(self, seconds: float) -> list[tuple[str, Report]]:
        if not self._ended:
            time.sleep(seconds)
        ended, self._ended = self._ended, []
        return ended

    def stop(self) -> None:
        """Nothing is at work: a signal has reached the run itself."""

    def close(self) -> None:
        """Nothing is held."""


class Processes:
    """Several tasks at once, each in a process of its own; on several GPUs they take turns."""

    def __init__(self, number: int) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"  # inherited by the processes below
        # A server that has imported everything gives birth to a process at once; a GPU does not survive a fork.
        self._gpus = visible_gpus()
        self._context: ForkServerContext | SpawnContext = get_context("spawn")
        if "forkserver" in get_all_start_methods() and not self._gpus:
            self._context = get_context("forkserver")
            self._context.set_forkserver_preload(["auxrnn.experiments.grids.task"])
        self._slots = list(range(number))
        self._working: dict[int, tuple[str, int, BaseProcess, Connection]] = {}

    def free(self) -> int:
        return len(self._slots)

    def start(self, name: str, task: Task) -> None:
        slot = self._slots.pop(0)
        gpu = self._gpus[slot % len(self._gpus)] if len(self._gpus) > 1 else None
        reader, writer = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(task, writer, gpu), name=name)
        process.start()
        writer.close()
        self._working[process.sentinel] = name, slot, process, reader

    def wait(self, seconds: float) -> list[tuple[str, Report]]:
        if not self._working:
            time.sleep(seconds)
        ended = []
        for sentinel in wait(list(self._working), seconds):
            assert isinstance(sentinel, int)
            name, slot, process, reader = self._working.pop(sentinel)
            self._slots.append(slot)
            ended.append((name, _report(process, reader)))
        return ended

    def stop(self) -> None:
        processes = [process for _, _, process, _ in self._working.values()]
        for process in processes:
            process.terminate()
        until = time.monotonic() + PATIENCE
        try:
            for process in processes:
                process.join(max(0.0, until - time.monotonic()))
        finally:  # a second Ctrl-C comes here at once
            for process in processes:
                process.kill()

    def close(self) -> None:
        """Nothing is held."""


def _report(process: BaseProcess, reader: Connection) -> Report:
    process.join()
    try:
        if reader.poll():
            report = reader.recv()
            assert isinstance(report, Report)
            return report
    except EOFError:
        pass
    finally:
        reader.close()
    code = process.exitcode or 0
    return Report("died", f"its process ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}")


def _work(task: Task, writer: Connection, gpu: str | None) -> None:
    """The life of a process."""
    if hasattr(os, "setsid"):
        os.setsid()
    end_with_parent()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    writer.send(carry_out(task))


def default_number(configs: list[RunConfig]) -> int:
    """How many runs at once use this machine well: one a core, or a few on each GPU where they use it."""
    if any(config.accelerator in ("auto", "gpu", "cuda") for config in configs) and torch.cuda.device_count():
        return RUNS_PER_GPU * torch.cuda.device_count()
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]
    return names[: torch.cuda.device_count()]
