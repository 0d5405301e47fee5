"""The minGRU: a GRU whose gate and candidate read the input alone, so that its steps are a linear recurrence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from auxrnn.core.cells.scan import linear_scan
from auxrnn.core.cells.traces import Trace, with_bias, with_one


class MinGRU(nn.Module):
    """A recurrent core of minGRU layers, each on the states of the one below.

    With input x_t of a layer,

        z_t = sigmoid(W_z x_t + b_z)
        g_t = W_h x_t + b_h
        h_t = (1 - z_t) h_{t-1} + z_t g_t

    Parameters
    ----------
    input_size : int
        Features of a step (F), at least 1.
    hidden_size : int
        Units of a layer (H), at least 1.
    num_layers : int
        Layers, at least 1.

    References
    ----------
    Feng, Tung, Ahmed, Bengio & Hajimirsadeghi (2024), "Were RNNs all we needed?", arXiv 2410.01201, section 3.1. The
    form in log space (their appendix), whose candidates are positive, is for a scan that divides; ours does not.
    """

    divisible = True  # each row by itself

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1) -> None:
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        sizes = [input_size, *[hidden_size] * (num_layers - 1)]
        self.maps = nn.ModuleList(nn.Linear(size, 2 * hidden_size) for size in sizes)  # W_z, then W_h

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run over inputs (B, T, F) from a state (layers, B, H), zeros where None; outputs (B, T, H)."""
        weight: Tensor = next(self.parameters())
        if state is None:
            state = weight.new_zeros(self.num_layers, len(inputs), self.hidden_size)
        hidden, after = inputs.to(weight.dtype), []
        with torch.autocast("cpu" if inputs.is_meta else inputs.device.type, enabled=False):  # 1 - z needs all digits
            for linear, before in zip(self.maps, state, strict=True):
                gate, candidate = linear(hidden).chunk(2, dim=-1)
                hidden = linear_scan((-gate).sigmoid(), gate.sigmoid() * candidate, before)
                after.append(hidden[:, -1])
        return hidden, torch.stack(after)

    def traced_weights(self, below: nn.Linear | None) -> list[tuple[Tensor, ...]]:
        """See `traces.Traced`: W_z and W_h with their biases, (H, F + 1) each."""
        maps = [with_bias(linear, None if index else below) for index, linear in enumerate(self._linears())]
        return [tuple(both.chunk(2)) for both in maps]

    def traces(self, inputs: Tensor, state: Tensor, below: nn.Linear | None) -> tuple[list[Trace], Tensor]:
        """See `traces.Traced`."""
        found, after = [], []
        for (gates, candidates), before in zip(self.traced_weights(below), state, strict=True):
            read = with_one(inputs)  # (B, t, F + 1)
            gate, candidate = (read @ gates.T).sigmoid(), read @ candidates.T
            inputs = linear_scan(1 - gate, gate * candidate, before)
            earlier = torch.cat([before.unsqueeze(1), inputs[:, :-1]], dim=1)
            left = (1 - gate).flip(1).cumprod(1).flip(1)  # kept by a step and all behind it
            share = torch.cat([left[:, 1:], torch.ones_like(left[:, :1])], dim=1)
            slopes = (share * (candidate - earlier) * gate * (1 - gate), share * gate)
            found.append(Trace(left[:, 0], tuple(slope.transpose(1, 2) @ read for slope in slopes)))
            after.append(inputs[:, -1])
        return found, torch.stack(after)

    def units(self, state: Tensor) -> list[Tensor]:
        """See `traces.Traced`."""
        return list(state)

    def _linears(self) -> list[nn.Linear]:
        return [linear for linear in self.maps if isinstance(linear, nn.Linear)]

    @torch.no_grad()
    def keep_biases_(self, draw: Callable[[Tensor], Tensor]) -> None:
        """Let the share of each unit's state that a step keeps begin as the sigmoid of what is drawn, by layers."""
        for linear in self._linears():
            bias = linear.bias[: self.hidden_size]
            bias.copy_(-draw(torch.empty_like(bias)))
