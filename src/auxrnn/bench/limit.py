"""`auxrnn bench limit`: how near the machine's own limits the other benches' cases come.

Measured: the rate of matrix products and the bandwidth of memory. From them follows a floor: the arithmetic that a case
needs at that rate, or the bytes that it has to move at that bandwidth, whichever takes longer. Only matrix products are
counted as arithmetic (not gates, softmax, optimiser), and as bytes inputs, weights and what a gradient pass keeps,
written once and read once: nobody can be faster, and 100 % cannot be reached.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from auxrnn.batch import InputSpec, SequenceBatch
from auxrnn.bench import length, prefix, step, stream
from auxrnn.bench.measure import heading, in_turn, store, threads
from auxrnn.config import ModelConfig
from auxrnn.report.figures import Point, draw_bars
from auxrnn.report.tables import text_table

ROUNDS = 5
HEAD_UNITS, LEVELS, CLASSES = 256, 256, 10


@dataclass(frozen=True)
class Work:
    """What a case cannot do without: multiplications and additions of matrix products, and bytes moved."""

    operations: float
    bytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.operations + other.operations, self.bytes + other.bytes)


def lstm_work(steps: float, inputs: int, hidden: int, *, gradient: bool) -> Work:
    """Of `steps` steps (over all rows) of one layer: 4 gates; the way back is two products for each one forward.

    The gradient pass keeps four gates, cell and output of each step.
    """
    once = 2 * 4 * hidden * (inputs + hidden) * steps
    weights = 4 * 4 * hidden * (inputs + hidden)
    return Work(3 * once, 2 * 4 * 6 * hidden * steps + 3 * weights) if gradient else Work(once, weights)


def head_work(rows: float, inputs: int, outputs: int, *, gradient: bool) -> Work:
    """Of a feed-forward head with its hidden units; the gradient pass keeps both layers' results."""
    once = 2 * HEAD_UNITS * (inputs + outputs) * rows
    return Work(3 * once, 2 * 4 * (HEAD_UNITS + outputs) * rows) if gradient else Work(once, 0)


def step_work(config: ModelConfig, batch: int, steps: int, *, true_inputs: bool) -> Work:
    """Of a training step of lstm or r-lstm on grey pixels, without an input projection of its own (it folds).

    true_inputs: all of the decoder's inputs are true, so it runs once; else it runs a first time without gradient.
    """
    hidden = config.hidden_size
    assert isinstance(config.bptt, int)
    reach = min(config.bptt, steps)
    found = lstm_work(batch * (steps - reach), 1, hidden, gradient=False)
    found += lstm_work(batch * reach, 1, hidden, gradient=True) + Work(0, batch * steps)
    found += head_work(batch, hidden, CLASSES, gradient=True)
    if "reconstruct" in config.auxiliaries:
        segment = min(config.segment_length, steps)
        rows = batch * config.num_anchors
        found += lstm_work(rows * min(reach, segment), 1, hidden, gradient=True)
        layers = config.auxiliary_options.decoder_layers
        assert layers is not None
        for gradient in (True,) if true_inputs else (True, False):
            for layer in range(layers):
                found += lstm_work(rows * (segment - 1), hidden if layer else 1, hidden, gradient=gradient)
            found += head_work(rows * (segment - 1), hidden, LEVELS, gradient=gradient)
    return found


def bench_limit(out: Path | None = None, *, thread_count: int | None = None, smoke: bool = False) -> dict[str, Any]:
    """Print the machine's rates and a table of the cases, and return the figures."""
    with threads(thread_count or torch.get_num_threads()):
        print(heading("The machine's limits, and the share of them that is reached", type="fp32"))
        rate, bandwidth = product_rate(64 if smoke else 1024), memory_bandwidth(2**10 if smoke else 2**26)
        print(f"Matrix products {rate / 1e9:,.1f} GFlop/s, memory {bandwidth / 1e9:,.1f} GB/s\n")
        cases = _cases(smoke=smoke)
        seconds = in_turn({name: call for name, (call, _) in cases.items()}, 2 if smoke else ROUNDS)
    figures: list[dict[str, Any]] = []
    rows = []
    for name, (_, work) in cases.items():
        arithmetic, moving = work.operations / rate, work.bytes / bandwidth
        floor, measured = max(arithmetic, moving), statistics.median(seconds[name])
        bound = "arithmetic" if arithmetic >= moving else "memory"
        rows.append([
            name, f"{work.operations / 1e9:,.3f}", f"{work.bytes / 1e6:,.1f}", f"{1e3 * floor:,.3f}", bound,
            f"{1e3 * measured:,.3f}", f"{100 * floor / measured:.0f} %",
        ])  # fmt: skip
        figures.append({
            "case": name, "operations": work.operations, "bytes": work.bytes, "floor": floor, "bound": bound,
            "seconds": seconds[name], "share": floor / measured,
        })  # fmt: skip
    header = ["case", "GFlop", "MB", "floor ms", "bound by", "measured ms", "share reached"]
    print(text_table(header, rows))
    bars = {found["case"]: Point(0, 100 * found["share"]) for found in figures}
    drawing = draw_bars(bars, title="Share of the machine's limit", xlabel="floor / measured, %")
    return store(out, "limit", {"flops": rate, "bytes_per_second": bandwidth}, figures, share=drawing)


def product_rate(size: int) -> float:
    """Operations a second of a square matrix product, the best of several."""
    one, other, into = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    seconds = in_turn({"product": lambda: torch.mm(one, other, out=into)}, 20)["product"]
    return 2 * size**3 / min(seconds)


def memory_bandwidth(numbers: int) -> float:
    """Bytes a second, read and written, of a copy far larger than any cache, the best of several."""
    source, into = torch.rand(numbers), torch.empty(numbers)
    seconds = in_turn({"copy": lambda: into.copy_(source)}, 10)["copy"]
    return 8 * numbers / min(seconds)


def _cases(*, smoke: bool) -> dict[str, tuple[Callable[[], object], Work]]:
    """Calls of the other benches and what each has to do."""
    found: dict[str, tuple[Callable[[], object], Work]] = {}
    sizes = prefix.SMOKE if smoke else prefix.Sizes()
    for batch in sizes.batches:
        call = prefix.work(InputSpec("pixels", 1), batch, sizes)["auxrnn"]
        work = lstm_work(batch * sizes.steps, 1, sizes.hidden, gradient=False) + Work(0, batch * sizes.steps)
        found[f"prefix, batch {batch}, {sizes.steps:,} steps"] = call, work
    of_step = step.SMOKE if smoke else step.Sizes()
    torch.manual_seed(0)
    network = step.r_lstm(of_step)
    pixels = torch.randint(0, 256, (of_step.batch, of_step.steps, 1), dtype=torch.uint8)
    lengths, labels = torch.full((of_step.batch,), of_step.steps), torch.randint(0, CLASSES, (of_step.batch,))
    batch_of_step = SequenceBatch(pixels, lengths, labels)
    anchor = of_step.segment

    def training_step() -> None:
        network.zero_grad()
        torch.stack([loss.mean for loss in step.our_losses(network, batch_of_step, anchor)]).sum().backward()

    config = step.config_of(of_step)
    found["step"] = training_step, step_work(config, of_step.batch, of_step.steps, true_inputs=True)
    steps, batch = (96, 4) if smoke else (4_096, 32)
    for name in ("LSTM, truncated", "r-LSTM 1x600", "r-LSTM 20x30"):
        model = length.smaller(length.MODELS[name]) if smoke else length.MODELS[name]
        assert isinstance(model, ModelConfig)
        case = length.Case(name, model, steps, batch)
        work = step_work(model, batch, steps, true_inputs=False)
        found[f"length, {name}, {steps:,} steps"] = length.training_step(case), work
    for batch in stream.BATCHES:
        hidden = 8 if smoke else 128
        work = lstm_work(batch, 1, hidden, gradient=False)
        found[f"stream, batch {batch}"] = stream.work(batch, hidden)["advance"], work
    return found
