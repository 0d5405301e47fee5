"""What holds the weights of forward propagation through time together from piece to piece. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

ALPHA = 0.1
"""As in the authors' code, where it is 0.05 to 0.5 by task."""


class DynamicRegulariser:
    """The term `alpha / 2 ||W - mean||^2 - <dual, W>` of each step's loss; mean and dual follow the weights.

    After a step

        dual = dual - alpha (W - mean)
        mean = (mean + W) / 2 - dual / (2 alpha)

    so that the dual is the gradient of the loss where a step has come to rest, which needs no second backward pass. At
    the end of an epoch the weights become their means, and the dual 0.

    Parameters
    ----------
    weights : sequence of Parameter
        None for no such term.

    References
    ----------
    Kag & Saligrama (2021), "Training recurrent neural networks via forward propagation through time", ICML, PMLR 139,
    as their code computes it. The paper writes the term as `alpha / 2 ||W - mean - dual / (2 alpha)||^2`, which counts
    the dual half.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        self.weights = list(weights)
        self.means = [weight.detach().clone() for weight in self.weights]
        self.duals = [torch.zeros_like(mean) for mean in self.means]

    @torch.no_grad()
    def add_gradients(self) -> None:
        """Add the gradient of the term to that of the loss, before it is clipped."""
        for weight, mean, dual in self._parts():
            if weight.grad is not None:
                weight.grad += ALPHA * (weight - mean) - dual

    @torch.no_grad()
    def step_ends(self) -> None:
        """Follow the weights, which a step of the optimiser has changed."""
        for weight, mean, dual in self._parts():
            dual -= ALPHA * (weight - mean)
            mean.add_(weight).sub_(dual / ALPHA).div_(2)

    @torch.no_grad()
    def epoch_ends(self) -> None:
        for weight, mean, dual in self._parts():
            weight.copy_(mean)
            dual.zero_()

    def state_dict(self) -> dict[str, Any]:
        return {"means": self.means, "duals": self.duals}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for own, saved in ((self.means, state["means"]), (self.duals, state["duals"])):
            for part, value in zip(own, saved, strict=True):
                part.copy_(value)

    def _parts(self) -> zip[tuple[nn.Parameter, Tensor, Tensor]]:
        return zip(self.weights, self.means, self.duals, strict=True)
