"""Initialisations of a core beside torch's own. Knows nothing of truncation or losses."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def chrono_(core: nn.Module, steps: int) -> None:
    """Chrono initialisation in place (Tallec & Ollivier 2018, arXiv 1804.11188, section 3).

    LSTM: forget bias log U(1, T - 1), input bias its negative. GRU: the gate that keeps the state, likewise. T = `steps`
    is the longest dependency expected, at least 3. Draws from torch's global generator. Raises ValueError for a core
    without gates.
    """
    if steps < 3:
        raise ValueError(f"Expected chrono initialisation over at least 3 steps, got {steps}.")
    if not isinstance(core, nn.LSTM | nn.GRU) or not core.bias:
        raise ValueError(f"Expected an LSTM or GRU core with biases for chrono initialisation, got {core}.")
    size = core.hidden_size
    for layer in range(core.num_layers):
        inputs, recurrent = getattr(core, f"bias_ih_l{layer}"), getattr(core, f"bias_hh_l{layer}")
        keep = torch.empty(size, dtype=inputs.dtype).uniform_(1, steps - 1).log()
        if isinstance(core, nn.LSTM):  # gates in torch's order: input, forget, cell, output
            inputs[:size], inputs[size : 2 * size] = -keep, keep
            recurrent[: 2 * size] = 0
        else:  # reset, update, new; torch keeps the state by the share of the update gate
            inputs[size : 2 * size] = keep
            recurrent[size : 2 * size] = 0
