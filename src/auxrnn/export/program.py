"""Networks as programs of `torch.export`, with dynamic batch and length.

`torch.export` fixes the length of torch's recurrent modules (it unrolls them), so their steps are written as a scan
here, which it keeps as a loop. A transformer needs no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.baselines.urnn import SMALLEST, UnitaryRNN
from auxrnn.export.served import Served, layers_of, step_features, unitary_of
from auxrnn.model import SequenceClassifier

Carry = tuple[Tensor, ...]
Step = Callable[[Carry, Tensor], tuple[Carry, Tensor]]


class Scanned(nn.Module):
    """`Served` for a recurrent network, its steps as a scan: the same inputs, the same outputs."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        assert isinstance(served.network, SequenceClassifier)
        encoder = served.network.encoder
        self.served, self.features, self.head = served, step_features(served), served.network.supervised.head
        self.unitary = isinstance(encoder.core, UnitaryRNN)
        if self.unitary:
            weights = unitary_of(encoder)
            parts = [(weights.input_map.T, weights.matrix.T, weights.input_bias, weights.bias)]
        else:
            parts = [(own.inputs, own.hidden, own.inputs_bias, own.hidden_bias) for own in layers_of(encoder)]
        self.mode: str = "URNN" if self.unitary else str(encoder.core.mode)
        self.layers = nn.ModuleList(_Weights(*(part.contiguous() for part in layer)) for layer in parts)

    def forward(self, inputs: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        from torch._higher_order_ops.scan import scan

        steps = self.features(self.served.standardised(inputs)).transpose(0, 1)  # (T, B, F)
        after: list[Carry] = []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, _Weights)
            given = steps @ layer.inputs.T + layer.inputs_bias  # (T, B, gates * H)
            before = state if self.unitary else tuple(part[index] for part in state)
            carry, steps = scan(STEPS[self.mode](layer), before, given)
            after.append(tuple(carry))
        whole = after[0] if self.unitary else tuple(torch.stack(parts) for parts in zip(*after, strict=True))
        read = steps.transpose(0, 1) if self.served.target.per_step else after[-1][0]
        return (self.served.told(self.head(read)), *whole)


class _Weights(nn.Module):
    def __init__(self, inputs: Tensor, hidden: Tensor, inputs_bias: Tensor, hidden_bias: Tensor) -> None:
        super().__init__()
        self.inputs: Tensor
        self.hidden: Tensor
        self.inputs_bias: Tensor
        self.hidden_bias: Tensor
        self.register_buffer("inputs", inputs)
        self.register_buffer("hidden", hidden)
        self.register_buffer("inputs_bias", inputs_bias)
        self.register_buffer("hidden_bias", hidden_bias)


def _lstm(weights: _Weights) -> Step:
    def step(carry: Carry, given: Tensor) -> tuple[Carry, Tensor]:
        hidden, cell = carry
        enter, forget, new, out = (given + hidden @ weights.hidden.T + weights.hidden_bias).chunk(4, 1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
        hidden = torch.sigmoid(out) * torch.tanh(cell)
        return (hidden, cell), hidden.clone()

    return step


def _gru(weights: _Weights) -> Step:
    def step(carry: Carry, given: Tensor) -> tuple[Carry, Tensor]:
        (hidden,) = carry
        reset, update, new = given.chunk(3, 1)
        own_reset, own_update, own_new = (hidden @ weights.hidden.T + weights.hidden_bias).chunk(3, 1)
        new = torch.tanh(new + torch.sigmoid(reset + own_reset) * own_new)
        share = torch.sigmoid(update + own_update)
        hidden = (1 - share) * new + share * hidden
        return (hidden,), hidden.clone()

    return step


def _plain(activation: Callable[[Tensor], Tensor]) -> Callable[[_Weights], Step]:
    def of(weights: _Weights) -> Step:
        def step(carry: Carry, given: Tensor) -> tuple[Carry, Tensor]:
            hidden = activation(given + carry[0] @ weights.hidden.T + weights.hidden_bias)
            return (hidden,), hidden.clone()

        return step

    return of


def _unitary(weights: _Weights) -> Step:
    def step(carry: Carry, given: Tensor) -> tuple[Carry, Tensor]:
        real, imaginary = (given + carry[0] @ weights.hidden.T).chunk(2, 1)
        modulus = torch.sqrt(real * real + imaginary * imaginary)
        factor = torch.relu(modulus + weights.hidden_bias) / (modulus + SMALLEST)
        hidden = torch.cat([real * factor, imaginary * factor], 1)
        return (hidden,), hidden.clone()

    return step


STEPS: dict[str, Callable[[_Weights], Step]] = {
    "LSTM": _lstm,
    "GRU": _gru,
    "RNN_TANH": _plain(torch.tanh),
    "RNN_RELU": _plain(torch.relu),
    "URNN": _unitary,
}


def exported_program(served: Served) -> torch.export.ExportedProgram:
    """The program of a network: any batch, any length (a transformer with learned positions: up to its longest)."""
    from torch.export import Dim

    size = () if served.spec.kind == "characters" else (served.spec.size,)
    example = torch.zeros((2, 5, *size), dtype=served.input_type)
    batch, steps = Dim("batch", min=1), Dim("steps", min=1, max=served.network.longest)
    shapes: dict[str, Any] = {"inputs": {0: batch, 1: steps}}
    if served.state:
        shapes["state"] = tuple({part.batch_dim: batch} for part in served.state)
    module = Scanned(served) if served.state else served
    with torch.no_grad(), _plain_attention():
        arguments = (example, *(part.before(2) for part in served.state))
        return torch.export.export(module.eval(), arguments, dynamic_shapes=shapes)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Without the fused kernel of attention layers, which programs cannot hold."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
