"""The rivals side by side, in Markdown: python benchmarks/rivals.py [--record FILE] [--page FILE] [--seconds]

Reads the record of `auxrnn reproduce rivals --scale laptop` and writes the tables of results/laptop/rivals.md anew, one
a reading; what is said of the figures stands around them and stays. A cell is the mean test accuracy over the seeds and
half of its 95 % interval by Student's t, or the number of seeds in brackets where they are fewer than three.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median

from measure import write_tables

from auxrnn.experiments.catalogue import CELLS, RIVALS, WAYS
from auxrnn.experiments.grids.records import Record, read_records
from auxrnn.experiments.scales import LAPTOP, plan_runs
from auxrnn.report.statistics import spread
from auxrnn.report.tables import markdown_table

NAMES = {"lstm": "LSTM", "gru": "GRU", "lru": "LRU", "mingru": "minGRU", "ur-lstm": "UR-LSTM"}
TASKS = {"mnist": "MNIST", "pmnist": "pMNIST", "cifar10": "CIFAR10", "fsdd": "digits", "dbpedia-characters": "DBpedia"}
READ = {"last": "The head reads the last output", "stats": "The head reads mean and deviation of all outputs"}
WORDS = {
    "truncated": "windows",
    "truncated, chrono": "windows, chrono",
    "truncated, Adam": "windows, Adam",
    "checkpointed": "through all steps",
    **{way: f"windows, {way}" for way, settings in WAYS.items() if settings["model"] != "lstm"},
}


def arms(records: dict[str, Record]) -> dict[tuple[str, str], list[Record]]:
    """The records of each (task, arm) of the laptop's grid, by seed."""
    found: dict[tuple[str, str], list[Record]] = {}
    for run in plan_runs(RIVALS, LAPTOP, LAPTOP.seeds):
        own = found.setdefault((run.task, run.arm), [])
        if run.name in records and records[run.name].result:
            own.append(records[run.name])
    return found


def rows(found: dict[tuple[str, str], list[Record]], readout: str, seconds: bool) -> Iterator[list[str]]:
    """A row a cell and way, a column a task; rows without any run are left out."""
    for way, cell in product(WAYS, CELLS):
        cells = [written(found.get((task, f"{cell}, {way}, {readout}"), []), seconds) for task in TASKS]
        if any(cells):
            yield [f"{NAMES[cell]}; {WORDS.get(way, way)}", *cells]


def written(own: list[Record], seconds: bool) -> str:
    if not own:
        return ""
    results = [one.result or {} for one in own]
    if seconds:
        known = [result["cpu_seconds"] for result in results if "cpu_seconds" in result]
        return f"{median(known):.0f}" if known else "?"
    found = spread([100 * result["test_accuracy"] for result in results])
    if found.half_width is None or found.count < LAPTOP.seeds:
        return f"{found.mean:.1f} ({found.count})"
    return f"{found.mean:.1f} ± {found.half_width:.1f}"


def tables(records: dict[str, Record], seconds: bool) -> str:
    found = arms(records)
    head = ["cell; gradient, auxiliary loss", *TASKS.values()]
    return "\n\n".join(
        f"**{words}**\n\n{markdown_table(head, list(rows(found, readout, seconds)))}" for readout, words in READ.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, default=Path("results/laptop/rivals.jsonl"))
    parser.add_argument("--page", type=Path, default=Path("results/laptop/rivals.md"))
    parser.add_argument("--seconds", action="store_true", help="print median seconds of CPU time; write nothing")
    given = parser.parse_args()
    records = read_records(given.record)
    if not records:
        parser.error(f"{given.record}: expected a record of rivals, found no run.")
    if given.seconds:
        print(tables(records, True))
        return
    write_tables(given.page, "benchmarks/rivals.py", tables(records, False))


if __name__ == "__main__":
    main()
