"""Whole runs of seconds, on scikit-learn's digits, for the tests of commands and run folders."""

from dataclasses import fields, replace
from pathlib import Path

import torch

from auxrnn.config import RunConfig
from auxrnn.runs.run import resume_run, start_run
from auxrnn.training.checkpoints import find_checkpoints
from auxrnn.training.step import TrainingStep

SMALL = RunConfig(
    data="digits",
    limit_train=40,
    model="rp-lstm",
    hidden_size=4,
    projection_size=3,
    bptt=4,
    segment_length=8,
    pretrain_epochs=1,
    max_epochs=2,
    batch_size=16,
    lr=0.01,
    accelerator="cpu",
    checkpoint_steps=1,
    seed=3,
)
"""36 sequences to train: 3 steps an epoch, 9 in all."""


class KilledError(Exception):
    """Stands for a kill: nothing of ours catches it."""


def as_words(config, out):
    """The words after `auxrnn train` that give `config`."""
    default = RunConfig()
    names = [item.name for item in fields(RunConfig) if getattr(config, item.name) != getattr(default, item.name)]
    return [*(f"--{name}={getattr(config, name)}" for name in names if name != "out"), f"--out={out}"]


def run_small(folder, say=lambda line: None, **changes):
    """Start a run in `folder` and return its result."""
    return start_run(replace(SMALL, out=str(folder), **changes), say)


def resume_small(folder, say=lambda line: None):
    return resume_run(Path(folder), say)


def at_step(monkeypatch, number, action):
    """Call `action` before the optimiser step of that number, counted from 0 over all phases of one process."""
    plain, steps = TrainingStep.losses, iter(range(10**6))

    def step(self, batch):
        if next(steps) == number:
            action()
        return plain(self, batch)

    monkeypatch.setattr(TrainingStep, "losses", step)


def kill():
    raise KilledError


def model_bytes(folder):
    """Every file of the trained model, and the curve and the last weights of its training, which the best may hide."""
    found = {path.name: path.read_bytes() for path in sorted((Path(folder) / "model").iterdir())}
    found["curve"] = [line.rpartition(",")[0] for line in (Path(folder) / "metrics.csv").read_text().splitlines()]
    last = torch.load(find_checkpoints(Path(folder) / "checkpoints")[0][2], weights_only=True)["state_dict"]
    found["last weights"] = {name: weight.numpy().tobytes() for name, weight in last.items()}
    return found
