"""The uRNN: a recurrent core whose hidden-to-hidden map is unitary, whatever its weights are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SMALLEST = 1e-6
"""Added to the size of a unit before it divides, so that the gradient at zero is finite."""


class UnitaryRNN(nn.Module):
    """A recurrent core with a unitary recurrent map, `h = modReLU(W h + V x)` with complex h.

    `W = D3 R2 F^-1 D2 P R1 F D1`: D diagonal of modulus 1, R reflections, F the Fourier transform, P a fixed
    permutation. Each factor keeps the norm, so W does. Outputs are (B, T, 2H) and the state is (B, 2H): real parts
    first, imaginary parts behind. The first state is learned.

    Parameters
    ----------
    input_size : int
        Features of a step (F), at least 1.
    hidden_size : int
        Complex units (H), at least 1.

    References
    ----------
    Arjovsky, Shah & Bengio (2016), arXiv 1511.06464; initialisations of section 4.2: angles of D from U(-pi, pi),
    reflections from U(-1, 1), V as Glorot & Bengio, biases zero, the first state of expected norm 1. The paper
    multiplies by the factors one after the other, in O(H log H). We make W once a call, in float64, and one real
    product of size 2H a step: faster at some hundred units, and the rounding of the factors does not add up over the
    steps.
    """

    permutation: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_map = nn.Parameter(torch.empty(input_size, 2 * hidden_size))
        self.angles = nn.Parameter(torch.empty(3, hidden_size))
        self.reflections = nn.Parameter(torch.empty(2, 2, hidden_size))  # real and imaginary part of each
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.first = nn.Parameter(torch.empty(2 * hidden_size))
        bound = math.sqrt(6 / (input_size + hidden_size))
        nn.init.uniform_(self.input_map, -bound, bound)
        nn.init.uniform_(self.angles, -math.pi, math.pi)
        nn.init.uniform_(self.reflections, -1, 1)
        bound = math.sqrt(3 / (2 * hidden_size))
        nn.init.uniform_(self.first, -bound, bound)
        self.register_buffer("permutation", torch.randperm(hidden_size))

    def initial_state(self, inputs: Tensor) -> Tensor:
        """The learned first state, (B, 2H)."""
        return self.first.expand(len(inputs), -1)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden = self.initial_state(inputs) if state is None else state
        kind = "cpu" if inputs.is_meta else inputs.device.type
        with torch.autocast(kind, enabled=False):  # in half precision W would not keep the norm
            matrix = self.matrix().to(self.bias.dtype)
            outputs = []
            for given in (inputs.to(self.bias.dtype) @ self.input_map).unbind(1):  # (B, 2H) each
                hidden = self._shrunk(torch.addmm(given, hidden, matrix))
                outputs.append(hidden)
        return torch.stack(outputs, dim=1), hidden

    def _shrunk(self, units: Tensor) -> Tensor:
        """Apply modReLU: add the bias to each unit's modulus, at least 0, and keep its angle. (B, 2H)."""
        parts = units.unflatten(1, (2, self.hidden_size))
        modulus = torch.linalg.vector_norm(parts, dim=1, keepdim=True)  # (B, 1, H)
        return (parts * ((modulus + self.bias).relu() / (modulus + SMALLEST))).flatten(1)

    def matrix(self) -> Tensor:
        """Give W for a state's right-hand side, (2H, 2H) float64: `state @ matrix` applies W."""
        columns = self.mapped(torch.eye(self.hidden_size, dtype=torch.complex128, device=self.angles.device))
        real, imaginary = columns.real, columns.imag  # row k is W applied to the k-th unit vector
        return torch.cat([torch.cat([real, imaginary], dim=1), torch.cat([-imaginary, real], dim=1)])

    def mapped(self, vectors: Tensor) -> Tensor:
        """Apply W to each complex vector (..., H), factor by factor."""
        turns = torch.polar(torch.ones_like(self.angles, dtype=torch.float64), self.angles.double())  # (3, H)
        vectors = torch.fft.fft(vectors * turns[0], norm="ortho")
        vectors = _reflected(vectors, self.reflections[0])[..., self.permutation]
        vectors = torch.fft.ifft(vectors * turns[1], norm="ortho")
        return _reflected(vectors, self.reflections[1]) * turns[2]


def _reflected(vectors: Tensor, parts: Tensor) -> Tensor:
    """`h - 2 v (v* h) / |v|^2` for each h of vectors (..., H); parts: real and imaginary part of v, (2, H)."""
    axis = torch.complex(*parts.double().unbind(0))
    along = (vectors * axis.conj()).sum(-1, keepdim=True) / axis.abs().square().sum()
    return vectors - 2 * along * axis
