"""What a training step costs one process and two over gloo: python benchmarks/scaling.py [--out FILE].

Figures are medians over the steps of one epoch. Processor time counts what a process computes, not what it waits for,
so that busy neighbours matter little; wall time is only worth reading on an idle machine with a core a process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.loop import fit
from auxrnn.training.step import StepLosses, TrainingStep

STEPS = 4
CASES = [(length, ranks) for length in (256, 1024, 4096) for ranks in (1, 2)]
BATCH = 16  # of all processes together
MODEL = ModelConfig(model="r-lstm", bptt=100, segment_length=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    found = []
    for length, ranks in CASES:
        found.append({"steps": length, "processes": ranks, "batch": BATCH, **measure(length, ranks)})
        print(found[-1], flush=True)
    if options.out:
        options.out.write_text(json.dumps({"cores": os.cpu_count(), "cases": found}, indent=2) + "\n")


def measure(length: int, ranks: int) -> dict[str, Any]:
    """Of the busiest process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    children = [context.Process(target=train, args=(length, ranks, rank, port, queue)) for rank in range(ranks)]
    for child in children:
        child.start()
    figures = [queue.get(timeout=600) for _ in children]
    for child in children:
        child.join()
    return {name: round(max(figure[name] for figure in figures), 3) for name in figures[0]}


def train(length: int, ranks: int, rank: int, port: int, queue: Any) -> None:
    torch.set_num_threads(1)
    if ranks > 1:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "MASTER_PORT": port, "LOCAL_WORLD_SIZE": ranks}
        os.environ.update({name: str(value) for name, value in names.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", GROUP_RANK="0", TORCHELASTIC_RUN_ID="bench")
    spec = InputSpec("pixels", size=1)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (BATCH * STEPS, length, 1), generator=generator, dtype=torch.uint8)
    labels = torch.arange(len(inputs)) % 2
    data = SequenceData("bench", spec, inputs, labels, ("even", "odd"))
    training = TrainingConfig(
        pretrain_epochs=0, max_epochs=1, batch_size=BATCH // ranks, accelerator="cpu", devices=ranks, strategy="auto"
    )
    moments: list[tuple[float, float]] = []
    plain = TrainingStep.losses

    def step(self: TrainingStep, *given: Any) -> StepLosses:
        moments.append((time.process_time(), time.perf_counter()))
        return plain(self, *given)

    TrainingStep.losses = step  # type: ignore[method-assign]
    torch.manual_seed(0)
    model = build_model(MODEL, spec, 2)
    fit(model, data, None, MODEL, training, quiet=True)
    between = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(moments[1:])]
    queue.put(
        {
            "processor_seconds": statistics.median(cpu for cpu, _ in between),
            "wall_seconds": statistics.median(wall for _, wall in between),
            "parameters": sum(weight.numel() for weight in model.parameters()),
        }
    )


if __name__ == "__main__":
    main()
