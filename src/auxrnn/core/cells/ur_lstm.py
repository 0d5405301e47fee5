"""The UR-LSTM: an LSTM whose forget gate begins uniformly and is refined by a second gate."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.initialisation import uniform_gate_


class URLSTM(nn.Module):
    """A recurrent core of UR-LSTM layers, each on the outputs of the one below.

    With input x_t of a layer,

        f_t, r_t, o_t = sigmoid(W [x_t, h_{t-1}] + b), each with weights and biases of its own
        u_t = tanh(W_u [x_t, h_{t-1}] + b_u)
        g_t = r_t (1 - (1 - f_t)^2) + (1 - r_t) f_t^2
        c_t = g_t c_{t-1} + (1 - g_t) u_t
        h_t = o_t tanh(c_t)

    The refine gate r moves the forget gate f up or down by f (1 - f), so that g reaches 0 and 1 while f has a slope.
    The biases of f begin as the logit of U(1 / H, 1 - 1 / H), those of r as their negatives.

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
    Gu, Gulcehre, Paine, Hoffman & Pascanu (2020), "Improving the gating mechanism of recurrent neural networks",
    arXiv 1910.09890, sections 3.1 to 3.3. Their f and r share one bias; ours begin so and learn apart.
    """

    divisible = True  # each row by itself

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1) -> None:
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        sizes = [input_size, *[hidden_size] * (num_layers - 1)]
        self.maps = nn.ModuleList(nn.Linear(size + hidden_size, 4 * hidden_size) for size in sizes)  # f, r, u, o
        uniform_gate_(self)

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over inputs (B, T, F) from (h, c), (layers, B, H) each, zeros where None; outputs (B, T, H)."""
        zeros = inputs.new_zeros(self.num_layers, len(inputs), self.hidden_size, dtype=next(self.parameters()).dtype)
        outputs, after = inputs, []
        for linear, hidden, cell in zip(self.maps, *((zeros, zeros) if state is None else state), strict=True):
            assert isinstance(linear, nn.Linear)
            own, recurrent = linear.weight.split([outputs.shape[-1], self.hidden_size], dim=1)
            steps = []
            for given in functional.linear(outputs, own, linear.bias).unbind(1):  # (B, 4H) each
                gates = given + functional.linear(hidden, recurrent)
                forget, refine, update, output = gates.chunk(4, dim=-1)
                forget, refine = forget.sigmoid(), refine.sigmoid()
                square = forget.square()
                keep = square + 2 * refine * (forget - square)
                cell = torch.lerp(update.tanh(), cell, keep)
                hidden = output.sigmoid() * cell.tanh()
                steps.append(hidden)
            outputs = torch.stack(steps, dim=1)
            after.append((hidden, cell))
        hiddens, cells = zip(*after, strict=True)
        return outputs, (torch.stack(hiddens), torch.stack(cells))

    @torch.no_grad()
    def keep_biases_(self, draw: Callable[[Tensor], Tensor]) -> None:
        """Let the forget gate begin with the biases that are drawn, by layers, the refine gate with their negatives."""
        for linear in self.maps:
            forget, refine = linear.get_parameter("bias")[: 2 * self.hidden_size].chunk(2)
            forget.copy_(draw(torch.empty_like(forget)))
            refine.copy_(-forget)
