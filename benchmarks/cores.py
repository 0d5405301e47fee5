"""CPU time of cores and of gradients, one thread: python benchmarks/cores.py [--out FILE.json] [--smoke]

First every core by its name, forward and backward over random inputs; then the supervised loss of a minGRU and an LSTM
that read statistics of all steps, and of an LRU that reads the last output, with its gradient by each way. The sides
take turns; medians, least and greatest.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import torch

from auxrnn.config import ModelConfig
from auxrnn.config.choices import Cell
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.core.encoder import make_core
from auxrnn.report.tables import text_table
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.folder import write_json

WAYS = {"windows of 50": ("truncated", 50), "full": ("truncated", "full"), "checkpointed": ("checkpointed", "full")}


def core_pass(name: str, rows: int, steps: int, size: int) -> Callable[[], None]:
    core, inputs = make_core(name, size, size), torch.randn(rows, steps, size)

    def run() -> None:
        core(inputs)[0].sum().backward()

    return run


def loss_pass(
    cell: str, readout: str, gradient: str, bptt: int | str, rows: int, steps: int, size: int
) -> Callable[[], None]:
    options = {"hidden_size": size, "projection_size": None, "readout": readout, "initialisation": "chrono"}
    config = ModelConfig(model="lstm", cell=cell, gradient=gradient, bptt=bptt, **options)  # type: ignore[arg-type]
    network = build_model(config, InputSpec("values", 4), 10, steps)
    batch = SequenceBatch(torch.randn(rows, steps, 4), torch.full((rows,), steps), torch.arange(rows) % 10)
    generator = torch.Generator().manual_seed(0)

    def run() -> None:
        network.losses(batch, ["supervised"], 0.0, generator)["supervised"].mean.backward()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows, size, rounds = (2, 4, 1) if given.smoke else (16, 64, 7)
    cases: dict[str, Callable[[], None]] = {}
    for number, steps in ((rows, 16), (rows, 20)) if given.smoke else ((80, 50), (16, 128), (16, 1024)):
        cases |= {f"{name}, {number} x {steps}": core_pass(name, number, steps, size) for name in get_args(Cell)}
    long = 30 if given.smoke else 4096
    for cell, readout in (("lstm", "stats"), ("mingru", "stats"), ("lru", "last")):
        ways = WAYS if cell == "lstm" else {**WAYS, "exact": ("exact", "full")}
        cases |= {
            f"{cell}, {readout}, {way}, {rows} x {long}": loss_pass(cell, readout, *ways[way], rows, long, size)
            for way in ways
        }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, run in cases.items():
            start = time.process_time()
            run()
            if number:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    table = [[name, *(f"{1e3 * of(own):.1f}" for of in (statistics.median, min, max))] for name, own in seconds.items()]
    print(text_table(["forward and backward, ms", "median", "least", "greatest"], table))
    if given.out is not None:
        write_json(given.out, {"environment": describe_environment(), "seconds": seconds})


if __name__ == "__main__":
    main()
