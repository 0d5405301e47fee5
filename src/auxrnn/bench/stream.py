"""`auxrnn bench stream`: microseconds of a step that is pushed into a stream, against one bare call of `nn.LSTM`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from auxrnn.batch import InputSpec
from auxrnn.bench.measure import Spread, heading, in_turn, store, threads
from auxrnn.build import build_model
from auxrnn.config import ModelConfig
from auxrnn.model import SequenceClassifier
from auxrnn.report.figures import draw_lines
from auxrnn.report.tables import text_table
from auxrnn.streaming import Stream

BATCHES = (1, 64)
ROUNDS, CALLS = 15, 500
BARE = "bare nn.LSTM call"


def bench_stream(out: Path | None = None, *, thread_count: int = 1, smoke: bool = False) -> dict[str, Any]:
    """Print the table and return the figures. bare: one step that is projected already, without a head."""
    rounds, calls = (2, 3) if smoke else (ROUNDS, CALLS)
    hidden = 8 if smoke else 128
    figures: list[dict[str, Any]] = []
    with threads(thread_count):
        print(heading("A step pushed into a stream", hidden=hidden))
        rows = []
        for batch in BATCHES:
            seconds = in_turn(work(batch, hidden), rounds, repeats=calls)
            for name, values in seconds.items():
                share = Spread.of([own / bare for own, bare in zip(values, seconds[BARE], strict=True)])
                rows.append([name, str(batch), *Spread.of([1e6 * v for v in values]).words(1), *share.words()])
                figures.append({"name": name, "batch": batch, "seconds": values, "share_of_bare": share.median})
        print(text_table(["µs a step", "batch", "median", "min", "max", "of the bare call", "min", "max"], rows))
    lines = {
        f"{found['name']}, batch {found['batch']}": [(i, 1e6 * v) for i, v in enumerate(found["seconds"], 1)]
        for found in figures
    }
    drawing = draw_lines(lines, title="A step pushed into a stream", xlabel="round", ylabel="µs", logarithmic=False)
    return store(out, "stream", {"hidden": hidden, "calls": calls}, figures, seconds=drawing)


def work(batch: int, hidden: int) -> dict[str, Callable[[], object]]:
    """One step each: the bare call, `advance` without an answer, and `push` with one."""
    torch.manual_seed(0)
    config = ModelConfig(model="lstm", hidden_size=hidden, projection_size=hidden)
    network = build_model(config, InputSpec("pixels", 1), 10)
    assert isinstance(network, SequenceClassifier)
    stream = Stream(network, batch)
    step = torch.randint(0, 256, (batch, 1, 1), dtype=torch.uint8)
    core = network.encoder.core
    assert isinstance(core, nn.LSTM)
    projected = torch.rand(batch, 1, hidden)
    state = (torch.zeros(1, batch, hidden), torch.zeros(1, batch, hidden))

    def bare() -> object:
        with torch.inference_mode():
            return core(projected, state)

    return {BARE: bare, "advance": lambda: stream.advance(step), "push": lambda: stream.push(step)}
