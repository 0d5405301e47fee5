"""What a training step costs as sequences grow: peak memory and seconds, as ratios measured in one call.

Random pixels of the asked length stand in for data. Memory is that of a whole process beyond what it holds before the
step, the input included: on the CPU from the operating system (with blocks given back to it as they are freed, so that
what the C library keeps for later does not count), on a GPU from torch's allocator.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import torch

from auxrnn.anchors import step_generator
from auxrnn.batch import InputSpec, SequenceBatch
from auxrnn.build import build_model
from auxrnn.config import ModelConfig
from auxrnn.errors import InputError
from auxrnn.experiments.environment import describe_environment
from auxrnn.experiments.run_folder import write_json
from auxrnn.report.tables import text_table

BATCH_SIZE = 32
CASES = {
    "r-LSTM K 300, l 600": ModelConfig(model="r-lstm"),
    "p-LSTM K 300, l 600": ModelConfig(model="p-lstm"),
    "LSTM K 300": ModelConfig(model="lstm"),
    "LSTM full BPTT": ModelConfig(model="lstm", bptt="full"),
}
MEMORY_LENGTHS = (1_024, 16_384, 131_072)
TIME_LENGTHS = (16_384,)
FULL_LIMIT = 16_384
"""Full back-propagation beyond this length would need tens of gigabytes; it is left out."""
ROUNDS = 3
STATUS = Path("/proc/self/status")
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # read by glibc when a process starts

Result = TypeVar("Result")


@dataclass(frozen=True)
class Case:
    """One model at one length."""

    name: str
    steps: int
    config: ModelConfig


def bench_memory(lengths: Sequence[int] | None = None, out: Path | None = None) -> dict[str, Any]:
    """Peak memory of a training step at each length, each in a process of its own; prints a table."""
    if not torch.cuda.is_available() and not STATUS.exists():
        raise InputError(
            "Expected Linux or a GPU to measure memory on, found neither; auxrnn bench time works anywhere."
        )
    chosen = _cases(lengths or MEMORY_LENGTHS)
    print(_heading("Peak memory of a training step beyond the process before it, in MiB"))
    peaks = {}
    for case in chosen:
        peaks[case] = _apart(_peak_of_step, case) / 2**20
        print(f"{case.name}, T {case.steps:,}: {peaks[case]:.1f}", flush=True)
    print()
    rows = []
    for name in CASES:
        own = {case.steps: peak for case, peak in peaks.items() if case.name == name}
        if own:
            growth = f"{max(own.values()) / own[min(own)]:.3f}" if own[min(own)] else "-"
            rows.append(
                [
                    name,
                    *(f"{own[steps]:.1f}" if steps in own else "-" for steps in _lengths_of(chosen)),
                    growth,
                ]
            )
    print(text_table(["model", *(f"T {steps:,}" for steps in _lengths_of(chosen)), "largest / shortest"], rows))
    return _store(out, "memory", [{"model": c.name, "steps": c.steps, "mib": round(p, 2)} for c, p in peaks.items()])


def bench_time(lengths: Sequence[int] | None = None, out: Path | None = None) -> dict[str, Any]:
    """Seconds of a training step, the models in turn, medians of several rounds; prints a table with ratios."""
    chosen = _cases(lengths or TIME_LENGTHS)
    print(_heading(f"Seconds of a training step, medians of {ROUNDS} rounds in turn after one to warm up"))
    found: list[dict[str, Any]] = []
    for steps in _lengths_of(chosen):
        cases = [case for case in chosen if case.steps == steps]
        work = {case.name: _training_step(case) for case in cases}
        seconds: dict[str, list[float]] = {case.name: [] for case in cases}
        for counted in range(ROUNDS + 1):
            for name, step in work.items():
                started = time.perf_counter()
                step()
                if counted:
                    seconds[name].append(time.perf_counter() - started)
        slowest = max(statistics.median(values) for values in seconds.values())
        rows = [
            [name, f"{statistics.median(values):.3f}", f"{min(values):.3f}", f"{max(values):.3f}",
             f"{slowest / statistics.median(values):.1f}"]
            for name, values in seconds.items()
        ]  # fmt: skip
        print(text_table([f"T {steps:,}", "median s", "min", "max", "times faster than the slowest"], rows))
        found += [{"model": name, "steps": steps, "seconds": values} for name, values in seconds.items()]
    return _store(out, "time", found)


def _cases(lengths: Sequence[int]) -> list[Case]:
    return [
        Case(name, steps, config)
        for name, config in CASES.items()
        for steps in sorted(set(lengths))
        if config.bptt != "full" or steps <= FULL_LIMIT
    ]


def _lengths_of(cases: Sequence[Case]) -> list[int]:
    return sorted({case.steps for case in cases})


def _training_step(case: Case) -> Callable[[], None]:
    """A whole training step of batch 32 on random pixels: losses, backward, optimiser."""
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build_model(case.config, InputSpec("pixels", 1), 10).to(device)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3)
    batch = SequenceBatch(
        torch.randint(0, 256, (BATCH_SIZE, case.steps, 1), dtype=torch.uint8),
        torch.full((BATCH_SIZE,), case.steps),
        torch.randint(0, 10, (BATCH_SIZE,)),
    ).to(device)
    names = ("supervised", *case.config.auxiliaries)

    def step() -> None:
        losses = network.losses(batch, names, 0.5, step_generator(0))
        torch.stack([loss.mean for loss in losses.values()]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def _peak_of_step(case: Case) -> float:
    """Bytes at the height of a step beyond those before it; runs in a process of its own."""
    torch.set_num_threads(1)
    step = _training_step(case)
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return float(torch.cuda.max_memory_allocated() - before)
    _training_step(replace(case, steps=64, config=replace(case.config, bptt=8, segment_length=8)))()  # libraries load
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = _status("VmRSS")
    step()
    return float(_status("VmHWM") - before)


def _status(name: str) -> int:
    """A figure of this process in bytes, as Linux counts it."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} has no line {name}")


def _apart(function: Callable[[Case], Result], case: Case) -> Result:
    before = os.environ.copy()
    os.environ.update(GIVE_BACK)
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, case).result()
    finally:
        os.environ.clear()
        os.environ.update(before)


def _heading(what: str) -> str:
    found = describe_environment()
    where = ", ".join(found["gpus"]) or f"{found['processor']}, {found['threads']} threads of {found['cores']} cores"
    return f"{what}; LSTM 128, batch {BATCH_SIZE}; {where}; torch {found['packages']['torch']}\n"


def _store(out: Path | None, what: str, figures: list[dict[str, Any]]) -> dict[str, Any]:
    content = {"bench": what, "batch_size": BATCH_SIZE, "environment": describe_environment(), "figures": figures}
    if out is not None:
        write_json(out, content)
        print(f"\nFigures in {out}.")
    return content
