"""Whether memory stays where it is over a long time: python benchmarks/soak.py [--out FILE].

Two parts, each in this one process: training on sequences of random lengths, with checkpoints, validation and both
auxiliary losses, by the trainer that `auxrnn train` uses; and one stream that is fed in chunks and then step by step.
The process' memory after the first 200 steps is compared with that at the end (and the most in between is told); above
5 % more the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.runs.environment import describe_environment
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.lazy import LazySequences
from auxrnn.training.loop import fit
from auxrnn.use.streaming import Stream

SPEC = InputSpec("values", 2)
MODEL = ModelConfig(
    model="rp-lstm", bptt=50, hidden_size=32, projection_size=16, num_anchors=5, segment_length=10, dropout=0.1
)
BATCH, EPOCHS = 4, 4  # the first epoch pretrains
LONGEST = 20_000
SETTLED = 200  # steps after which memory is to stay as it is
MOST = 0.05  # that it may grow by
CHUNK = 1000  # steps of the longest push
SINGLE = 20  # one step in so many is pushed alone


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="training steps")
    parser.add_argument("--longest", type=int, default=LONGEST, help="steps of the longest sequence")
    parser.add_argument("--stream", type=int, default=10_000_000, help="steps of the stream")
    parser.add_argument("--settled", type=int, default=SETTLED, help="steps before memory is looked at first")
    parser.add_argument("--part", choices=["training", "stream"], help="one of the two; both when left out")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file, in place of those of its part")
    options = parser.parse_args()
    torch.set_num_threads(1)
    grown = False
    for name, soak in (("training", soak_training), ("stream", soak_stream)):
        if options.part in (None, name):
            figures = soak(options)
            print(json.dumps(figures), flush=True)
            grown = grown or figures["growth"] > MOST
            if options.out:
                store(options.out, figures)
    return int(grown)


def store(out: Path, figures: dict[str, Any]) -> None:
    figures = {**figures, "kernels": int(os.environ.get("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "1024"))}
    found = describe_environment()
    where = {name: found[name] for name in ("processor", "cores", "threads", "platform", "python")}
    before = json.loads(out.read_text(encoding="utf-8"))["parts"] if out.exists() else []
    parts = [*(part for part in before if part["what"] != figures["what"]), figures]
    content = {"torch": found["packages"]["torch"], **where, "parts": parts}
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


class Memory:
    """What the process holds: when it has settled, at most since, at the end."""

    def __init__(self) -> None:
        self.settled = self.most = 0
        self._began = time.perf_counter()

    def look(self, *, settled: bool = False) -> None:
        now = resident()
        if settled:
            self.settled = now
        self.most = max(self.most, now) if self.settled else 0

    def figures(self) -> dict[str, Any]:
        end = resident()
        return {
            "settled_bytes": self.settled,
            "most_bytes": max(self.most, end),
            "end_bytes": end,
            "growth": round(end / self.settled - 1, 4),
            "seconds": round(time.perf_counter() - self._began, 1),
        }


class RandomSequences(LazySequences):
    """Noise of random lengths, made when it is asked for; `asked` is called before each."""

    def __init__(self, lengths: torch.Tensor, asked: Callable[[], None]) -> None:
        self.lengths, self._asked = lengths, asked

    def at(self, index: int) -> torch.Tensor:
        self._asked()
        generator = torch.Generator().manual_seed(index)
        return torch.randn(int(self.lengths[index]), SPEC.size, generator=generator)

    def subset(self, indices: torch.Tensor) -> RandomSequences:
        return RandomSequences(self.lengths[indices], self._asked)


def soak_training(options: argparse.Namespace) -> dict[str, Any]:
    """`options.steps` optimiser steps over all phases."""
    memory, asked = Memory(), iter(range(10**9))

    def look() -> None:
        step, place = divmod(next(asked), BATCH)
        if place == 0:
            memory.look(settled=step == options.settled)

    per_epoch = math.ceil(options.steps / EPOCHS)
    model = build_model(MODEL, SPEC, 2)
    training = TrainingConfig(
        pretrain_epochs=1,
        max_epochs=EPOCHS - 1,
        batch_size=BATCH,
        accelerator="cpu",
        checkpoint_steps=max(per_epoch // 5, 1),
        num_threads=1,
    )
    train = random_data("train", per_epoch * BATCH, options.longest, look)
    with tempfile.TemporaryDirectory() as folder:
        validation = random_data("validation", 2 * BATCH, options.longest, lambda: None)
        fit(model, train, validation, MODEL, training, folder=Path(folder), quiet=True)
    steps = per_epoch * EPOCHS
    return {"what": "training", "steps": steps, "longest": options.longest, "batch": BATCH, **memory.figures()}


def random_data(name: str, number: int, longest: int, asked: Callable[[], None]) -> SequenceData:
    lengths = torch.randint(1, longest + 1, (number,), generator=torch.Generator().manual_seed(len(name)))
    return SequenceData(name, SPEC, RandomSequences(lengths, asked), torch.arange(number) % 2, ("no", "yes"))


def soak_stream(options: argparse.Namespace) -> dict[str, Any]:
    """`options.stream` steps through one stream: most in chunks of random length, the last ones alone."""
    stream, memory = Stream(build_model(MODEL, SPEC, 2)), Memory()
    lengths, noise = random.Random(0), torch.randn(1, 2 * CHUNK, SPEC.size)
    alone = options.stream // SINGLE
    looked = 0
    while stream.steps < options.stream:
        most = 1 if stream.steps >= options.stream - alone else min(CHUNK, options.stream - alone - stream.steps)
        if not memory.settled:
            most = min(most, options.settled - stream.steps)
        first = lengths.randrange(CHUNK)
        stream.push(noise[:, first : first + lengths.randint(1, most)])
        if stream.steps == options.settled:
            memory.look(settled=True)
        elif stream.steps - looked >= 100_000:
            memory.look()
            looked = stream.steps
    return {"what": "stream", "steps": stream.steps, "alone": alone, "longest_chunk": CHUNK, **memory.figures()}


def resident() -> int:
    """Bytes of memory that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    raise SystemExit(main())
