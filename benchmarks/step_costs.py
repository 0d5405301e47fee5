"""Seconds and peak memory of a training step as sequences grow, measured once into a JSON file.

Every case runs in processes of its own under a limit of memory. The first tells the peak: of live memory, at one
thread, so that nothing depends on chance; in the second they take turns at each length and tell the time. A case that
has run out of memory, or would take longer than its limit, is not tried at greater lengths, and the table says why.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError, did_you_mean
from auxrnn.experiments.own_process import Cost, OwnProcess, StoppedWorkError, free_memory
from auxrnn.experiments.random_step import model_step, random_inputs, the_device, whole_step
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.folder import write_json

LENGTHS = (1_024, 4_096, 16_384, 65_536, 131_072, 1_048_576)
SMOKE_LENGTHS = (64, 96)
ROUNDS = 3
LONG_CALL = 15.0
"""Seconds beyond which one call of a case, behind the warm-up on a short sequence, is all that is measured."""


@dataclass(frozen=True)
class Plain:
    """A plain program: full back-propagation, its activations kept or computed again every `chunk` steps."""

    chunk: int | None = None


@dataclass(frozen=True)
class Case:
    """One model at one length, with batches of `batch_size`."""

    name: str
    model: ModelConfig | Plain
    steps: int
    batch_size: int = 32


TOKENS: dict[str, Any] = {
    "model": "lstm",
    "stem": "conv",
    "stride": 8,
    "projection_size": None,
    "readout": "stats",
    "initialisation": "chrono",
}
"""The recipe `modern` at 128 cells."""

MODELS: dict[str, ModelConfig | Plain] = {
    "LSTM, full BPTT": Plain(),
    "LSTM, full BPTT, checkpoints": Plain(chunk=256),
    "Transformer": ModelConfig(model="transformer"),
    "LSTM, truncated": ModelConfig(model="lstm"),
    "r-LSTM 1x600": ModelConfig(model="r-lstm"),
    "r-LSTM 20x30": ModelConfig(model="r-lstm", num_anchors=20, segment_length=30),
    "p-LSTM": ModelConfig(model="p-lstm"),
    "modern, stride 8": ModelConfig(**TOKENS, bptt=50, anchor_labels=0.5),
    "modern, stride 8, full BPTT": ModelConfig(**TOKENS, bptt="full"),
}
WHOLE = ("LSTM, full BPTT", "LSTM, full BPTT, checkpoints", "Transformer", "modern, stride 8, full BPTT")
WHOLE_LIMIT = 131_072
"""Beyond this length models that keep something of every step are not tried."""


def measure_steps(
    path: Path | None,
    lengths: Sequence[int] | None = None,
    *,
    threads: int | None = None,
    memory: float | None = None,
    seconds: float = 150.0,
    models: Sequence[str] = (),
    batch_size: int = 32,
    smoke: bool = False,
) -> dict[str, Any]:
    """Measure a step of each model at each length, and return the figures.

    path: the JSON file of the figures, written after each length, so that a run that is ended keeps those that it has
    been through. memory: GiB that a case may take (default: 0.6 of what is free). models: some of MODELS; all of them
    when empty. InputError for one that is not among them.
    """
    for word in models:
        if word not in MODELS:
            raise InputError(f"Expected models among {'; '.join(MODELS)}, got {word!r}.{did_you_mean(word, MODELS)}")
    threads = threads or torch.get_num_threads()
    limit = int((memory * 2**30) if memory else 0.6 * free_memory())
    batch_size = 4 if smoke else batch_size
    found: dict[str, Any] = {
        "sizes": {"batch": batch_size, "hidden": 128, "memory_limit_GiB": round(limit / 2**30, 1), "threads": threads},
        "environment": describe_environment(),
        "figures": [],
    }
    for steps in sorted(set(lengths or (SMOKE_LENGTHS if smoke else LENGTHS))):
        cases = [
            Case(name, smaller(model) if smoke else model, steps, batch_size)
            for name, model in MODELS.items()
            if name in (models or MODELS) and (name not in WHOLE or steps <= WHOLE_LIMIT)
        ]
        found["figures"] += _at_one_length(cases, found["figures"], threads, limit, seconds)
        if path is not None:
            write_json(path, found)
    return found


def _at_one_length(
    cases: list[Case], before: list[dict[str, Any]], threads: int, limit: int, seconds: float
) -> list[dict[str, Any]]:
    costs: dict[str, list[Cost]] = {}
    stopped: dict[str, str] = {}
    peaks: dict[str, float | None] = {}
    with ExitStack() as processes:
        running: dict[str, OwnProcess] = {}
        for case in cases:
            reason = _reason_not_to(case, before, seconds)
            if reason is None:
                try:
                    with OwnProcess(training_step, case, threads=1, memory=limit, give_back=True) as own:
                        peaks[case.name] = own.call(2 * seconds).peak
                except StoppedWorkError as error:
                    reason = str(error)
            if reason is None:
                process = OwnProcess(training_step, case, threads=threads, memory=limit)
                running[case.name] = processes.enter_context(process)
            else:
                stopped[case.name] = reason
        for counted in range(ROUNDS + 1):
            for name, process in running.items():
                done = costs.setdefault(name, [])
                if name in stopped or (counted and done[0].seconds > LONG_CALL):
                    continue
                try:
                    done.append(process.call(seconds))
                except StoppedWorkError as error:
                    stopped[name] = str(error)
    return [_figure(case, costs.get(case.name, []), peaks.get(case.name), stopped.get(case.name)) for case in cases]


def _reason_not_to(case: Case, before: list[dict[str, Any]], seconds: float) -> str | None:
    """Why a case is not tried at this length, from how it went at the one before."""
    own = [figure for figure in before if figure["model"] == case.name]
    if not own:
        return None
    last = own[-1]
    if last["stopped"]:
        return (
            str(last["stopped"]) if "already" in last["stopped"] else f"already at {last['steps']:,}: {last['stopped']}"
        )
    expected = last["seconds"][-1] * case.steps / last["steps"]
    return None if expected <= seconds else f"would take {expected:.0f} s"


def _figure(case: Case, costs: list[Cost], peak: float | None, stopped: str | None) -> dict[str, Any]:
    """One line of the results: the first call warms up where there are more."""
    counted = costs[1:] or costs
    found: dict[str, Any] = {
        "model": case.name,
        "steps": case.steps,
        "seconds": [round(cost.seconds, 4) for cost in counted],
        "cpu_seconds": [round(cost.processor, 4) for cost in counted],
        "mib": None if peak is None else round(peak / 2**20, 2),
        "stopped": stopped,
    }
    times = f"{statistics.median(found['seconds']):.3f} s, {found['mib']:,.1f} MiB" if counted else "not run"
    print(f"{case.name}, T {case.steps:,}: {times}{f' ({stopped})' if stopped else ''}", flush=True)
    return found


def smaller(model: ModelConfig | Plain) -> ModelConfig | Plain:
    """The same model at a size for tests."""
    if isinstance(model, Plain):
        return model if model.chunk is None else Plain(chunk=16)
    bptt = 8 if model.bptt != "full" else "full"
    size = None if model.projection_size is None else 8
    segment = min(model.segment_length, 16)
    return replace(model, hidden_size=8, projection_size=size, bptt=bptt, segment_length=segment)


def training_step(case: Case) -> Callable[[], None]:
    """A whole training step on random pixels. Libraries are loaded on a short sequence."""
    if case.steps > 64:
        training_step(replace(case, steps=64))()
    torch.manual_seed(0)
    spec = InputSpec("pixels", 1)
    if isinstance(case.model, ModelConfig):
        return model_step(case.model, spec, batch_size=case.batch_size, steps=case.steps)
    plain = PlainLSTM(chunk=case.model.chunk).to(the_device())
    pixels = random_inputs(spec, case.batch_size, case.steps)[..., 0].to(the_device())
    labels = torch.randint(0, 10, (case.batch_size,)).to(the_device())
    return whole_step(plain, lambda: plain.losses(pixels, labels)[0])


class PlainLSTM(nn.Module):
    """Projection, LSTM, head: full back-propagation in one call of `nn.LSTM`, with nothing of the package.

    chunk: with it, activations are kept at every `chunk` steps alone and computed again on the way back.
    """

    def __init__(self, hidden_size: int = 128, classes: int = 10, *, chunk: int | None = None) -> None:
        super().__init__()
        self.chunk = chunk
        self.projection = nn.Linear(1, hidden_size)
        self.main = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.classifier = nn.Sequential(nn.Linear(hidden_size, 256), nn.ReLU(), nn.Linear(256, classes))

    def read(self, pixels: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        """The last output (B, H), and the state (hidden, cell) after it."""
        outputs, (hidden, cell) = self.main(
            self.projection(pixels.unsqueeze(-1).to(self.projection.weight.dtype) / 255), state
        )
        return outputs[:, -1], hidden, cell

    def losses(self, pixels: Tensor, labels: Tensor) -> list[Tensor]:
        if self.chunk is None:
            last = self.read(pixels)[0]
        else:
            zeros = torch.zeros(1, len(pixels), self.main.hidden_size, device=pixels.device)
            hidden, cell = zeros, zeros
            for piece in pixels.split(self.chunk, dim=1):
                last, hidden, cell = checkpoint(self.read, piece, (hidden, cell), use_reentrant=False)
        return [functional.cross_entropy(self.classifier(last), labels)]
