"""Accuracy against the distance of what decides: python benchmarks/reach.py [--recipe NAME]... [--distance N]...

Trains each recipe on the latching problem at each distance, one after the other, each in a process of its own with one
thread, and keeps a line a run in results/reach.jsonl. Runs that are there are not made again. Then it writes
the tables of results/reach.md anew from the record; what is said of the figures stands around them and stays.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from measure import write_tables

from auxrnn.experiments.arguments import parse_given
from auxrnn.experiments.catalogue import CELLS
from auxrnn.experiments.grids.records import Record, add_records, read_records, record_folder
from auxrnn.report.tables import markdown_table
from auxrnn.runs.run import start_run

RESULTS = Path("results")
DISTANCES = (200, 1_000, 10_000, 100_000)
SHARED = (
    "--recipe modern --candidates 1 --anchor_labels 0 --hidden_size 32 --epoch_passes 1 --max_epochs 6 "
    "--limit_train 1000 --limit_test 300"
)
RECIPES = {
    **{f"{cell}, last": f"--readout last --cell {cell} --bptt 50" for cell in CELLS},
    **{f"{cell}, stats": f"--readout stats --cell {cell}" for cell in CELLS},
    "lstm, stats-max": "--readout stats-max",
    "lstm, last, checkpointed": "--readout last --gradient checkpointed",
    "lru, last, exact": "--readout last --cell lru --gradient exact",
    "lru, last, exact, phases to 1": "--readout last --cell lru --gradient exact --max_phase 1",
    "lru, stats, exact": "--readout stats --cell lru --gradient exact",
    "lstm, last, fptt": "--readout last --gradient fptt --bptt 50",
    "lstm, stats, fptt": "--readout stats --gradient fptt --bptt 50",
    "r-lstm, last": "--readout last --model r-lstm --bptt 50",
    "p-lstm, last": "--readout last --model p-lstm --bptt 50",
}
"""Beside chrono gates over the length, a convolution of about sqrt(T) / 5 steps a token and 50 tokens a window."""


def train(words: list[str]) -> None:
    config, given = parse_given(words)
    start_run(config, print, given=given)


def made(recipe: str, distance: int, seed: int) -> Record:
    """The run of a recipe at a distance, in a folder that is gone afterwards."""
    name = f"{recipe}/{distance}/seed-{seed}"
    folder = Path("runs", "reach", name.replace(", ", "-").replace(" ", "-"))
    shutil.rmtree(folder, ignore_errors=True)
    words = f"latching --distance {distance} {SHARED} {RECIPES[recipe]} --seed {seed} --out {folder}".split()
    context = get_context("forkserver")
    context.set_forkserver_preload(["auxrnn.runs.run", "auxrnn.experiments.arguments"])
    process = context.Process(target=train, args=(words,))
    process.start()
    process.join()
    record = record_folder(folder, name)
    shutil.rmtree(folder)
    if record is None:
        raise SystemExit(f"{name} has not ended.")
    return record


def table(records: dict[str, Record], cell: Callable[[list[Record]], str]) -> str:
    """A row a recipe, a column a distance."""
    rows = []
    for recipe in RECIPES:
        found = [[one for name, one in records.items() if name.startswith(f"{recipe}/{d}/")] for d in DISTANCES]
        rows.append([recipe, *(cell(own) if own else "" for own in found)])
    return markdown_table(["recipe", *(f"{distance:,} steps" for distance in DISTANCES)], rows)


def mean(name: str, scale: float, digits: int) -> Callable[[list[Record]], str]:
    """The mean over the seeds, and least and greatest where there are several."""

    def cell(own: list[Record]) -> str:
        values = [float((one.result or {})[name]) * scale for one in own]
        spread = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
        return f"{sum(values) / len(values):.{digits}f}{spread}"

    return cell


def tables(records: dict[str, Record]) -> str:
    strides = {int(name.split("/")[1]): record.config.stride for name, record in records.items()}
    tokens = ", ".join(f"{stride} at {distance:,}" for distance, stride in sorted(strides.items()))
    return "\n\n".join(
        [
            f"Every run: `auxrnn train latching --distance N {SHARED}` and the recipe's own words "
            f"(`benchmarks/reach.py`); raw steps of a token: {tokens}. "
            "`auxrnn train --config results/reach.jsonl#RUN` repeats one.",
            "Test accuracy, % of 300 sequences (chance 50, best possible 99.9):",
            table(records, mean("test_accuracy", 100, 1)),
            "Seconds of CPU time of training, one thread:",
            table(records, mean("cpu_seconds", 1, 0)),
            "Peak memory of the whole process, MiB:",
            table(records, mean("peak_memory_bytes", 2**-20, 0)),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", action="append", choices=tuple(RECIPES))
    parser.add_argument("--distance", action="append", type=int, choices=DISTANCES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of reach.jsonl and reach.md")
    given = parser.parse_args()
    file = given.out / "reach.jsonl"
    for seed in range(given.seeds):
        for recipe in given.recipe or RECIPES:
            for distance in given.distance or DISTANCES:
                if f"{recipe}/{distance}/seed-{seed}" not in read_records(file):
                    add_records(file, [made(recipe, distance, seed)])
    write_tables(given.out / "reach.md", "benchmarks/reach.py", tables(read_records(file)))


if __name__ == "__main__":
    main()
