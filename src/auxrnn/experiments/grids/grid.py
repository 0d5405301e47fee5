"""A grid of runs: what is finished is skipped, what was stopped goes on, what failed is told and left.

Any number of grids on one machine may work on the same runs at a time: the process that trains a run holds its lock.
Several machines work on one grid through Ray. All that is known of a run lies in its folder, so that a grid may be
ended in any way at any moment and called again.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.experiments.grids.records import score_told
from auxrnn.experiments.grids.task import Keep, Report, Task, check_same, give_up, tidy
from auxrnn.experiments.grids.workers import Processes, ThisProcess, Workers, default_number
from auxrnn.runs.folder import RunFolder, read_json
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.storage.lock import holder
from auxrnn.training.interrupt import handled_by
from auxrnn.training.search import Say

ATTEMPTS = 3
"""Processes that may die over one run, killed for memory perhaps, before it counts as failed."""

POLL = 2.0
"""Seconds between two looks at the runs of others."""


@dataclass(frozen=True)
class Outcome:
    """What a grid found or made of a run. failed: recorded and not made again; stopped: goes on when called again.

    result: what result.json holds, for a finished one. error: for the others. new: this grid has made it.
    """

    name: str
    state: Literal["finished", "failed", "stopped"]
    folder: Path
    result: dict[str, Any] | None = None
    error: str | None = None
    new: bool = False


def run_grid(
    runs: Mapping[str, RunConfig],
    root: Path,
    *,
    workers: int | None = None,
    ray: str | None = None,
    keep: Keep = "model",
    retry_failed: bool = False,
    ended: Callable[[Outcome], object] = lambda outcome: None,
    say: Say = print,
) -> dict[str, Outcome]:
    """Make every run that is not finished, begun in the order given, and return what became of each, in that order.

    runs: configurations without `out` by name; the name is the run's folder below `root`, like "mnist/r-lstm/seed-0".
    workers: runs at once; one a core when left out, or four a GPU; 0 makes them here, one after another. ray: address
    of a Ray cluster that does the work instead ("local" starts one), where `workers` is the number of runs that share a
    GPU. keep: what the folders of finished runs keep; all but the checkpoints by default. retry_failed: go on with runs
    that are recorded as failed. ended: called with each outcome as soon as it is known.

    Raises InputError before anything starts where a folder holds a run of another configuration, and StoppedRunError on
    SIGINT or SIGTERM, when all is saved.
    """
    tasks = {name: Task(_folder(root, name), config, keep, retry_failed) for name, config in runs.items()}
    for task in tasks.values():
        check_same(RunFolder(task.folder), task.config)
    grid = _Grid(tasks, ended, say)
    try:
        if grid.waiting:
            grid.work(_workers(workers, ray, [runs[name] for name in grid.waiting]), root)
    finally:
        for task in tasks.values():
            tidy(RunFolder(task.folder), keep)
    return {name: grid.outcomes[name] for name in runs}


def _folder(root: Path, name: str) -> Path:
    way = PurePosixPath(name)
    if not name or way.is_absolute() or ".." in way.parts:
        raise InputError(f"Expected the name of a run to be a folder below that of the grid, got {name!r}.")
    return root / way


def _workers(number: int | None, ray: str | None, configs: list[RunConfig]) -> Workers:
    if number is not None and number < 0:
        raise InputError(f"Expected workers of at least 0, got {number}.")
    if ray is not None:
        from auxrnn.experiments.grids.ray_grid import RayWorkers

        return RayWorkers(ray, number)
    if number == 0:
        return ThisProcess()
    return Processes(default_number(configs) if number is None else number)


class _Grid:
    """Which runs wait, which are at work, and the outcomes of the rest."""

    def __init__(
        self,
        tasks: Mapping[str, Task],
        ended: Callable[[Outcome], object],
        say: Say,
    ) -> None:
        self.tasks, self.ended, self.say = tasks, ended, say
        self.waiting = list(tasks)
        self.working: set[str] = set()
        self.outcomes: dict[str, Outcome] = {}
        self.deaths: Counter[str] = Counter()
        self._begun = self._told_of_others = False
        for name in list(self.waiting):
            self._settle(name, new=False)
        self._begun = True
        if self.outcomes:
            states = Counter(outcome.state for outcome in self.outcomes.values())
            self.say(f"{len(tasks)} runs: {', '.join(f'{number} {state}' for state, number in states.items())} before.")

    def work(self, workers: Workers, root: Path) -> None:
        """Until every run has an outcome."""
        with handled_by(_interrupt, [signal.SIGTERM]):
            try:
                while self.waiting or self.working:
                    self._start(workers)
                    for name, report in workers.wait(POLL):
                        self.working.discard(name)
                        self._take(name, report)
            except KeyboardInterrupt:
                with handled_by(signal.SIG_IGN):  # a second one must not end this before the workers have saved
                    self.say("Stopping: the runs at work save their state ...")
                    workers.stop()
                finished = sum(outcome.state == "finished" for outcome in self.outcomes.values())
                raise StoppedRunError(
                    f"interrupted; {finished} of {len(self.tasks)} runs in {root} are finished. "
                    "The same command goes on."
                ) from None
            except BaseException:
                workers.stop()
                raise
            finally:
                workers.close()

    def _start(self, workers: Workers) -> None:
        elsewhere = []
        for name in list(self.waiting):
            if self._settle(name, new=False):
                continue
            if holder(self.tasks[name].folder) is not None:
                elsewhere.append(name)
            elif workers.free() > 0:
                self.waiting.remove(name)
                self.working.add(name)
                workers.start(name, self.tasks[name])
        if elsewhere and elsewhere == self.waiting and not self.working and not self._told_of_others:
            self._told_of_others = True
            self.say(f"Waiting for {len(elsewhere)} runs that other processes have in hand: {', '.join(elsewhere)}.")

    def _take(self, name: str, report: Report) -> None:
        folder = RunFolder(self.tasks[name].folder)
        if report.state == "died" and not folder.result.exists():
            self.deaths[name] += 1
            if self.deaths[name] >= ATTEMPTS:
                give_up(folder, f"{report.error}, {ATTEMPTS} times")
            else:
                self.say(f"{name}: {report.error}; it goes on from its last checkpoint.")
        if report.state in ("stopped", "interrupted"):
            self._end(Outcome(name, "stopped", folder.path, error=report.error, new=True))
        elif not self._settle(name, new=True):  # in other hands, or to be gone on with
            self.waiting.append(name)

    def _settle(self, name: str, *, new: bool) -> bool:
        """Whether the folder of a run says how it ended; then that is its outcome."""
        task = self.tasks[name]
        folder = RunFolder(task.folder)
        if folder.result.exists():
            self._end(Outcome(name, "finished", folder.path, read_json(folder.result), new=new))
        elif folder.failure.exists() and (new or not task.retry_failed):
            self._end(Outcome(name, "failed", folder.path, error=read_json(folder.failure).get("error"), new=new))
        else:
            return False
        return True

    def _end(self, outcome: Outcome) -> None:
        self.outcomes[outcome.name] = outcome
        if outcome.name in self.waiting:
            self.waiting.remove(outcome.name)
        self.ended(outcome)
        if not self._begun and outcome.state == "finished":
            return  # many, perhaps
        told = f"{outcome.state}: {outcome.error}"
        if outcome.result is not None:
            told = f"test {score_told(outcome.result)}, {outcome.result['seconds']:.0f} s"
        self.say(f"[{len(self.outcomes)}/{len(self.tasks)}] {outcome.name}: {told}")


def _interrupt(signum: int, frame: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt
