"""Eligibility traces of diagonal recurrences: how a state depends on weights, carried forward instead of back.

Unit n of a diagonal recurrence depends on its own state and weights alone, so `d state_n / d weight` has one number a
weight: it can be carried from piece to piece. Knows nothing of losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from auxrnn.core.recurrent import State


@dataclass(frozen=True)
class Trace:
    """How the state of one layer behind a piece, (B, N), depends on what was before and on weights of its units.

    Attributes
    ----------
    decay : Tensor
        Its derivative by the state before the piece, (B, N).
    fresh : tuple of Tensor
        Its derivatives by each of the layer's weights (N, ...), through the steps of the piece alone: (B, N, ...).
    """

    decay: Tensor
    fresh: tuple[Tensor, ...]

    def after(self, earlier: Trace | None) -> Trace:
        """Join with the trace of all that was before."""
        if earlier is None:
            return self
        carried = [
            new + self.decay.view(*self.decay.shape, *[1] * (old.dim() - 2)) * old
            for old, new in zip(earlier.fresh, self.fresh, strict=True)
        ]
        return Trace(self.decay, tuple(carried))


class Traced(Protocol):
    """A core that knows its traces; the map before its first layer counts to that layer's weights."""

    def traced_weights(self, below: nn.Linear | None) -> list[tuple[Tensor, ...]]:
        """Give the weights (N, ...) of each layer that traces are kept of, as functions of the core's own."""

    def traces(self, inputs: Tensor, state: State, below: nn.Linear | None) -> tuple[list[Trace], State]:
        """Run over inputs (B, t, F) without gradient: a trace a layer, and the state behind them."""

    def units(self, state: State) -> list[Tensor]:
        """Give a state, or its gradient, as (B, N) of each layer."""


def with_one(inputs: Tensor) -> Tensor:
    """Add an input that is always 1, for the bias: (..., F + 1)."""
    return torch.cat([inputs, torch.ones_like(inputs[..., :1])], dim=-1)


def with_bias(linear: nn.Linear, below: nn.Linear | None = None) -> Tensor:
    """Give weight and bias of a linear map, or of it behind another, as one map of inputs with a one: (N, F + 1)."""
    both = torch.cat([linear.weight, linear.bias.unsqueeze(1)], dim=1)
    if below is None:
        return both
    inner = torch.cat([below.weight, below.bias.unsqueeze(1)], dim=1)
    return torch.cat([linear.weight @ inner[:, :-1], (linear.weight @ inner[:, -1] + linear.bias).unsqueeze(1)], dim=1)
