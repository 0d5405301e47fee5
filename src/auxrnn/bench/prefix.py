"""`auxrnn bench prefix`: the pass without gradient, a step, against `nn.LSTM` on input that is projected already.

Ours reads raw pixels or characters and folds the projection; `nn.LSTM` runs under `inference_mode` and is given its
input as floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from auxrnn.batch import InputSpec
from auxrnn.bench.measure import Spread, heading, in_turn, store, threads, times_faster
from auxrnn.bench.random_step import random_inputs
from auxrnn.encoder import Encoder
from auxrnn.report.figures import draw_lines
from auxrnn.report.tables import text_table
from auxrnn.truncation import WindowPlan, encode_plans

ROUNDS = 7


@dataclass(frozen=True)
class Sizes:
    """Of what is measured."""

    batches: tuple[int, ...] = (16, 32, 128)
    steps: int = 1_024
    hidden: int = 128
    vocabularies: tuple[int, ...] = (32, 72, 256)


SMOKE = Sizes(batches=(4,), steps=32, hidden=8, vocabularies=(6,))


def bench_prefix(
    out: Path | None = None, *, thread_counts: tuple[int, ...] = (), smoke: bool = False
) -> dict[str, Any]:
    """Print a table a number of threads and return the figures."""
    sizes = SMOKE if smoke else Sizes()
    counts = thread_counts or tuple(sorted({1, torch.get_num_threads()}))
    figures: list[dict[str, Any]] = []
    for count in counts:
        with threads(count):
            print(heading("The pass without gradient", steps=sizes.steps, hidden=sizes.hidden))
            figures += _with_threads(count, sizes, 2 if smoke else ROUNDS)
    lines: dict[str, list[tuple[float, float]]] = {}
    for figure in figures:
        name = f"{figure['input']}, {figure['threads']} threads"
        lines.setdefault(name, []).append((figure["batch"], figure["times_faster"]))
    drawing = draw_lines(lines, title="Prefix against nn.LSTM", xlabel="sequences", ylabel="times faster",
                         logarithmic=False)  # fmt: skip
    return store(out, "prefix", vars(sizes), figures, ratio=drawing)


def _with_threads(count: int, sizes: Sizes, rounds: int) -> list[dict[str, Any]]:
    kinds: list[tuple[str, InputSpec]] = [("pixels", InputSpec("pixels", 1))]
    kinds += [(f"{size} characters", InputSpec("characters", size)) for size in sizes.vocabularies]
    figures, rows = [], []
    for name, spec in kinds:
        for batch in sizes.batches:
            seconds = in_turn(work(spec, batch, sizes), rounds)
            ratio = times_faster(seconds["nn.LSTM"], seconds["auxrnn"])
            micro = {side: Spread.of([1e6 * value / sizes.steps for value in seconds[side]]) for side in seconds}
            rows.append([name, str(batch), *micro["nn.LSTM"].words(1)[:1], *micro["auxrnn"].words(1), *ratio.words()])
            figures.append({
                "input": name, "batch": batch, "threads": count, "times_faster": ratio.median,
                "seconds": seconds,
            })  # fmt: skip
    header = ["µs a step", "batch", "nn.LSTM", "auxrnn", "min", "max", "times faster", "min", "max"]
    print(text_table(header, rows), end="\n\n")
    return figures


def work(spec: InputSpec, batch: int, sizes: Sizes) -> dict[str, Callable[[], object]]:
    """Both sides' call for one kind of input and one batch."""
    torch.manual_seed(0)
    encoder = Encoder(spec, hidden_size=sizes.hidden, projection_size=sizes.hidden)
    inputs = random_inputs(spec, batch, sizes.steps)
    end = torch.full((batch, 1), sizes.steps)
    plan = WindowPlan(end, end, outputs=False)
    core = encoder.core
    assert isinstance(core, nn.LSTM)
    with torch.inference_mode():
        features = encoder.features(inputs)
        projected = features if encoder.projection is None else encoder.projection(features)

    def theirs() -> object:
        with torch.inference_mode():
            return core(projected)

    def ours() -> object:
        with torch.inference_mode():
            return encode_plans(encoder, inputs, [plan])

    return {"nn.LSTM": theirs, "auxrnn": ours}
