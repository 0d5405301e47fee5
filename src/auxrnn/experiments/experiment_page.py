"""The page of an experiment: the paper's number, ours with its interval, and whether the difference is real.

From the catalogue and the records of finished runs to `report.page.Page`; no training, no model is loaded.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxrnn.experiments.answers import answer
from auxrnn.experiments.catalogue import TRAIN_ACCURACY, Arm, Experiment, Factors
from auxrnn.experiments.grids.records import Record
from auxrnn.experiments.run_report import against, curves_figure
from auxrnn.experiments.scales import PlannedRun, Scale
from auxrnn.report.comparisons import Comparison, compare_all, compare_published, reach_of
from auxrnn.report.figures import Point, draw_bars, draw_points
from auxrnn.report.page import NOTHING, Cell, Figure, Page, Section, Table, relative_link
from auxrnn.report.statistics import Interval, bootstrap_interval, spread


@dataclass(frozen=True)
class ArmResult:
    """The finished runs of an arm on a task by seed, and how many have failed."""

    arm: Arm
    task: str
    runs: Mapping[int, Record]
    failed: int = 0

    def values(self, measure: str) -> dict[int, float]:
        """The figure that the experiment is about by seed, between 0 and 1."""
        found = {seed: float(_figures(run)["test_accuracy"]) for seed, run in self.runs.items()}
        return found if measure == "accuracy" else {seed: 1 - value for seed, value in found.items()}

    def mean(self, figure: str) -> float | None:
        found = [_figures(run).get(figure) for run in self.runs.values()]
        values = [float(value) for value in found if value is not None]
        return sum(values) / len(values) if values else None


def build_page(
    experiment: Experiment,
    scale: Scale,
    planned: Sequence[PlannedRun],
    records: Mapping[str, Record],
    path: Path,
    extra: Sequence[Section] = (),
) -> Page:
    """The page that will lie at `path`, the record of its runs beside it; `extra` sections follow the results."""
    tasks = list(dict.fromkeys(run.task for run in planned))
    by_task = {task: _results(experiment, task, planned, records) for task in tasks}
    missing = sum(run.name not in records for run in planned)
    failed = len({run.name for run in planned if run.name in records and records[run.name].result is None})
    told = [experiment.question]
    if failed:
        told.append(f"{failed} of {len(planned)} runs have failed (diverged, as a rule) and have no figures.")
    if missing:
        told.append(f"{missing} of {len(planned)} runs are not finished; what follows is of the others.")
    if experiment.factors is None:
        told += [line for task in tasks for line in _answers(experiment, task, by_task[task])]
    sections = [Section("The question", told)]
    for task in tasks:
        if any(result.runs for result in by_task[task]):
            ended = [result for result in by_task[task] if result.runs or result.failed]
            if experiment.factors is None:
                sections.append(_task_section(experiment, scale, task, ended))
            else:
                sections.append(_factor_section(experiment, experiment.factors, task, ended))
    if experiment.costs:
        sections.append(_length_section(experiment, by_task))
    sections += [*extra, _repeat_section(experiment, scale, planned, records, path)]
    return Page(experiment.title, scale.note, sections)


def _answers(experiment: Experiment, task: str, results: Sequence[ArmResult]) -> list[str]:
    """What came out on a task, a paragraph a baseline."""
    values = {result.arm.name: result.values(experiment.measure) for result in results if result.runs}
    fields = {
        baseline: {arm.name: values[arm.name] for arm in arms if arm.name in values}
        for baseline, arms in experiment.fields().items()
        if baseline in values
    }
    less = experiment.measure == "error"
    return [answer(task, arms, baseline, less_is_better=less) for baseline, arms in fields.items() if len(arms) > 1]


def _results(
    experiment: Experiment, task: str, planned: Sequence[PlannedRun], records: Mapping[str, Record]
) -> list[ArmResult]:
    results = []
    for arm in experiment.arms:
        own = [run for run in planned if run.arm == arm.name and run.task == task and run.name in records]
        finished = {run.seed: records[run.name] for run in own if records[run.name].result is not None}
        results.append(ArmResult(arm, task, finished, len(own) - len(finished)))
    return results


def _figures(record: Record) -> Mapping[str, Any]:
    """The result of a run that has finished."""
    assert record.result is not None
    return record.result


def _task_section(experiment: Experiment, scale: Scale, task: str, results: Sequence[ArmResult]) -> Section:
    """Our table beside the paper's, curves over the epochs, and bars where the experiment is about differences."""
    finished = [result for result in results if result.runs]
    values = {result.arm.name: result.values(experiment.measure) for result in finished}
    compared = compare_all(values, experiment.baseline) if experiment.baseline in values else {}
    header = ["model", "paper, %", f"ours: test {experiment.measure}, %", "bootstrap 95 %", "like the paper's?",
              f"against {experiment.baseline}", "real?", "effect (g)", "intervals apart",
              "parameters: classifier (all)", "seconds", "peak, MiB"]  # fmt: skip
    rows: list[list[Cell | str]] = []
    for result in results:
        if not result.runs:
            failed: list[Cell | str] = [
                result.arm.name,
                _published(experiment, result.arm, task),
                Cell("failed", _seeds(result)),
            ]
            rows.append([*failed, *[NOTHING] * (len(header) - len(failed))])
            continue
        name, own = result.arm.name, list(values[result.arm.name].values())
        found = compared.get(name)
        base = name == experiment.baseline
        paper = _published(experiment, result.arm, task)
        bootstrap = bootstrap_interval(own)
        rows.append(
            [
                Cell(name, _as_run(result)),
                paper,
                Cell(str(spread(own)), _seeds(result), strong=base),
                NOTHING if bootstrap is None else str(bootstrap),
                _like_paper(experiment, scale, result.arm, task, own),
                *(["baseline", NOTHING, NOTHING] if base else against(found)),
                NOTHING if found is None or found.apart is None else "yes" if found.apart else "no",
                _parameters(result),
                _rounded(result.mean("seconds")),
                _rounded(result.mean("peak_memory_bytes"), 2**20),
            ]
        )  # fmt: skip
    note = (
        "± is half of Student's 95 % interval of the mean over seeds; beside it the bootstrap's, too narrow for few "
        f"seeds. Seeds pair the arms: one seed, one split. {reach_of(compared.values())} P: read off the "
        "paper's table; F: measured off a figure. Peak memory is of the whole process, on a GPU of "
        "what torch holds there. Seconds are of training and validation, with other runs beside: compare them with "
        "care."
    )
    figures = [_curves(task, finished, "validation_accuracy")]
    if experiment.curves:
        figures.append(_curves(task, finished, "train_accuracy"))
    if experiment.differences and compared:
        figures.insert(0, _bars(task, experiment, compared))
    paragraphs = []
    if experiment.name == "curves":
        told = ", ".join(f"{name} {number.value} ({number.mark})" for name, number in TRAIN_ACCURACY.items())
        paragraphs.append(f"The paper's final accuracy on the training set, in percent: {told}.")
    return Section(
        task, paragraphs, [Table(f"{task}: {experiment.measure} on the test set", header, rows, note)], figures
    )


def _factor_section(experiment: Experiment, factors: Factors, task: str, results: Sequence[ArmResult]) -> Section:
    """A table for each value of the first factor, a cell for each combination of the others."""
    by_arm = {result.arm.name: result for result in results}
    usual = next(arm.settings for arm in experiment.arms if arm.name == experiment.baseline)
    tables = []
    for block in experiment.blocks():
        cells: dict[str, dict[str, Cell | str]] = {}
        for arm in block:
            found = by_arm.get(arm.name)
            cell = NOTHING if found is None else _factor_cell(experiment, found)
            cells.setdefault(row_of(arm, factors), {})[column_of(arm, factors, usual)] = cell
        columns = list(dict.fromkeys(column_of(arm, factors, usual) for arm in block))
        rows = [[row, *(found.get(column, NOTHING) for column in columns)] for row, found in cells.items()]
        as_run = next((f" ({_as_run(by_arm[arm.name])})" for arm in block if arm.name in by_arm
                       and by_arm[arm.name].runs), "")  # fmt: skip
        caption = f"{task}, {block[0].settings[factors.table]}{as_run}: {experiment.measure} on the test set, %"
        note = f"Bold: {experiment.baseline}. ± is half of Student's 95 % interval of the mean over seeds."
        tables.append(Table(caption, ["", *columns], rows, note))
    return Section(task, (), tables)


def row_of(arm: Arm, factors: Factors) -> str:
    """The heading of the row that an arm is in."""
    return ", ".join(_factor(name, arm.settings[name]) for name in factors.rows)


def column_of(arm: Arm, factors: Factors, usual: Mapping[str, Any]) -> str:
    """The heading of the column that an arm is in. usual: the settings of the baseline."""
    told = [name for name in factors.told if arm.settings.get(name) != usual.get(name)]
    return ", ".join(_factor(name, arm.settings[name]) for name in (*factors.columns, *told))


def _factor(name: str, value: Any) -> str:
    """A value of a setting in words."""
    match name:
        case "projection_size":
            return f"projection {value or 'none'}"
        case "max_phase":
            return f"phases to {value:g}"
        case "lr":
            return f"lr {value:g}"
    return str(value)


def _factor_cell(experiment: Experiment, result: ArmResult) -> Cell:
    told = str(spread(list(result.values(experiment.measure).values()))) if result.runs else "failed"
    below, cpu, peak = [_seeds(result)], result.mean("cpu_seconds"), result.mean("peak_memory_bytes")
    if cpu is not None:
        below.append(f"{cpu:,.0f} s of CPU")
    if peak is not None:
        below.append(f"{peak / 2**20:,.0f} MiB")
    return Cell(told, ", ".join(below), strong=result.arm.name == experiment.baseline)


def _seeds(result: ArmResult) -> str:
    """How many there are, and how many more have failed."""
    told = [(len(result.runs), ""), (result.failed, " failed")]
    return ", ".join(f"{number} seed{'s' if number > 1 else ''}{end}" for number, end in told if number)


def _as_run(result: ArmResult) -> str:
    """What an arm was at this scale: its truncation and segments as run."""
    config = next(iter(result.runs.values())).config
    words = [] if config.model == "transformer" else [f"K {config.bptt}"]
    if config.auxiliaries:
        words.append(f"{config.num_anchors}x{config.segment_length}")
    return ", ".join([*words, *(["not in the paper"] if result.arm.control else [])])


def _published(experiment: Experiment, arm: Arm, task: str) -> str:
    number = arm.published.get(task)
    if number is None:
        return NOTHING
    sign = "+" if experiment.differences else ""
    return f"{number.value:{sign}} ({number.mark})"


def _like_paper(experiment: Experiment, scale: Scale, arm: Arm, task: str, own: Sequence[float]) -> str:
    """Whether our interval holds the paper's number; a question for the paper's own size alone."""
    number = arm.published.get(task)
    if number is None or experiment.differences:
        return NOTHING
    if scale.name != "paper":
        return "other size or epochs"
    found = compare_published(own, number.value / 100)
    return {"yes": f"no: {100 * found.difference:+.1f}", "no": "not told apart", "unknown": "one seed"}[found.real]


def _parameters(result: ArmResult) -> str:
    whole, classifier = result.mean("parameters"), result.mean("classifier_parameters")
    if whole is None:
        return NOTHING
    return f"{whole:,.0f}" if classifier is None else f"{classifier:,.0f} ({whole:,.0f})"


def _rounded(value: float | None, unit: float = 1.0) -> str:
    return NOTHING if value is None else f"{value / unit:,.0f}"


def _curves(task: str, results: Sequence[ArmResult], column: str) -> Figure:
    """A column of the learning curves, a line an arm."""
    what = column.replace("_", " ")
    curves = {result.arm.name: [run.points(column) for run in result.runs.values()] for result in results}
    return curves_figure(curves, f"{task}: {what}", f"{what}, %", f"{task}-{column.replace('_', '-')}")


def _bars(task: str, experiment: Experiment, against: Mapping[str, Comparison]) -> Figure:
    """Points lost or gained against the baseline, a bar an arm."""
    bars = {name: Point(0.0, 100 * found.difference, *_ends(found.interval)) for name, found in against.items()}
    drawing = draw_bars(bars, title=f"{task}: points against {experiment.baseline}")
    return Figure("Difference of the means over seeds with its 95 % interval.", drawing, f"{task}-differences")


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    """Both ends in percent."""
    return (None, None) if interval is None else (100 * interval.low, 100 * interval.high)


def _length_section(experiment: Experiment, by_task: Mapping[str, Sequence[ArmResult]]) -> Section:
    """Accuracy against the number of steps, one line an arm."""
    lines: dict[str, list[Point]] = {}
    for task, results in by_task.items():
        steps = int(task.rpartition("-")[2]) ** 2
        for result in results:
            if result.runs:
                found = spread(list(result.values(experiment.measure).values()))
                lines.setdefault(result.arm.name, []).append(Point(steps, 100 * found.mean, *_ends(found.interval)))
    drawing = draw_points(lines, title="Accuracy against length", xlabel="steps", ylabel="test accuracy, %", log_x=True)
    return Section(
        "Accuracy against length",
        ["A point is the mean over seeds at one length, its line the 95 % interval."],
        figures=[Figure("Test accuracy against the number of steps.", drawing, "accuracy-length")],
    )


def _repeat_section(
    experiment: Experiment, scale: Scale, planned: Sequence[PlannedRun], records: Mapping[str, Record], path: Path
) -> Section:
    """Every run with its line in the record, circumstances and figures, and the commands that repeat them."""
    header = ["run, and how to repeat it", "line", "arm", "seed", "test, %", "validation, %", "epoch kept", "epochs",
              "seconds", "peak, MiB", "commit", "hardware"]  # fmt: skip
    file = path.with_suffix(".jsonl").name
    lines = {name: number for number, name in enumerate(records, 1)}
    rows: list[list[Cell | str]] = []
    ended = [(run, records[run.name]) for run in planned if run.name in records]
    for run, record in ended:
        figures, where = record.result or {}, record.environment
        validation = figures.get("validation_accuracy")
        rows.append(
            [
                Cell(
                    run.name,
                    shlex.join(["auxrnn", "train", "--config", f"{file}#{run.name}", "--out", "again"]),
                    relative_link(path.with_name(file), path),
                ),
                str(lines[run.name]),
                f"{run.arm}, {run.task}",
                str(run.seed),
                Cell("failed", record.error or "") if not figures else f"{100 * figures['test_accuracy']:.2f}",
                NOTHING if validation is None else f"{100 * validation:.2f}",
                str(figures.get("best_epoch") or NOTHING),
                str(figures.get("epochs") or NOTHING),
                _rounded(figures.get("seconds")),
                _rounded(figures.get("peak_memory_bytes"), 2**20),
                str(where.get("commit") or NOTHING),
                "; ".join(where.get("gpus") or [])
                or f"{where.get('processor') or NOTHING}, {where.get('threads') or NOTHING} thread",
            ]
        )
    seeds = min(Counter((run.task, run.arm) for run in planned).values())  # of all; of some there may be more
    command = ["auxrnn", "reproduce", experiment.name, "--scale", scale.name, "--seeds", str(seeds), "--out", "."]
    commits = Counter(str(record.environment.get("commit")) for _, record in ended)
    told = [
        "In the folder of this page: the command below makes what is missing of all of it, the one below a run's name "
        f"that run again. Its line of {file} holds its complete settings, its learning curve and on what it ran.",
        *(
            [f"The runs are of several commits ({', '.join(f'{name}: {number}' for name, number in commits.items())}): "
             "for the same digits check out the run's own."] if len(commits) > 1 else []
        ),
    ]  # fmt: skip
    return Section(
        "Every run, and how to repeat it",
        told,
        [Table("Runs", header, rows)] if rows else [],
        (),
        [shlex.join(command)],
    )
