"""How long a training takes, and how much of it a budget of time has room for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

import torch

from auxrnn.config import RunConfig, seconds_of
from auxrnn.core.anchors import step_generator
from auxrnn.core.build import build_model
from auxrnn.core.threads import cpu_threads
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.candidates import CANDIDATES
from auxrnn.training.optimizers import make_optimizer
from auxrnn.training.order import steps_an_epoch
from auxrnn.training.precision import find_device
from auxrnn.training.search import Found, Say, search_steps

LEAST_STEPS_TIMED = 500
"""Fewer are done before it is worth to say how long they take."""

MOST_TIMED = 20
TIMED_SECONDS = 1.0
"""Steps, and seconds, after which a step is timed well enough."""

LONG = 60.0
"""Seconds of search and training that are told beforehand."""


def seconds_a_step(config: RunConfig, train: SequenceData) -> float:
    """Wall time of a training step here and now, beside what else is at work: the mean over batches drawn at random,
    for about a second, after one that is not counted.
    """
    device = find_device(config.accelerator)
    with torch.random.fork_rng(devices=[]), cpu_threads(config.num_threads):
        network = build_model(config, train.spec, train.target, int(train.lengths.max())).to(device)
        optimizer = make_optimizer(config.optimizer, list(network.parameters()), config.lr, config.weight_decay)
        names = ["supervised", *config.auxiliaries]

        def step(number: int) -> float:
            generator = step_generator(number)
            rows = torch.randperm(len(train), generator=generator)[: config.batch_size]
            losses = network.losses(train.batch(rows, lazy=True).to(device), names, 1.0, generator)
            optimizer.zero_grad()
            torch.stack([loss.mean for loss in losses.values()]).sum().backward()
            optimizer.step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            return time.perf_counter()

        start = step(0)
        for number in range(1, MOST_TIMED + 1):
            seconds = step(number) - start
            if seconds >= TIMED_SECONDS:
                break
    return seconds / number


def tell_duration(
    config: RunConfig, train: SequenceData, given: Collection[str], warn: Say, step_time: Callable[[], float]
) -> None:
    """Say how long search and training will take, where that is more than `LONG` seconds."""
    steps = steps_an_epoch(config, len(train)) * (config.max_epochs + _pretraining(config))
    searching = search_steps(config, train, given) if config.recipe == "modern" else 0
    steps += searching
    if steps < LEAST_STEPS_TIMED:
        return
    seconds = steps * step_time()
    if seconds > LONG:
        told = f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
        warn(told + " at most" * (searching > 0))


def within_budget(config: RunConfig, train: SequenceData, given: Collection[str], step_time: float) -> RunConfig:
    """As many epochs as the budget has time for, beside the candidates; of those as many as half of it has time for."""
    assert config.budget is not None
    steps = seconds_of(config.budget) / step_time
    if config.candidates is None:
        numbers = (replace(config, candidates=number) for number in range(CANDIDATES, 0, -1))
        config = next(one for one in numbers if one.candidates == 1 or search_steps(one, train, given) <= steps / 2)
    left = max(steps - search_steps(config, train, given), steps / 2)
    return replace(config, max_epochs=max(round(left / steps_an_epoch(config, len(train))) - _pretraining(config), 1))


def with_rest_of_budget(found: Found, an_epoch: int, step_time: float, say: Say) -> Found:
    """What was found, with more epochs where the search took fewer steps than it might have."""
    assert found.config.budget is not None
    epochs = round((seconds_of(found.config.budget) / step_time - found.steps) / an_epoch)
    epochs -= _pretraining(found.config)
    if epochs <= found.config.max_epochs:
        return found
    line = f"Chosen      --max_epochs {epochs}: what the search left of the budget"
    say(line)
    return replace(found, config=replace(found.config, max_epochs=epochs), lines=(*found.lines, line))


def _pretraining(config: RunConfig) -> int:
    """Epochs before those that have labels."""
    return config.pretrain_epochs if config.auxiliaries else 0
