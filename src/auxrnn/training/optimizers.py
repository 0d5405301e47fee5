"""Optimisers by name, and the learning rate over the steps of a phase. Know nothing of models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

ONE_CYCLE_WARMUP = 0.3
"""Torch's own default of the share of steps on which one cycle rises."""

ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START * 1e-4
"""Factors on the learning rate at both ends of one cycle, as torch's `OneCycleLR` has them by default."""


class TensorFlowRMSprop:
    """RMSProp as TensorFlow 1's `tf.train.RMSPropOptimizer` computes it, which the paper's authors had.

    `s = decay * s + (1 - decay) * g^2; w = w - lr * g / sqrt(s + epsilon)`, with `s` starting at **one**. Torch's
    `RMSprop` starts it at zero, which makes the first step 10 times the learning rate, decays by 0.99 and adds 1e-8
    outside the root.

    It is used as torch's optimisers are, but is none: their base class loads torch's compiler, a second and 250 MB.

    Parameters
    ----------
    params : iterable of Parameter
        Weights to train; one without a gradient stays as it is.
    lr : float
        Learning rate, at least 0.
    decay : float
        Of the mean square, in [0, 1).
    epsilon : float
        Inside the root, above 0.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 1e-3, decay: float = 0.9, epsilon: float = 1e-10
    ) -> None:
        if not (lr >= 0 and 0 <= decay < 1 and epsilon > 0):
            raise ValueError(f"Expected lr >= 0, decay in [0, 1) and epsilon > 0, got {lr}, {decay} and {epsilon}.")
        self.weights, self.decay, self.epsilon = list(params), decay, epsilon
        self.param_groups: list[dict[str, Any]] = [{"params": self.weights, "lr": lr}]
        self.mean_squares: list[Tensor | None] = [None] * len(self.weights)  # None before the first gradient

    def zero_grad(self) -> None:
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the weights by their gradients."""
        places = [place for place, weight in enumerate(self.weights) if weight.grad is not None]
        if places:
            weights: list[Tensor] = [self.weights[place] for place in places]
            gradients: list[Tensor] = [weight.grad for weight in weights]  # type: ignore[misc]
            squares = [self._mean_square(place) for place in places]
            torch._foreach_mul_(squares, self.decay)
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - self.decay)
            roots = torch._foreach_add(squares, self.epsilon)
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(weights, gradients, roots, -self.param_groups[0]["lr"])

    def _mean_square(self, place: int) -> Tensor:
        square = self.mean_squares[place]
        if square is None:
            square = torch.ones_like(self.weights[place], memory_format=torch.preserve_format)
            self.mean_squares[place] = square
        return square

    def state_dict(self) -> dict[str, Any]:
        return {"mean_squares": self.mean_squares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean_squares = [
            None if square is None else square.to(weight, copy=True)
            for square, weight in zip(state["mean_squares"], self.weights, strict=True)
        ]


OPTIMIZERS: dict[str, Any] = {
    "rmsprop_tf": TensorFlowRMSprop,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def make_optimizer(name: str, weights: Sequence[nn.Parameter], lr: float, weight_decay: float | None = None) -> Any:
    """The optimiser called `name` over weights; `weight_decay` is for matrices alone, torch's own where None."""
    if weight_decay is None:
        return OPTIMIZERS[name](weights, lr=lr)
    matrices = [weight for weight in weights if weight.dim() > 1]
    others = [weight for weight in weights if weight.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return OPTIMIZERS[name](groups, lr=lr)


def learning_rate_factor(name: str, steps: int, warmup: float | None = None) -> Callable[[int], float]:
    """The factor on the learning rate at each step of a phase of `steps`.

    Parameters
    ----------
    name : {"constant", "step", "cosine", "one_cycle"}
        constant: 1. step: 1, 0.1, 0.01 on the first, second and last third. cosine: from 1 to 0. one_cycle: from 1/25
        up to 1 and down to 1/250,000, both ways as a cosine (Smith & Topin 2018, arXiv 1708.07120; numbers of torch's
        `OneCycleLR`).
    steps : int
        Of the phase.
    warmup : float, optional
        Share of the steps in [0, 1] on which the factor rises to 1, in a straight line but for one_cycle. None: 0.3
        for one_cycle, 0 for the others.
    """
    shapes: dict[str, Callable[[float, float], float]] = {
        "constant": lambda step, last: 1.0,
        "step": lambda step, last: 0.1 ** min(3 * step // last, 2),
        "cosine": lambda step, last: _cosine(1.0, 0.0, step / last),
        "one_cycle": lambda step, last: _cosine(1.0, ONE_CYCLE_END, step / last),
    }
    if name not in shapes:
        raise ValueError(f"Expected a schedule of {', '.join(shapes)}, got {name!r}.")
    cycle = name == "one_cycle"
    rising = (ONE_CYCLE_WARMUP if cycle else 0.0) if warmup is None else warmup
    summit = max(rising * steps - cycle, 0)  # torch's one cycle counts its ends among the steps
    falling = max(steps - cycle - summit, 1)

    def factor(step: int) -> float:
        if step < summit:
            return _cosine(ONE_CYCLE_START, 1.0, step / summit) if cycle else (step + 1) / (summit + 1)
        return shapes[name](step - summit, falling)

    return factor


def _cosine(start: float, end: float, way: float) -> float:
    """From `start` to `end` on half a cosine while `way` goes from 0 to 1 and beyond."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(way, 1.0)))
