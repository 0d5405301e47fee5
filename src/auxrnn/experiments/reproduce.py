"""`auxrnn reproduce`: every run of a table or figure of the paper, then its page. Recorded runs are never made twice.

```
OUT/EXPERIMENT.jsonl                 the record: a line a run that has ended, with everything about it
OUT/EXPERIMENT.html, figures/        the page
OUT/EXPERIMENT-costs.json            time and memory against length, where benchmarks/length.py has measured them
OUT/EXPERIMENT-inside.json           what looks into the models said, for a page made without them
OUT/runs/TASK/MODEL-DIGEST/seed-N/   where runs are made; the looks into the models need it, nothing else
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.experiments.arms import StoredArm, read_run
from auxrnn.experiments.catalogue import EXPERIMENTS, Experiment, find_experiment
from auxrnn.experiments.costs import cost_section, costs_file
from auxrnn.experiments.experiment_page import build_page
from auxrnn.experiments.grids.grid import Outcome, run_grid
from auxrnn.experiments.grids.records import Record, add_records, check_settings, read_records, record_folder
from auxrnn.experiments.insides import probe_sections
from auxrnn.experiments.scales import PlannedRun, Scale, find_scale, plan_runs
from auxrnn.report.kept import keep_sections, kept_sections
from auxrnn.report.page import Section, write_page
from auxrnn.runs.stopped import StoppedRunError


@dataclass(frozen=True)
class Request:
    """What somebody asks to be reproduced.

    out: folder of the results; results/SCALE when left out. seeds: of every arm; the scale's own when left out. tasks,
    arms: some of them; all when empty. page_only: no training, the page of what is there.
    """

    experiment: str
    scale: str = "laptop"
    seeds: int | None = None
    out: Path | None = None
    data_dir: str | None = None
    tasks: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    workers: int | None = None
    ray: str | None = None
    retry_failed: bool = False
    page_only: bool = False


def reproduce(request: Request, say: Callable[[str], None] = print) -> Path:
    """Make what is missing of an experiment and write its page, whose path is returned.

    Raises InputError for names that are not in the catalogue, before anything starts; StoppedRunError on SIGINT or
    SIGTERM: all is saved, the same command goes on; and where runs have stopped, after the page of the others.
    """
    experiment, scale = find_experiment(request.experiment), find_scale(request.scale)
    out, seeds = request.out or Path("results") / scale.name, request.seeds or scale.seeds
    planned = plan_runs(experiment, scale, seeds, request.tasks, request.arms)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder for the results, found a file.")
    wanted: dict[str, PlannedRun] = {}
    for run in planned:
        wanted.setdefault(run.name, run)
    file, runs = out / f"{experiment.name}.jsonl", out / "runs"
    records = _gather(experiment, scale, seeds, out)
    stopped = []
    if not request.page_only:
        missing = {
            name: run
            for name, run in wanted.items()
            if name not in records or (request.retry_failed and records[name].error is not None)
        }
        say(f"{experiment.title}\n{scale.note}\n{len(missing)} of {len(wanted)} runs are not in {file}.")

        def record(outcome: Outcome) -> None:
            _record(file, runs, [missing[outcome.name]])

        outcomes = run_grid(
            {name: replace(run.config, data_dir=request.data_dir) for name, run in missing.items()},
            runs,
            workers=request.workers,
            ray=request.ray,
            retry_failed=request.retry_failed,
            ended=record,
            say=say,
        )
        stopped = [name for name, outcome in outcomes.items() if outcome.state == "stopped"]
        for name in stopped:
            say(f"{name} has stopped: {outcomes[name].error}")
        records = read_records(file)
        for name in wanted:
            if name in records and records[name].error is not None:
                say(f"{name} has failed: {records[name].error}")
    planned = _whole(experiment, scale, seeds, records)
    if not any(run.name in records and records[run.name].result for run in planned):
        raise InputError(f"{out}: expected finished runs of {experiment.name} there, found none.")
    path = out / f"{experiment.name}.html"
    extra = _inside(experiment, planned, path, request.data_dir, say)
    if experiment.costs:
        costs = costs_file(out, experiment)
        extra += [cost_section(costs)] if costs.is_file() else []
    write_page(path, build_page(experiment, scale, planned, records, path, extra))
    say(f"Page: {path}")
    if stopped:
        raise StoppedRunError(f"{len(stopped)} of {len(wanted)} runs have stopped; the same command goes on with them.")
    return path


def _gather(experiment: Experiment, scale: Scale, seeds: int, out: Path) -> dict[str, Record]:
    """What is recorded of an experiment, with what other experiments have in common with it and what ended runs left.

    InputError where a record has other settings than the experiment.
    """
    file, runs = out / f"{experiment.name}.jsonl", out / "runs"
    records = read_records(file)
    others: dict[str, Record] = {}
    for name in EXPERIMENTS:
        if name != experiment.name:
            others = {**read_records(out / f"{name}.jsonl"), **others}
    planned = {run.name: run for run in _whole(experiment, scale, seeds, {**others, **records})}
    for name, run in planned.items():
        for place, found in ((file, records), (out, others)):
            if name in found:
                check_settings(run.config, found[name], place)
    shared = [others[name] for name in planned if name in others and name not in records]
    if shared:
        add_records(file, shared)
    known = {record.name for record in shared} | records.keys()
    _record(file, runs, [run for name, run in planned.items() if name not in known])
    return read_records(file)


def _record(file: Path, runs: Path, planned: Sequence[PlannedRun]) -> None:
    """Add those to the record whose folders say how they ended."""
    found = [record_folder(runs / run.name, run.name, run.config) for run in planned]
    ended = [record for record in found if record is not None]
    if ended:
        add_records(file, ended)


def _whole(experiment: Experiment, scale: Scale, seeds: int, records: Mapping[str, Record]) -> list[PlannedRun]:
    """All runs of an experiment with the seeds asked for, whatever its tasks and arms, and those of other seeds that
    are there: what a page is of.
    """
    own = {Path(run.name).parent for run in plan_runs(experiment, scale, 1)}
    found = [1 + record.config.seed for name, record in records.items() if Path(name).parent in own]
    every = plan_runs(experiment, scale, max([seeds, *found]))
    return [run for run in every if run.seed < seeds or run.name in records]


def _inside(
    experiment: Experiment, planned: Sequence[PlannedRun], page: Path, data_dir: str | None, say: Callable[[str], None]
) -> list[Section]:
    """A look into the models of one task's first seed; what an earlier look said where no model is there any more."""
    runs, kept = page.parent / "runs", page.with_name(f"{page.stem}-inside.json")
    for task in experiment.tasks:
        arms = []
        for run in planned:
            there = (runs / run.name / "model").is_dir() and (runs / run.name / "result.json").is_file()
            if run.task == task and run.seed == 0 and run.arm in experiment.inside and there:
                arms.append(StoredArm(f"{run.arm}, {task}", run.config, (read_run(runs / run.name),)))
        if arms:
            found = probe_sections(arms, data_dir, answers=False)
            seen = any(section.tables or section.figures for section in found)
            if seen:
                keep_sections(kept, found)
            if seen or not kept.is_file():
                return found
            break
    if kept.is_file():
        say("The models or their data are not there to be looked into; the page says what an earlier look said.")
        return kept_sections(kept)
    if experiment.inside:
        say("No trained model is there of the arms that are looked into; the page goes without those sections.")
    return []
