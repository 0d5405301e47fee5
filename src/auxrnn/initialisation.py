"""Initialisations of a core beside torch's own. Knows nothing of truncation or losses."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn


@torch.no_grad()
def forget_bias_(core: nn.Module, value: float = 1.0) -> None:
    """Let every gate that keeps the state begin with bias `value`, in place (Gers et al. 2000; Jozefowicz et al. 2015).

    LSTM: the forget gate. GRU: the update gate. Raises ValueError for a core without gates.
    """
    for inputs, recurrent, keep, _ in _gates(core):
        inputs[keep], recurrent[keep] = value, 0.0


@torch.no_grad()
def chrono_(core: nn.Module, steps: int) -> None:
    """Chrono initialisation in place (Tallec & Ollivier 2018, arXiv 1804.11188, section 3).

    LSTM: forget bias log U(1, T - 1), input bias its negative. GRU: the gate that keeps the state, likewise. `steps` is
    T, the longest dependency expected, at least 3. Draws from torch's global generator. Raises ValueError for a core
    without gates.
    """
    if steps < 3:
        raise ValueError(f"Expected chrono initialisation over at least 3 steps, got {steps}.")
    for inputs, recurrent, keep, write in _gates(core):
        drawn = torch.empty_like(inputs[keep]).uniform_(1, steps - 1).log()
        inputs[keep], recurrent[keep] = drawn, 0.0
        if write is not None:
            inputs[write], recurrent[write] = -drawn, 0.0


def _gates(core: nn.Module) -> Iterator[tuple[Tensor, Tensor, slice, slice | None]]:
    """A layer each: input bias, recurrent bias, the stretch of the gate that keeps the state, of the one that writes.

    Torch's order: input, forget, cell, output (LSTM); reset, update, new (GRU, whose update gate does both).
    """
    if not isinstance(core, nn.LSTM | nn.GRU) or not core.bias:
        raise ValueError(f"Expected an LSTM or GRU core with biases, got {core}.")
    size = core.hidden_size
    write = slice(0, size) if isinstance(core, nn.LSTM) else None
    for layer in range(core.num_layers):
        yield getattr(core, f"bias_ih_l{layer}"), getattr(core, f"bias_hh_l{layer}"), slice(size, 2 * size), write
