"""Training steps a second of several processes that share one GPU: python benchmarks/at_once.py --processes 4 8 12

Every process trains a network of its own on random input at the paper's size (batch 128, 784 steps, hidden 128), first
on torch's LSTM (cuDNN), then on this package's kernel. Without NVIDIA's multi-process service the processes take turns
on the card; with it (`nvidia-cuda-mps-control -d` before, `echo quit | nvidia-cuda-mps-control` after) their kernels
run side by side. Writes a JSON file with --out. --smoke: tiny, and on a CPU too, to see that it works.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.experiments.random_step import model_step
from auxrnn.report.tables import text_table
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.folder import write_json

MODELS: dict[str, dict[str, Any]] = {
    "LSTM": {"model": "lstm"},
    "r-LSTM 1x600": {"model": "r-lstm"},
    "r-LSTM 20x30": {"model": "r-lstm", "num_anchors": 20, "segment_length": 30},
    "p-LSTM": {"model": "p-lstm"},
}
PATIENCE = 300.0
"""Seconds that a process waits for the others, one of which may have died."""

Case = tuple[str, str, int]  # model, backend, processes at work


def main() -> int:
    options = parse()
    backends = ("cudnn", "persistent") if torch.cuda.is_available() else ("cudnn",)
    cases = [(model, backend, count) for model in MODELS for backend in backends for count in options.processes]
    context = multiprocessing.get_context("spawn")
    number = max(options.processes)
    barrier, found = context.Barrier(number, timeout=PATIENCE), context.Queue()
    shared = (cases, barrier, found, options)
    workers = [context.Process(target=work, args=(index, *shared), daemon=True) for index in range(number)]
    for worker in workers:
        worker.start()
    expected = sum(count for _, _, count in cases)
    rates: dict[Case, list[float]] = {case: [] for case in cases}
    for _ in range(expected):
        case, rate = found.get(timeout=PATIENCE)
        rates[case].append(rate)
    for worker in workers:
        worker.join()
    rows = [
        [model, backend, str(count), f"{sum(own):.1f}", f"{1000 * count / sum(own):.1f}"]
        for (model, backend, count), own in rates.items()
    ]
    print(text_table(["model", "LSTM by", "processes", "steps a second in all", "ms a step of each"], rows))
    if options.out is not None:
        names = ("model", "backend", "processes")
        figures = [{**dict(zip(names, case, strict=True)), "steps": own} for case, own in rates.items()]
        write_json(options.out, {"environment": describe_environment(), "figures": figures})
    return 0


def work(
    index: int, cases: list[Case], barrier: Barrier, found: Queue[tuple[Case, float]], options: argparse.Namespace
) -> None:
    """One process: makes every step beforehand, then takes part where the case has so many processes."""
    torch.set_num_threads(1)
    batch, steps = (4, 50) if options.smoke else (128, 784)
    sizes: dict[str, Any] = {"hidden_size": 8, "segment_length": 9} if options.smoke else {}
    made = {}
    for model, backend in dict.fromkeys(case[:2] for case in cases):
        config = ModelConfig(**MODELS[model] | sizes)
        step = model_step(config, InputSpec("pixels", 1), batch_size=batch, steps=steps, backend=backend)
        for _ in range(3):
            step()
        made[model, backend] = step
    for case in cases:
        barrier.wait()
        if index >= case[2]:
            continue
        step, count, begun = made[case[:2]], 0, time.perf_counter()
        while time.perf_counter() - begun < options.seconds:
            step()
            count += 1
        found.put((case, count / (time.perf_counter() - begun)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 8, 12], help="default: 1 4 8 12")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each case")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if min(options.processes) < 1:
        parser.error(f"Expected at least 1 process, got {min(options.processes)}.")
    return options


if __name__ == "__main__":
    sys.exit(main())
