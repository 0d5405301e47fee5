"""The page of one or several runs: `auxrnn report`. Reads run folders; `insides` opens their models."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.experiments.arms import StoredArm, StoredRun, differing, gather_arms, read_run, settings
from auxrnn.experiments.insides import probe_sections
from auxrnn.report.comparisons import Comparison, compare_all, reach_note, reach_of
from auxrnn.report.figures import draw_curves
from auxrnn.report.page import NOTHING, Cell, Figure, Page, Section, Table, relative_link, write_page
from auxrnn.report.statistics import bootstrap_interval, spread
from auxrnn.storage.files import check_place
from auxrnn.targets import SCORES
from auxrnn.targets.scores import Score
from auxrnn.verdict.judge import MEANINGS, told_of

LOSSES = {"reconstruct": "Reconstruction", "predict": "Prediction"}

Curves = dict[str, list[list[tuple[float, float]]]]


def report_runs(
    paths: Sequence[Path],
    out: Path | None = None,
    data_dir: str | None = None,
    say: Callable[[str], None] = print,
    *,
    quick: bool = False,
) -> Path:
    """Write the page of the runs in `paths` and return where it lies.

    out: `report.html` in the run's own folder for one run, in the current folder for several. The first arm is what the
    others are compared with. data_dir: folder of the data; each run's own when left out. quick: leave out what opens
    models and data. InputError for what is no run.
    """
    arms = gather_arms([read_run(path) for path in paths])
    place = out or (paths[0] / "report.html" if len(paths) == 1 else Path("report.html"))
    if place.is_dir():
        raise InputError(f"{place}: expected a file to write the page to, found a folder; name one with --out.")
    check_place(place)
    write_page(place, page_of(arms, place, [] if quick else probe_sections(arms, data_dir)))
    say(f"{place}")
    return place


def page_of(arms: list[StoredArm], place: Path | None, inside: Sequence[Section] = ()) -> Page:
    """The page of what run folders say, with sections on what is `inside` their models.

    place: where it will lie; None for one that is served while a run is trained.
    """
    sections = [_curves(arms), _verdicts(arms), *inside, _settings(arms)]
    if place is not None:
        sections = [_results(arms), *sections, _runs(arms, place), _repeat(arms)]
    finished, every = sum(len(arm.finished) for arm in arms), sum(len(arm.runs) for arm in arms)
    names = ", ".join(dict.fromkeys(arm.config.data for arm in arms))
    lead = f"{every} run{'s' * (every > 1)} on {names}: {', '.join(arm.name for arm in arms)}."
    if finished < every:
        left = every - finished
        lead += (
            f" {'It is' if every == 1 else f'{left} of them is' if left == 1 else f'{left} of them are'} not finished."
        )
    title = f"{arms[0].name} on {names}" if len(arms) == 1 else f"{len(arms)} models on {names}"
    return Page(title, lead, [section for section in sections if section is not None], _box(arms))


def _box(arms: list[StoredArm]) -> Section:
    """What the verdict on the best run says, what it means, and what to type next.

    The best by validation among those with the data and the score of the first arm. Of several runs it is named.
    """
    several = sum(len(arm.runs) for arm in arms) > 1
    alike = [arm for arm in arms if (arm.config.data, arm.score) == (arms[0].config.data, arms[0].score)]
    finished = [(arm, run) for arm in alike for run in arm.finished]
    if not finished:
        run = arms[0].runs[0]
        told = f"Not finished: {run.epochs} of {run.all_epochs} epochs."
        if several:
            told = f"{arms[0].name}, seed {run.config.seed}. {told}"
        return Section("Verdict", [told], commands=[shlex.join(["auxrnn", "resume", str(run.folder.path)])])
    arm, run = max(finished, key=lambda one: (one[1].result or {}).get(f"validation_{one[1].score}") or -math.inf)
    result, path = run.result or {}, str(run.folder.path)
    named = f"Best on validation data of {run.config.data}: {arm.name}, seed {run.config.seed}. " if several else ""
    summary, told_findings = told_of(result.get("verdict"))
    if not told_findings:
        score = f"test {SCORES[run.score].words} {_scored(result[f'test_{run.score}'], run)}"
        return Section(
            "Verdict", [f"{named}{score}; no verdict was made."], commands=[shlex.join(["auxrnn", "evaluate", path])]
        )
    first, *others = (words[:1].upper() + words[1:] + "." for words, _ in told_findings)
    report = shlex.join(["auxrnn", "report", path])  # read already
    commands = dict.fromkeys(
        shlex.join(["auxrnn", "predict", path, "FILE"]) if command == report else command
        for _, command in told_findings
        if command
    )
    words = [named + first, MEANINGS.get(result["verdict"].get("state"), ""), f"{summary[:1].upper()}{summary[1:]}."]
    return Section("Verdict", [*filter(None, [*words, *others])], commands=list(commands))


def _results(arms: list[StoredArm]) -> Section:
    name = arms[0].score  # others are not comparable with it
    score = SCORES[name]
    tested = {arm.name: arm.values(f"test_{name}") for arm in arms}
    base = arms[0].name
    comparable = len({arm.config.data for arm in arms}) == 1 and len(arms) > 1 and bool(tested[base])
    compared = compare_all(tested, base) if comparable else {}
    header = [
        "model",
        "seeds",
        f"test {score.unit}",
        "validation, %" if score.percent else "validation",
        "BPTT",
        "parameters",
        "seconds",
    ]
    if comparable:
        header += [f"{'points' if score.percent else 'difference'} against {base}", "real?", "effect (g)"]
    rows: list[list[Cell | str]] = []
    for arm in arms:
        values, seconds = list(tested[arm.name].values()), list(arm.values("seconds").values())
        interval = bootstrap_interval(values) if values else None
        row: list[Cell | str] = [
            arm.name,
            f"{len(arm.finished)} of {len(arm.runs)}",
            Cell(
                _spread_text(values, score), f"bootstrap {interval}" if interval and score.percent else "", strong=True
            ),
            _spread_text(list(arm.values(f"validation_{name}").values()), score),
            NOTHING if arm.config.model == "transformer" else str(arm.config.bptt),
            f"{arm.values('parameters')[arm.finished[0].config.seed]:,.0f}" if arm.finished else NOTHING,
            f"{spread(seconds).mean:,.0f}" if seconds else NOTHING,
        ]
        if comparable:
            row += against(compared.get(arm.name), percent=score.percent)
        rows.append(row)
    pairs = [found.count for found in compared.values()]
    note = (
        "After ±: half of Student's 95 % interval of the mean over seeds; below it the bootstrap's, which is too "
        "narrow for few seeds."
    )
    if all(len(values) < 2 for values in tested.values()):
        note = reach_note(1)
    elif pairs and max(pairs) > 1:
        note += f" {reach_of(compared.values())}"
    return Section(
        "Results",
        (),
        [Table(f"{_titled(score)} on the test set, at the epoch that was kept", header, rows, note)],
    )


def _titled(score: Score) -> str:
    return score.words[0].upper() + score.words[1:]


def _spread_text(values: Sequence[float], score: Score) -> str:
    if not values:
        return NOTHING
    found = spread(values)
    if score.percent:
        return str(found)
    return f"{found.mean:.4g}" + ("" if found.half_width is None else f" ± {found.half_width:.2g}")


def against(found: Comparison | None, *, percent: bool = True) -> list[Cell | str]:
    """The difference from the baseline, whether it is real, and its effect; nothing where both share no seed."""
    if found is None:
        return [NOTHING] * 3
    return [
        Cell(f"{100 * found.difference:+.1f}", str(found.interval or "")) if percent else f"{found.difference:+.4g}",
        Cell(found.real, "" if found.p_corrected is None else f"p {found.p_corrected:.3g}, corrected"),
        NOTHING if found.effect is None else f"{found.effect:+.2f}",
    ]


def curves_figure(
    curves: Curves,
    title: str,
    ylabel: str,
    name: str,
    order: Sequence[str] = (),
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Learning curves, a line a name: the mean over its runs, and their range."""
    caption = f"{title} at the end of each epoch, mean over the seeds; the band is their range."
    return Figure(caption, draw_curves(curves, title=title, ylabel=ylabel, levels=levels, order=order), name)


def _verdicts(arms: list[StoredArm]) -> Section | None:
    """What several runs said of their models at their end; and the floors of each set of data."""
    runs = [(arm, run) for arm in arms for run in arm.runs]
    floors: dict[str, list[list[Cell | str]]] = {}  # runs with one split of one set have the same
    rows: list[list[Cell | str]] = []
    for arm, run in runs:
        summary, told = told_of((run.result or {}).get("verdict"))
        cells = [*([Cell(summary)] if summary else []), *(Cell(words, line, strong=True) for words, line in told)]
        name = f"{arm.name}, seed {run.config.seed}"
        rows += [["" if place else name, cell] for place, cell in enumerate(cells)]
        if run.floors:
            floors[f"{run.config.data}, seed {run.config.seed}"] = [
                [floor, *(NOTHING if found is None else _scored(found, run)
                          for found in (scores.get(part) for part in ("validation", "test")))]
                for floor, scores in run.floors.items()
            ]  # fmt: skip
    note = "Trained on a part of the same training sequences; a network must beat the best."
    tables = [
        Table(f"What costs a second on {name}", ["floor", "validation", "test"], found, note)
        for name, found in floors.items()
    ]
    if rows and len(runs) > 1:  # of one run it stands at the top
        tables.insert(0, Table("Whether a model is any good, and the next command to try", ["run", "verdict"], rows))
    return Section("Verdict and floors", (), tables) if tables else None


def _runs(arms: list[StoredArm], place: Path) -> Section:
    rows: list[list[Cell | str]] = []
    for arm in arms:
        for run in arm.runs:
            folder, result = run.folder.path, run.result or {}
            name = Cell(f"{arm.name}, seed {run.config.seed}", str(folder), relative_link(folder, place))
            hardware = ", ".join(run.environment.get("gpus") or []) or run.environment.get("processor") or NOTHING
            rows.append(
                [
                    name,
                    _scored(result[f"test_{run.score}"], run)
                    if result
                    else Cell("not finished", shlex.join(["auxrnn", "resume", str(folder)])),
                    NOTHING if (chosen := result.get(f"validation_{run.score}")) is None else _scored(chosen, run),
                    f"{run.epochs} of {run.all_epochs}",
                    str(result.get("best_epoch") or NOTHING),
                    f"{result['seconds']:,.0f}" if result else NOTHING,
                    str(run.environment.get("commit") or NOTHING),
                    Cell(str(hardware), f"torch {(run.environment.get('packages') or {}).get('torch', NOTHING)}"),
                ]
            )
    scores = dict.fromkeys(SCORES[arm.score].unit for arm in arms)
    header = ["run", f"test {' or '.join(scores)}", "validation", "epochs", "chosen", "seconds", "commit", "hardware"]
    return Section("Runs", (), [Table("Every run and its folder", header, rows)])


def _scored(value: float, run: StoredRun) -> str:
    return f"{100 * value:.2f}" if SCORES[run.score].percent else f"{value:.4g}"


def _settings(arms: list[StoredArm]) -> Section:
    names = dict.fromkeys([*differing([RunConfig(), *(arm.config for arm in arms)]), "data", "model", "bptt"])
    tables = [settings(arm.config) for arm in arms]
    rows = [[name, *(_setting(table[name]) for table in tables)] for name in tables[0] if name in names]
    note = "Settings that differ from the defaults; config.yaml in a run's folder holds them all."
    return Section("Settings", (), [Table("Settings", ["setting", *(arm.name for arm in arms)], rows, note)])


def _setting(value: Any) -> str:
    return "none" if value is None else str(value)


def _curves(arms: list[StoredArm]) -> Section | None:
    wanted = [
        *(
            (f"{part}_{name}", SCORES[name].scale, title, f"{title.lower()} {SCORES[name].unit}")
            for name in dict.fromkeys(arm.score for arm in arms)
            for part, title in (("validation", "Validation"), ("train", "Training"))
        ),
        *((column, 1.0, title, "loss a token") for column, title in LOSSES.items()),
    ]
    figures = []
    for column, scale, title, ylabel in wanted:
        curves: Curves = {
            arm.name: [run.points(column, scale) for run in arm.runs]
            for arm in arms
            if column in (*LOSSES, f"validation_{arm.score}", f"train_{arm.score}")
        }
        curves = {name: [one for one in found if one] for name, found in curves.items()}
        curves = {name: found for name, found in curves.items() if found}
        if curves:
            levels = _levels(arms) if column == f"validation_{arms[0].score}" else {}
            order = [arm.name for arm in arms]
            figures.append(curves_figure(curves, title, ylabel, column.replace("_", "-"), order, levels))
    return Section("Curves", (), (), figures) if figures else None


def _levels(arms: list[StoredArm]) -> dict[str, float]:
    """The validation scores of the answer that does not look at the sequence and of the best floor, by name.

    Of the first run that has floors; nothing for several data sets, which have others.
    """
    runs = [run for arm in arms for run in arm.runs if run.floors]
    if not runs or len({arm.config.data for arm in arms}) > 1:
        return {}
    found = {name: scores["validation"] for name, scores in runs[0].floors.items()}
    trivial, best = next(iter(found)), max(found, key=found.__getitem__)
    score = SCORES[runs[0].score]
    names = {trivial: trivial} | ({best: f"best floor: {best}"} if best != trivial else {})
    return {f"{told} ({_scored(found[name], runs[0])})": score.scale * found[name] for name, told in names.items()}


def _repeat(arms: list[StoredArm]) -> Section:
    lines = [
        shlex.join(["auxrnn", "train", "--config", str(run.folder.config), "--out", f"{run.folder.path}-again"])
        for arm in arms
        for run in arm.runs
    ]
    told = "Each line trains one run again, from its own configuration and seed into a new folder."
    return Section("Repeat a run", [told], (), (), lines)
