"""`auxrnn reproduce`: every run of a table or figure of the paper, then its page. Finished runs are never made twice.

```
OUT/runs/TASK/MODEL-DIGEST/seed-N/   a run folder each; experiments share what they have in common
OUT/runs/runs.csv, runs.jsonl        a row a run
OUT/EXPERIMENT.html, figures/        the page
OUT/EXPERIMENT-costs.json            time and memory against length, where the experiment is about them
OUT/EXPERIMENT-inside.json           what looks into the models said, for a page made without them
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.experiments.arms import StoredArm, read_run
from auxrnn.experiments.catalogue import Experiment, find_experiment
from auxrnn.experiments.costs import cost_section, costs_file, measure_costs
from auxrnn.experiments.experiment_page import build_page
from auxrnn.experiments.insides import probe_sections
from auxrnn.experiments.scales import PlannedRun, Scale, find_scale, plan_runs
from auxrnn.grids.grid import run_grid
from auxrnn.grids.records import Record, collect_records
from auxrnn.grids.task import check_same
from auxrnn.report.kept import keep_sections, kept_sections
from auxrnn.report.page import Section, write_page
from auxrnn.runs.folder import RunFolder
from auxrnn.runs.run import StoppedRunError


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
    out = request.out or Path("results") / scale.name
    planned = plan_runs(experiment, scale, request.seeds or scale.seeds, request.tasks, request.arms)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder for the results, found a file.")
    wanted: dict[str, PlannedRun] = {}
    for run in planned:
        wanted.setdefault(run.name, run)
    stopped = []
    if not request.page_only:
        say(f"{experiment.title}\n{scale.note}\n{len(wanted)} runs below {out / 'runs'}.")
        order = {run.config: -index for index, run in enumerate(wanted.values())}
        outcomes = run_grid(
            {name: replace(run.config, data_dir=request.data_dir) for name, run in wanted.items()},
            out / "runs",
            workers=request.workers,
            ray=request.ray,
            retry_failed=request.retry_failed,
            cost=lambda config: order[replace(config, data_dir=None)],
            say=say,
        )
        for name, outcome in outcomes.items():
            if outcome.state != "finished":
                say(f"{name} has {outcome.state}: {outcome.error}")
        stopped = [name for name, outcome in outcomes.items() if outcome.state == "stopped"]
    records = {record.name: record for record in collect_records(out / "runs", say)}
    planned = _whole(experiment, scale, request.seeds or scale.seeds, records)
    if not any(run.name in records for run in planned):
        raise InputError(f"{out}: expected finished runs of {experiment.name} there, found none.")
    for run in planned:
        record = records.get(run.name)
        check_same(RunFolder(out / "runs" / run.name), run.config, None if record is None else record.config)
    failed = {run.name for run in planned if RunFolder(out / "runs" / run.name).failure.is_file()} - records.keys()
    path = out / f"{experiment.name}.html"
    extra = _inside(experiment, planned, path, request.data_dir, say)
    if experiment.costs:
        costs = costs_file(out, experiment)
        if not request.page_only:
            measure_costs(costs, say, smoke=scale.name == "smoke")
        extra += [cost_section(costs)] if costs.is_file() else []
    write_page(path, build_page(experiment, scale, planned, records, path, extra, failed))
    say(f"Page: {path}")
    if stopped:
        raise StoppedRunError(f"{len(stopped)} of {len(wanted)} runs have stopped; the same command goes on with them.")
    return path


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
            found = probe_sections(arms, data_dir, say)
            seen = any(section.tables or section.figures for section in found)
            if seen:
                keep_sections(kept, found)
            if seen or not kept.is_file():
                return found
            break
    if kept.is_file():
        say("The models or their data are not there to be looked into; the page says what an earlier look said.")
        return kept_sections(kept, page)
    if experiment.inside:
        say("No trained model is there of the arms that are looked into; the page goes without those sections.")
    return []
