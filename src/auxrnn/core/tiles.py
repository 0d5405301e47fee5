"""Sums of independent parts: forward and backward part by part, so that each part stays in the cache.

A loss is a sum over sequences. Run whole, the activations of a long window leave the cache before the backward pass
needs them. Run in tiles of some sequences, each with its own backward pass, they stay, and only one tile's graph is
ever held. The gradients are ready when the sum is returned; `backward` hands them on, scaled. The values are those of
the whole up to rounding. Knows nothing of windows or objectives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from auxrnn.core.threads import even_parts, in_threads
from auxrnn.targets.losses import Loss

TILE_STEPS = 4_800
"""Steps of a tile over all of its rows: few enough for the cache (measured, LSTM 128)."""

WIDE = 256
"""A step that reads n numbers counts as 1 + n // WIDE steps: a token of a stem may read a thousand."""

LEAST_ROWS = 8
"""Rows that a product needs to run at speed; short windows take more, for each call of a core costs several steps."""

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

INDEPENDENT = (nn.Linear, nn.Embedding, nn.LSTM, nn.GRU, nn.RNN, nn.ReLU, nn.Dropout, nn.LayerNorm, nn.Identity)
"""Layers that treat each row by itself; a layer of your own says so with an attribute `divisible`."""


@dataclass(frozen=True)
class PartedLoss:
    """A loss that is a sum over parts.

    Parameters
    ----------
    parts : sequence of callable
        Each gives the loss of its part.
    weights : sequence of Parameter
        What the gradient is wanted for.
    """

    parts: Sequence[Callable[[], Loss]]
    weights: Sequence[nn.Parameter]


def sum_parts(losses: Sequence[PartedLoss], threads: int) -> list[Loss]:
    """Add up the losses with their gradients, the parts of all of them spread over `threads` threads."""
    parts = [(index, part) for index, loss in enumerate(losses) for part in loss.parts]
    shares = [parts[first::threads] for first in range(min(threads, len(parts)))]
    sums = in_threads([partial(_add_up, share, losses) for share in shares])
    found = []
    for index, loss in enumerate(losses):
        own = [one[index] for one in sums if index in one]
        whole, gradients = own[0]
        for other, more in own[1:]:
            whole, gradients = whole + other, add_gradients(gradients, more)
        found.append(replace(whole, total=with_gradients(whole.total, gradients, loss.weights)))
    return found


def with_gradients(total: Tensor, gradients: Gradients, weights: Sequence[nn.Parameter]) -> Tensor:
    """Give a scalar whose `backward` hands on gradients that are known already, one a weight, None for none."""
    return _Ready.apply(total, gradients, *weights)  # type: ignore[no-untyped-call]


def treats_rows_alone(modules: Sequence[nn.Module]) -> bool:
    """Say whether every layer treats each row by itself, so that a batch may be cut anywhere."""
    for module in modules:
        for layer in module.modules():
            if next(layer.children(), None) is not None:
                ours = isinstance(layer, CONTAINERS) or type(layer).__module__.startswith("auxrnn.")
                if not (ours or getattr(layer, "divisible", False)):
                    return False  # what it does with its parts is not known
                continue
            if not (isinstance(layer, INDEPENDENT) or getattr(layer, "divisible", False)):
                return False
    return True


def draw_by_row(modules: Sequence[nn.Module]) -> bool:
    """Say whether a layer drops something of every row at random. DropConnect does not: it drops weights."""
    layers = [layer for module in modules for layer in module.modules() if layer.training]
    return any(
        (isinstance(layer, nn.Dropout) and layer.p) or (isinstance(layer, nn.RNNBase) and layer.dropout)
        for layer in layers
    )


def tiles(sequences: int, rows_each: int, steps_each: int, threads: int, numbers: int = 1) -> list[range]:
    """Cut a batch into tiles of about TILE_STEPS steps, fewer of wide ones, and at least LEAST_ROWS rows.

    The number of tiles is a multiple of the threads, so that no thread waits for another's last tile.

    Parameters
    ----------
    sequences : int
        Sequences of the batch.
    rows_each, steps_each : int
        Rows that the loss takes of a sequence, and steps over all of them.
    threads : int
        Threads to keep busy, at least 1.
    numbers : int
        Numbers that a step reads, at least 1.

    Returns
    -------
    list of range
        The sequences of each tile.
    """
    wanted = -(-sequences * steps_each * (1 + numbers // WIDE) // TILE_STEPS)
    wanted = min(wanted, -(-sequences * rows_each // LEAST_ROWS))
    return even_parts(sequences, -(-max(wanted, 1) // threads) * threads)


Gradients = list[Tensor | None]


def _add_up(
    share: Sequence[tuple[int, Callable[[], Loss]]], losses: Sequence[PartedLoss]
) -> dict[int, tuple[Loss, Gradients]]:
    """The sums of a share of the parts and of their gradients, by the number of the loss."""
    found: dict[int, tuple[Loss, Gradients]] = {}
    for index, part in share:
        with torch.enable_grad():
            loss = part()
        weights = losses[index].weights
        gradients: Gradients = [None] * len(weights)
        if loss.total.requires_grad and weights:
            found_here = torch.autograd.grad(loss.total, weights, allow_unused=True)
            # That of a plain sum is one number seen many times, which cannot be added to in place.
            gradients = [None if gradient is None else gradient.contiguous() for gradient in found_here]
        torch.clear_autocast_cache()  # weights cast for this part belong to its graph, which is gone
        loss = replace(loss, total=loss.total.detach())
        if index in found:
            done, before = found[index]
            loss, gradients = done + loss, add_gradients(before, gradients)
        found[index] = loss, gradients
    return found


def add_gradients(gradients: Gradients, others: Gradients) -> Gradients:
    """Both together; the first are added to in place."""
    return [
        new if done is None else done if new is None else done.add_(new)
        for done, new in zip(gradients, others, strict=True)
    ]


class _Ready(torch.autograd.Function):
    """A scalar whose gradients are known already."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, gradients: list[Tensor | None], *weights: Tensor) -> Tensor:
        ctx.gradients = gradients
        return total.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(None if one is None else one * factor for one in ctx.gradients)
