"""The paper's own tables at their own size, unattended on one GPU: what matters most comes first, and it resumes.

    python benchmarks/paper_scale.py --hours 24                 # on a machine with a GPU
    python benchmarks/paper_scale.py --scale smoke --out runs/x # minutes on a CPU: the same path on tiny data

Each stage is an `auxrnn reproduce`: finished runs are skipped and stopped ones go on, so the script may be ended and
called again at will. It first times a training step of every model at paper size and writes the plan that follows,
then works through the stages until the hours are over; the run at hand is saved and goes on at the next call. After
each stage the pages and rows under results/paper/ are up to date. A stage that fails does not stop the next ones.
Exit code 0: all stages are finished. 1: the hours are over, or a stage failed; call again.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from auxrnn.experiments.catalogue import find_experiment
from auxrnn.experiments.scales import PlannedRun, find_scale, plan_runs
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.folder import write_json

TRUNCATED = ("LSTM Truncate300", "r-LSTM Truncate300", "p-LSTM Truncate300", "rp-LSTM Truncate300")
FULL = ("r-LSTM Full BP", "LSTM Full BP")
GRACE = 120.0
"""Seconds that a stage is given to save its runs when the hours are over."""


@dataclass(frozen=True)
class Stage:
    """One call of `auxrnn reproduce`; everything of the experiment where tasks or arms are empty."""

    experiment: str
    tasks: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    seeds: int = 1

    def words(self, scale: str, out: Path, rest: list[str]) -> list[str]:
        words = [self.experiment, "--scale", scale, "--seeds", str(self.seeds), "--out", str(out)]
        for option, values in (("--task", self.tasks), ("--arm", self.arms)):
            words += [word for value in values for word in (option, value)]
        return [*words, *rest]


STAGES = (
    Stage("table2", ("pmnist", "mnist"), TRUNCATED),
    Stage("table2", ("pmnist", "mnist"), FULL),
    Stage("table2", ("pmnist", "mnist"), TRUNCATED[:3], seeds=3),
    Stage("table2", ("cifar10",), (*TRUNCATED, *FULL)),
    Stage("segments", ("cifar10",), ("1x600 BPTT 1", "20x30 BPTT 1")),
    Stage("bptt", ("cifar10",), ("r-LSTM BPTT 300", "r-LSTM BPTT 1")),
    Stage("dogs", ("stanford-dogs-128",), ("r-LSTM 20x30",)),
    Stage("dbpedia"),
    Stage("table2"),
    Stage("table2", seeds=3),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="of work in this call (default: 24)")
    parser.add_argument("--scale", default="paper", help="default: paper")
    parser.add_argument("--out", type=Path, help="default: results/SCALE")
    parser.add_argument("--stages", type=int, default=len(STAGES), help="only so many of the first")
    options, rest = parser.parse_known_args()
    out = options.out or Path("results") / options.scale
    end = time.monotonic() + 3600 * options.hours
    stages = STAGES[: options.stages]
    plan(stages, options.scale, out)
    unfinished = 0
    for number, stage in enumerate(stages, 1):
        left = end - time.monotonic()
        if left <= 0:
            print(f"The hours are over; {len(stages) - number + 1} stages are left. Call again to go on.")
            return 1
        unfinished += run_stage(
            [sys.executable, "-m", "auxrnn", "reproduce", *stage.words(options.scale, out, rest)], left
        )
    return 1 if unfinished else 0


def run_stage(words: list[str], seconds: float) -> bool:
    """Run a command for at most so many seconds, then let it save; True where it did not finish well."""
    print(f"\n$ {shlex.join(words)}", flush=True)
    process = subprocess.Popen(words)
    try:
        return process.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        process.terminate()  # the runs at hand are saved
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()  # what lies in checkpoints/ is whole all the same
            process.wait()
        return True
    except KeyboardInterrupt:
        process.wait(GRACE)
        raise


def plan(stages: tuple[Stage, ...], scale: str, out: Path) -> None:
    """Time a step of every model of the stages and print the hours that each stage would take alone on the device."""
    runs = {stage: planned(stage, scale) for stage in stages}
    seconds: dict[str, float] = {}
    for run in (run for runs_of_stage in runs.values() for run in runs_of_stage):
        key = str(Path(run.name).parent)
        if key not in seconds:
            seconds[key] = seconds_a_step(run)
            print(f"{run.arm} on {run.task}: {seconds[key]:.3f} s a step", flush=True)
    hours = []
    for stage, own in runs.items():
        total = sum(seconds[str(Path(run.name).parent)] * steps_of(run) for run in own) / 3600
        hours.append(total)
        name = ", ".join(part for part in (stage.experiment, *stage.tasks, f"{len(own)} runs") if part)
        print(f"{total:10.1f} h  {name}")
    print(f"{sum(hours):10.1f} h  in all, one run at a time; several at once on a card take less")
    content = {"environment": describe_environment(), "seconds_a_step": seconds, "hours": hours}
    write_json(out / "plan.json", content)


def planned(stage: Stage, scale: str) -> list[PlannedRun]:
    return plan_runs(find_experiment(stage.experiment), find_scale(scale), stage.seeds, stage.tasks, stage.arms)


def steps_of(run: PlannedRun) -> int:
    """Steps of the optimiser in a run, from the published size of its training set."""
    from auxrnn.sources.presets import find_preset

    size = min(find_preset(run.config.data).train, run.config.limit_train or 10**9)
    kept = size * (1 - run.config.validation_fraction)
    return round(kept / run.config.batch_size) * (run.config.pretrain_epochs + run.config.max_epochs)


def seconds_a_step(run: PlannedRun) -> float:
    """The median of three training steps on random input of the run's size, after one to warm up."""
    step = training_step(run)
    found = []
    for counted in range(4):
        started = time.perf_counter()
        step()
        if counted:
            found.append(time.perf_counter() - started)
    return statistics.median(found)


def training_step(run: PlannedRun) -> Callable[[], None]:
    from auxrnn.core.batch import InputSpec
    from auxrnn.experiments.random_step import model_step
    from auxrnn.sources.presets import find_preset

    config, preset = run.config, find_preset(run.config.data)
    steps = config.image_size**2 if config.image_size else preset.steps
    colours = {"grey images": 1, "colour images": 3}
    spec = InputSpec("characters", 128) if preset.kind == "texts" else InputSpec("pixels", colours[preset.kind])
    model = replace(config, initialisation="torch")
    return model_step(model, spec, batch_size=config.batch_size, steps=steps, classes=preset.classes, lr=config.lr)


if __name__ == "__main__":
    sys.exit(main())
