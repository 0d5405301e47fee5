"""The linear recurrent unit: a complex diagonal recurrence between linear maps, in blocks with a gate and a norm."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.cells.scan import linear_scan
from auxrnn.core.cells.traces import Trace, with_bias, with_one


class LRULayer(nn.Module):
    """One block: recurrence, GELU, gated linear unit, skip, layer norm.

    With input u_t (H) and complex state x_t (N = H),

        x_t = lambda * x_{t-1} + gamma * (B u_t)        lambda = exp(-exp(nu) + i exp(theta))
        y_t = Re(C x_t) + D * u_t
        o_t = norm(u_t + (W_1 gelu(y_t)) * sigmoid(W_2 gelu(y_t)))

    `|lambda| < 1` for any nu. At first |lambda| lies in the ring [r_min, r_max], uniformly over its area, the phase
    uniformly in [0, max_phase], and gamma = sqrt(1 - |lambda|^2), so that states have the size of inputs. nu, theta and
    gamma are learned, the last as its logarithm.

    Complex numbers are pairs of real ones side by side: B maps to (N, 2), a state is (B, 2N), C reads it so.
    """

    def __init__(self, size: int, r_min: float, r_max: float, max_phase: float) -> None:
        super().__init__()
        self.size = size
        self.nu, self.theta, self.gamma = (nn.Parameter(torch.empty(size)) for _ in range(3))
        self.skip = nn.Parameter(torch.randn(size))  # D
        self.into = nn.Linear(size, 2 * size, bias=False)  # B
        self.out_of = nn.Linear(2 * size, size, bias=False)  # C; the sign of its imaginary part is as good as drawn
        self.gate = nn.Linear(size, 2 * size)  # W_1, W_2
        self.norm = nn.LayerNorm(size)
        nn.init.normal_(self.into.weight, std=math.sqrt(0.5 / size))
        nn.init.normal_(self.out_of.weight, std=math.sqrt(1 / size))
        area = torch.rand(size) * (r_max**2 - r_min**2) + r_min**2
        with torch.no_grad():
            self.theta.copy_((max_phase * torch.rand(size)).log())
            self.begin_at_(0.5 * area.log())

    @torch.no_grad()
    def begin_at_(self, log_modulus: Tensor) -> None:
        """Let |lambda| begin as the exponential of `log_modulus` (N,), below 0, and gamma as it follows from it."""
        self.nu.copy_((-log_modulus).log())
        self.gamma.copy_(0.5 * (-torch.expm1(2 * log_modulus)).log())

    def factors(self) -> Tensor:
        """Give lambda, (N,) complex."""
        return torch.polar((-self.nu.exp()).exp(), self.theta.exp())

    def input_map(self) -> Tensor:
        """Give gamma * B, (2N, H)."""
        return self.into.weight * self.gamma.exp().repeat_interleave(2).unsqueeze(1)

    def forward(self, inputs: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Run over inputs (B, T, H) from a state (B, 2N)."""
        given = functional.linear(inputs, self.input_map()).unflatten(-1, (-1, 2))
        complex_before = torch.view_as_complex(before.unflatten(-1, (-1, 2)).contiguous())
        states = linear_scan(self.factors(), torch.view_as_complex(given), complex_before)
        real = torch.view_as_real(states).flatten(-2)  # (B, T, 2N)
        found = functional.gelu(self.out_of(real) + self.skip * inputs)
        return self.norm(inputs + functional.glu(self.gate(found))), real[:, -1]


class LRU(nn.Module):
    """A recurrent core of LRU blocks (`LRULayer`) on a linear map of the input.

    Parameters
    ----------
    input_size : int
        Features of a step (F), at least 1.
    hidden_size : int
        Width of a block (H) and complex units of its state, at least 1.
    num_layers : int
        Blocks, at least 1; the paper has 4 to 6.
    r_min, r_max : float
        Ring in which the moduli of lambda begin, `0 <= r_min < r_max < 1`. A unit of modulus r lasts about 1 / (1 - r)
        steps.
    max_phase : float
        Largest phase of lambda at first, above 0.

    References
    ----------
    Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu & De (2023), "Resurrecting recurrent neural networks for long
    sequences", arXiv 2303.06349, sections 3.2 to 3.4 and appendix A; the ring is that of their pixel tasks. Their norm
    (batch norm) stands before a block. Ours is layer norm behind it: before the first block it would take the amplitude
    of a scalar input away. They drop units, and train nu, theta and B at a smaller rate without decay; we do neither,
    but vectors have no decay.
    """

    divisible = True  # each row by itself

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        r_min: float = 0.9,
        r_max: float = 0.999,
        max_phase: float = 2 * math.pi,
    ) -> None:
        super().__init__()
        if not 0 <= r_min < r_max < 1 or max_phase <= 0:
            raise ValueError(
                f"Expected 0 <= r_min < r_max < 1 and max_phase above 0, got {r_min}, {r_max} and {max_phase}."
            )
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.first = nn.Linear(input_size, hidden_size)
        self.layers = nn.ModuleList(LRULayer(hidden_size, r_min, r_max, max_phase) for _ in range(num_layers))

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run over inputs (B, T, F) from a state (layers, B, 2H), zeros where None; outputs (B, T, H)."""
        weight: Tensor = self.first.weight
        if state is None:
            state = weight.new_zeros(self.num_layers, len(inputs), 2 * self.hidden_size)
        after = []
        with torch.autocast("cpu" if inputs.is_meta else inputs.device.type, enabled=False):  # no complex halves
            hidden = self.first(inputs.to(weight.dtype))
            for layer, before in zip(self.layers, state, strict=True):
                hidden, last = layer(hidden, before)
                after.append(last)
        return hidden, torch.stack(after)

    def traced_weights(self, below: nn.Linear | None) -> list[tuple[Tensor, ...]]:
        """See `traces.Traced`: lambda (H,) and gamma * B, complex; the latter with the map before the first block."""
        found: list[tuple[Tensor, ...]] = []
        for index, layer in enumerate(self._blocks()):
            into = torch.view_as_complex(layer.input_map().unflatten(0, (-1, 2)).movedim(1, -1).contiguous())  # (N, H)
            found.append((layer.factors(), into if index else into @ with_bias(self.first, below).to(into.dtype)))
        return found

    def traces(self, inputs: Tensor, state: Tensor, below: nn.Linear | None) -> tuple[list[Trace], Tensor]:
        """See `traces.Traced`."""
        found, after = [], []
        first, read = with_bias(self.first, below), with_one(inputs)
        behind = torch.arange(inputs.shape[1] - 1, -1, -1, device=inputs.device).unsqueeze(
            1
        )  # steps behind each, (t, 1)
        for index, (layer, before) in enumerate(zip(self._blocks(), state, strict=True)):
            factors, into = layer.factors(), layer.input_map()
            powers = factors.pow(behind)  # (t, N)
            start = torch.view_as_complex(before.unflatten(-1, (-1, 2)).contiguous())
            given = functional.linear(read, into if index else into @ first).unflatten(-1, (-1, 2))
            states = linear_scan(factors, torch.view_as_complex(given), start)
            earlier = torch.cat([start.unsqueeze(1), states[:, :-1]], dim=1)
            of_inputs = torch.view_as_real(powers).flatten(1).T @ read  # (B, 2N, F)
            of_inputs = torch.view_as_complex(of_inputs.unflatten(1, (-1, 2)).movedim(2, -1).contiguous())
            decay = (powers[0] * factors).expand_as(start)
            found.append(Trace(decay, ((powers * earlier).sum(1), of_inputs)))
            after.append(torch.view_as_real(states[:, -1]).flatten(-2))
            if index + 1 < self.num_layers:
                read = layer(read if index else functional.linear(read, first), before)[0]
        return found, torch.stack(after)

    def units(self, state: Tensor) -> list[Tensor]:
        """See `traces.Traced`."""
        return list(torch.view_as_complex(state.unflatten(-1, (-1, 2)).contiguous()))

    def _blocks(self) -> list[LRULayer]:
        return [layer for layer in self.layers if isinstance(layer, LRULayer)]

    @torch.no_grad()
    def scale_phases_(self, factor: float) -> None:
        """Multiply the phases of lambda by a factor above 0, in all blocks."""
        for layer in self._blocks():
            layer.theta.add_(math.log(factor))

    @torch.no_grad()
    def keep_biases_(self, draw: Callable[[Tensor], Tensor]) -> None:
        """Let |lambda|, the share of the state that a step keeps, begin as the sigmoid of what is drawn, by layers."""
        for layer in self._blocks():
            layer.begin_at_(functional.logsigmoid(draw(torch.empty_like(layer.nu))))
