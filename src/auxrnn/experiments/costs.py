"""What a training step costs as sequences grow, for the page of an experiment: measured seconds and peak memory.

`benchmarks/length.py` measures them on random pixels of the data's lengths, into a JSON file beside the page. The paper
shows seconds a batch on hardware that it does not name, and no memory.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from auxrnn.experiments.catalogue import DOG_SECONDS, Experiment
from auxrnn.report.figures import Curve, draw_lines
from auxrnn.report.page import NOTHING, Figure, Section, Table
from auxrnn.runs.folder import read_json

SAME = {"LSTM Full BP": "LSTM, full BPTT", "r-LSTM": "r-LSTM 1x600", "r-LSTM 20x30": "r-LSTM 20x30", "p-LSTM": "p-LSTM"}
"""Arms of the paper's figure by the name of each in that file."""


def costs_file(out: Path, experiment: Experiment) -> Path:
    """Where the measured costs of an experiment lie."""
    return out / f"{experiment.name}-costs.json"


def cost_section(path: Path) -> Section:
    """The measured costs beside the paper's seconds."""
    content = read_json(path)
    figures: list[dict[str, Any]] = [found for found in content["figures"] if found["seconds"]]
    seconds = _lines(figures, lambda found: statistics.median(found["seconds"]))
    memory = _lines(figures, lambda found: found["mib"])
    steps = sorted({found["steps"] for found in content["figures"]})
    published = {bench: DOG_SECONDS[arm] for arm, bench in SAME.items()}
    header = ["model", *(f"{number:,}" for number in steps)]
    stopped = [f"{found['model']} at {found['steps']:,}: {found['stopped']}" for found in content["figures"]
               if found["stopped"] and "already" not in found["stopped"]]  # fmt: skip
    where = content["environment"]
    told = [
        f"A whole training step, batch {content['sizes']['batch']}, on "
        f"{'; '.join(where['gpus']) or where['processor']}. Ratios hold; the paper's seconds (a batch of 128, hardware "
        "unknown, measured off a figure) are no yardstick for ours.",
        *([f"Not measured: {'; '.join(stopped)}."] if stopped else []),
    ]
    tables = [
        Table("Seconds a step, ours (the paper's, F)", header, [
            [name, *(_seconds(dict(line).get(number), published.get(name, {}).get(number)) for number in steps)]
            for name, line in seconds.items()
        ]),
        Table("Peak memory of a step, MiB", header, [
            [name, *(NOTHING if dict(line).get(number) is None else f"{dict(line)[number]:,.0f}" for number in steps)]
            for name, line in memory.items()
        ]),
    ]  # fmt: skip
    drawings = [
        Figure("Seconds of a training step against the number of steps, both axes logarithmic.",
               draw_lines(seconds, title="Time against length", xlabel="steps", ylabel="seconds"), "seconds-length"),
        Figure("Peak memory of a training step against the number of steps, both axes logarithmic.",
               draw_lines(memory, title="Memory against length", xlabel="steps", ylabel="MiB"), "memory-length"),
    ]  # fmt: skip
    return Section("Time and memory against length", told, tables, drawings)


def _lines(figures: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> Mapping[str, Curve]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for found in figures:
        lines.setdefault(found["model"], []).append((found["steps"], value(found)))
    return lines


def _seconds(ours: float | None, published: float | None) -> str:
    own = NOTHING if ours is None else f"{ours:.2f}"
    return own if published is None else f"{own} ({published})"
