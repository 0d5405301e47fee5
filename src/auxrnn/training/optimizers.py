"""Optimisers by name, and the learning rate over the steps of a phase. Know nothing of models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

ONE_CYCLE_WARMUP = 0.3
"""Torch's own default of the share of steps on which one cycle rises."""

ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START * 1e-4
"""Factors on the learning rate at both ends of one cycle, as torch's `OneCycleLR` has them by default."""


class TensorFlowRMSprop(torch.optim.Optimizer):
    """RMSProp as TensorFlow 1's `tf.train.RMSPropOptimizer` computes it, which the paper's authors had.

    `s = decay * s + (1 - decay) * g^2; w = w - lr * g / sqrt(s + epsilon)`, with `s` starting at **one**. Torch's
    `RMSprop` starts it at zero, which makes the first step 10 times the learning rate, decays by 0.99 and adds 1e-8
    outside the root.

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
        super().__init__(params, {"lr": lr, "decay": decay, "epsilon": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients: list[Tensor] = [weight.grad for weight in weights]
            squares = [self._mean_square(weight) for weight in weights]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(weights, gradients, roots, -group["lr"])
        return loss

    def _mean_square(self, weight: nn.Parameter) -> Tensor:
        state = self.state[weight]
        if not state:
            state["mean_square"] = torch.ones_like(weight, memory_format=torch.preserve_format)
        return state["mean_square"]


OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "rmsprop_tf": TensorFlowRMSprop,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def make_optimizer(
    name: str, weights: Sequence[nn.Parameter], lr: float, weight_decay: float | None = None
) -> torch.optim.Optimizer:
    """The optimiser called `name` over weights; `weight_decay` is for matrices alone, torch's own where None."""
    if weight_decay is None:
        return OPTIMIZERS[name](weights, lr=lr)  # type: ignore[call-arg]
    matrices = [weight for weight in weights if weight.dim() > 1]
    others = [weight for weight in weights if weight.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return OPTIMIZERS[name](groups, lr=lr)  # type: ignore[call-arg]


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
