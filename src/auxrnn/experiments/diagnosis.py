"""Where a trained model's gradient and its evidence lie: `auxrnn diagnose`.

The gradient that training used is compared with that through all steps, part by part of the network. The states of the
units last so many tokens. And parts of test sequences are blanked, to see which ones the answers rest on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.gradients import checkpointed_loss
from auxrnn.core.model import Classifier, SequenceClassifier
from auxrnn.errors import InputError
from auxrnn.experiments.lifetimes import lifetimes
from auxrnn.report.tables import text_table
from auxrnn.runs.datasets import load_again
from auxrnn.sources.dataset import SequenceData
from auxrnn.use.inference import evaluating, measure
from auxrnn.use.opening import open_model

SEQUENCES = 300
"""Test sequences whose parts are blanked, at most."""

ROWS = 16
"""Sequences of the batch whose gradients are compared."""

DRAWS = 8
"""Of windows, for the mean of the gradient used."""

STRETCHES = 8

QUANTILES = {"least": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "greatest": 1.0}


@dataclass(frozen=True)
class Alignment:
    """The gradient used beside the one through all steps, of one part of a network.

    Attributes
    ----------
    part : str
        Its module.
    single, mean : float
        Cosine with a gradient of one draw of windows, averaged over the draws; and with the mean over all draws.
    size : float
        Norm of that mean in norms of the gradient through all steps.
    """

    part: str
    single: float
    mean: float
    size: float


def alignments(network: SequenceClassifier, batch: SequenceBatch, draws: int = DRAWS) -> list[Alignment]:
    """Compare the supervised loss's gradient with that of full back-propagation, which runs by checkpoints.

    Nothing is dropped meanwhile. Parts without a gradient through all steps are left out.
    """
    named = dict(network.named_parameters())
    with evaluating(network), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward pass in evaluation
        whole = checkpointed_loss(network.encoder, network.encoder.cut(batch), network.supervised)
        exact = _by_part(named, whole.total)
        used = []
        for draw in range(draws):
            generator = torch.Generator().manual_seed(draw)
            used.append(_by_part(named, network.losses(batch, ["supervised"], 0.0, generator)["supervised"].total))
    found = []
    for part, true in exact.items():
        if not true.any():
            continue
        own = [one[part] for one in used]
        mean = torch.stack(own).mean(0)
        single = sum(_cosine(one, true) for one in own) / len(own)
        found.append(Alignment(part, single, _cosine(mean, true), float(mean.norm() / true.norm())))
    return found


def _by_part(named: dict[str, torch.nn.Parameter], total: Tensor) -> dict[str, Tensor]:
    """The gradients of the weights of each module as one vector, float64."""
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True, materialize_grads=True)
    parts: dict[str, list[Tensor]] = {}
    for name, gradient in zip(named, gradients, strict=True):
        parts.setdefault(name.rpartition(".")[0], []).append(gradient.flatten().double())
    return {part: torch.cat(own) for part, own in parts.items()}


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))


def blanked(data: SequenceData, parts: Sequence[slice]) -> SequenceData:
    """Blank the steps `parts[i]` of sequence i: zeros, which are black pixels, mean values, unknown characters."""
    inputs = []
    for index, steps in enumerate(parts):
        sequence = data.inputs[index].clone()
        sequence[steps] = 0
        inputs.append(sequence)
    return replace(data, inputs=inputs, image_shape=None, pixel_order=None)


def scores_by_reach(network: Classifier, data: SequenceData, reaches: Sequence[int]) -> dict[int, float]:
    """Give the target's score where all but the last so many steps of each sequence are blanked."""
    lengths = data.lengths.tolist()
    return {
        reach: _score(network, blanked(data, [slice(0, max(length - reach, 0)) for length in lengths]))
        for reach in reaches
    }


def scores_without(network: Classifier, data: SequenceData, stretches: int = STRETCHES) -> list[float]:
    """Give the target's score where one of so many equal stretches of each sequence is blanked, for each in turn."""
    lengths = data.lengths.tolist()
    parts = [[stretch(index, stretches, length) for length in lengths] for index in range(stretches)]
    return [_score(network, blanked(data, part)) for part in parts]


def stretch(index: int, stretches: int, length: int) -> slice:
    """The steps of one of so many equal stretches of a sequence."""
    return slice(index * length // stretches, (index + 1) * length // stretches)


def _score(network: Classifier, data: SequenceData) -> float:
    return measure(network, data)[1][data.target.score]


def spread_places(number: int, most: int) -> Tensor:
    """At most so many of `number` places, evenly, for files are often sorted by class."""
    chosen = min(number, most)
    return torch.arange(chosen) * number // chosen


def _told_lifetimes(network: SequenceClassifier, batch: SequenceBatch) -> Iterator[str]:
    """How long states last, layer by layer; nothing for a core that keeps no share of its own."""
    with evaluating(network):
        tokens = network.encoder.cut(batch)
        layers = lifetimes(network.encoder, tokens)
    if not layers:
        return
    stride, longest = network.encoder.stride, int(tokens.lengths.max())
    unit = "steps" if stride == 1 else f"tokens of {stride:,} steps"
    yield f"\nFor how many {unit} the state of a unit lasts, over the units ({longest:,} are the longest sequence):"
    shares = torch.tensor(list(QUANTILES.values()), dtype=torch.float64)
    rows = [[str(number), *(f"{value:,.3g}" for value in units.quantile(shares).tolist())]
            for number, units in enumerate((one.cpu() for one in layers), 1)]  # fmt: skip
    yield text_table(["layer", *QUANTILES], rows)


def diagnose(path: Path, data_dir: str | None = None) -> Iterator[str]:
    """Yield the lines of a diagnosis of the model in a run folder, on test sequences spread evenly over all.

    Raises
    ------
    InputError
        For a model without a state that goes from step to step, or one that does not say what it was trained on.
    """
    saved = open_model(path)
    network, name = saved.network, saved.facts.get("data")
    if not isinstance(network, SequenceClassifier):
        raise InputError(f"{path}: expected a recurrent network to diagnose, got a {saved.config.model}.")
    if not isinstance(name, str):
        raise InputError(f"{path}: expected a model that says what it was trained on, got none; take a run folder.")
    test = load_again(name, saved.facts, data_dir, saved.preprocessing, saved.target).test
    data = test.subset(spread_places(len(test), SEQUENCES))
    batch = data.batch(spread_places(len(data), ROWS))
    found = [
        [one.part, f"{one.single:.3f}", f"{one.mean:.3f}", f"{one.size:.3g}"] for one in alignments(network, batch)
    ]
    yield f"Gradient of the labels that training used, beside that through all steps ({len(batch)} test sequences):"
    yield text_table(["part", "cosine, one draw", f"cosine, mean of {DRAWS}", "norm, relative"], found)
    yield from _told_lifetimes(network, batch)
    if data.target.per_step:
        return
    longest = int(data.lengths.max())
    reaches = [2**power for power in range(longest.bit_length()) if 2**power < longest] + [longest]
    score = data.target.score
    yield f"\n{score} where all but the last steps are blanked ({len(data)} test sequences):"
    yield text_table(
        ["steps kept", score],
        [[f"{kept:,}", f"{value:.4f}"] for kept, value in scores_by_reach(network, data, reaches).items()],
    )
    yield f"\n{score} where one stretch of each sequence is blanked:"
    shares = [f"{index}/{STRETCHES} to {index + 1}/{STRETCHES}" for index in range(STRETCHES)]
    without = [[share, f"{value:.4f}"] for share, value in zip(shares, scores_without(network, data), strict=True)]
    yield text_table(["stretch", score], without)
