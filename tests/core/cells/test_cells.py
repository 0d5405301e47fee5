"""Each cell against its equations, one step at a time."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.cells.lru import LRU
from auxrnn.core.cells.mingru import MinGRU
from auxrnn.core.cells.ur_lstm import URLSTM
from auxrnn.core.initialisation import chrono_, forget_bias_, log_uniform_, uniform_gate_
from oracles import assert_same, gradients

F, H = 3, 4


def slow_mingru(core: nn.Module, step: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Feng et al. (2024), section 3.1; `state`: one (B, H) a layer."""
    after = []
    for linear, before in zip(core.maps, state, strict=True):
        z = torch.sigmoid(step @ linear.weight[:H].T + linear.bias[:H])
        candidate = step @ linear.weight[H:].T + linear.bias[H:]
        step = (1 - z) * before + z * candidate
        after.append(step)
    return step, after


def slow_lru(core: nn.Module, step: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Orvieto et al. (2023), equations of section 3; `state`: one (B, 2H) a layer, real and imaginary parts in turn."""
    after, step = [], core.first(step)
    for layer, before in zip(core.layers, state, strict=True):
        factor = torch.exp(torch.complex(-layer.nu.exp(), layer.theta.exp()))
        b = torch.complex(layer.into.weight[0::2], layer.into.weight[1::2])  # (N, H)
        c = torch.complex(layer.out_of.weight[:, 0::2], -layer.out_of.weight[:, 1::2])  # (H, N)
        x = factor * torch.complex(before[:, 0::2], before[:, 1::2]) + layer.gamma.exp() * (step.to(b.dtype) @ b.T)
        y = functional.gelu((x @ c.T).real + layer.skip * step)
        value, gate = layer.gate.weight.chunk(2)
        value, gate = (
            y @ weight.T + bias for weight, bias in zip((value, gate), layer.gate.bias.chunk(2), strict=True)
        )
        step = functional.layer_norm(step + value * gate.sigmoid(), (H,), layer.norm.weight, layer.norm.bias)
        after.append(torch.stack([x.real, x.imag], dim=-1).flatten(1))
    return step, after


def slow_ur_lstm(core: nn.Module, step: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Gu et al. (2020), section 3.3; `state`: one (2, B, H), h and c, a layer."""
    after = []
    for linear, (h, c) in zip(core.maps, state, strict=True):
        f, r, u, o = linear(torch.cat([step, h], dim=1)).chunk(4, dim=1)
        f, r, o = f.sigmoid(), r.sigmoid(), o.sigmoid()
        g = r * (1 - (1 - f) ** 2) + (1 - r) * f**2
        c = g * c + (1 - g) * u.tanh()
        step = o * c.tanh()
        after.append(torch.stack([step, c]))
    return step, after


CELLS: dict[str, Any] = {"mingru": (MinGRU, slow_mingru), "lru": (LRU, slow_lru), "ur-lstm": (URLSTM, slow_ur_lstm)}


def whole_state(name: str, layers: list[Tensor]) -> Any:
    """The state of a cell from those of its layers."""
    stacked = torch.stack(layers)  # (layers, B, n), or (layers, 2, B, H)
    return tuple(stacked.unbind(1)) if name == "ur-lstm" else stacked


@pytest.mark.parametrize("pieces", [[11], [1] * 11, [3, 1, 7]], ids=str)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients_are_those_of_the_equations(name: str, layers: int, pieces: list[int]) -> None:
    kind, slow = CELLS[name]
    core = kind(F, H, layers).double()
    inputs = torch.randn(2, 11, F, dtype=torch.float64, requires_grad=True)
    shape = {"mingru": (2, H), "lru": (2, 2 * H), "ur-lstm": (2, 2, H)}[name]
    before = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for _ in range(layers)]
    state, expected = before, []
    for step in inputs.unbind(1):
        output, state = slow(core, step, state)
        expected.append(output)
    after, found = whole_state(name, before), []
    for piece in inputs.split(pieces, dim=1):
        outputs, after = core(piece, after)
        found.append(outputs)
    ends = [
        tensor for one in (after, whole_state(name, state)) for tensor in (one if isinstance(one, tuple) else [one])
    ]
    one, other = [torch.cat(found, 1), *ends[: len(ends) // 2]], [torch.stack(expected, 1), *ends[len(ends) // 2 :]]
    assert_same(one, other)
    factors = [torch.randn_like(part) for part in one]
    tensors, names = [inputs, *before, *core.parameters()], ["inputs", *[f"state {i}" for i in range(layers)]]
    totals = [sum((part * factor).sum() for part, factor in zip(parts, factors, strict=True)) for parts in (one, other)]
    names += [name for name, _ in core.named_parameters()]
    assert_same(*(gradients(total, tensors) for total in totals), names=names)


@pytest.mark.parametrize("name", CELLS)
def test_no_state_is_zeros(name: str) -> None:
    core = CELLS[name][0](F, H, 2)
    inputs = torch.randn(2, 5, F)
    outputs, state = core(inputs)
    zeros = tuple(torch.zeros_like(part) for part in state) if isinstance(state, tuple) else torch.zeros_like(state)
    assert torch.equal(outputs, core(inputs, zeros)[0])


@pytest.mark.parametrize("name", ["lru", "mingru"])
def test_half_precision_around_a_core_changes_no_digit_of_its_recurrence(name: str) -> None:
    core, inputs = CELLS[name][0](F, H), torch.randn(2, 50, F)
    with torch.autocast("cpu", torch.bfloat16):
        found = core(inputs)[0]
    assert torch.equal(found, core(inputs)[0])


# Initialisations ------------------------------------------------------------------------------------------------------


def test_the_ring_of_an_lru() -> None:
    """Orvieto et al. (2023), lemma 3.2: uniform over the area of the ring; gamma^2 = 1 - |lambda|^2."""
    layer = LRU(F, 2000, r_min=0.4, r_max=0.8, max_phase=1.5).layers[0].requires_grad_(False)
    factors = layer.factors()
    modulus, phase = factors.abs(), factors.angle()
    assert 0.4 <= float(modulus.min()) < 0.41
    assert 0.79 < float(modulus.max()) <= 0.8
    assert 0 <= float(phase.min()) < 0.01
    assert 1.49 < float(phase.max()) <= 1.5
    inner = float((modulus < math.sqrt((0.4**2 + 0.8**2) / 2)).float().mean())  # half of the area
    assert inner == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(layer.gamma.exp(), (1 - modulus**2).sqrt())


def test_scaled_phases_of_an_lru() -> None:
    """The same draws within a smaller slice; the moduli stay."""
    torch.manual_seed(0)
    core = LRU(F, 2000, 2, max_phase=2.0).requires_grad_(False)
    before = [layer.factors() for layer in core.layers]
    core.scale_phases_(0.25)
    for layer, old in zip(core.layers, before, strict=True):
        torch.testing.assert_close(layer.factors().abs(), old.abs())
        torch.testing.assert_close(layer.factors().angle(), old.angle() / 4)


@pytest.mark.parametrize("ring", [(-0.1, 0.5, 1.0), (0.5, 0.5, 1.0), (0.5, 1.0, 1.0), (0.1, 0.5, 0.0)])
def test_a_ring_that_is_none_is_refused(ring: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="Expected 0 <= r_min < r_max < 1"):
        LRU(F, H, r_min=ring[0], r_max=ring[1], max_phase=ring[2])


def kept(core: nn.Module) -> Tensor:
    """The share of each unit's state that a step keeps, where inputs are zero: (units of all layers,)."""
    core.requires_grad_(False)
    if isinstance(core, LRU):
        return torch.cat([layer.factors().abs() for layer in core.layers])
    if isinstance(core, nn.LSTM):
        return torch.cat([core.bias_ih_l0, core.bias_ih_l1]).unflatten(0, (2, 4, -1))[:, 1].flatten().sigmoid()
    if isinstance(core, nn.GRU):
        return torch.cat([core.bias_ih_l0, core.bias_ih_l1]).unflatten(0, (2, 3, -1))[:, 1].flatten().sigmoid()
    biases = torch.cat([linear.bias[: core.hidden_size] for linear in core.maps])
    return (biases if isinstance(core, URLSTM) else -biases).sigmoid()


def make(kind: type[nn.Module]) -> nn.Module:
    return kind(F, 1000, 2, **({"batch_first": True} if kind in (nn.LSTM, nn.GRU) else {}))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, MinGRU, LRU, URLSTM])
def test_shares_that_are_kept_at_first(kind: type[nn.Module]) -> None:
    core = make(kind)
    forget_bias_(core, 2.0)
    torch.testing.assert_close(kept(core), torch.full((2000,), 1 / (1 + math.exp(-2))))
    uniform_gate_(core)  # Gu et al. (2020): U(1 / H, 1 - 1 / H)
    shares = kept(core).sort().values
    torch.testing.assert_close(shares, torch.linspace(0.001, 0.999, 2000), rtol=0, atol=0.05)
    chrono_(core, 500)  # a unit lasts 1 / (1 - share) steps: 1 + U(1, T - 1)
    lasting = (1 / (1 - kept(core))).sort().values
    torch.testing.assert_close(lasting, torch.linspace(2, 500, 2000), rtol=0.02, atol=25)
    log_uniform_(core, 500)
    lasting = (1 / (1 - kept(core)) - 1).log().sort().values
    torch.testing.assert_close(lasting, torch.linspace(0, math.log(499), 2000), rtol=0, atol=0.3)


def test_gates_that_write_or_refine_begin_with_the_negative() -> None:
    lstm, refined = make(nn.LSTM), make(URLSTM)
    lstm.requires_grad_(False)
    refined.requires_grad_(False)
    uniform_gate_(lstm)
    write, keep = lstm.bias_ih_l1[:1000], lstm.bias_ih_l1[1000:2000]
    assert torch.equal(write, -keep)
    assert not lstm.bias_hh_l1[:2000].any()
    for linear in refined.maps:  # as made
        assert torch.equal(linear.bias[:1000], -linear.bias[1000:2000])
        assert 0.001 <= float(linear.bias[:1000].sigmoid().min()) < 0.02


def test_cores_without_gates_are_refused() -> None:
    for begin in (forget_bias_, uniform_gate_, lambda core: log_uniform_(core, 5)):
        with pytest.raises(ValueError, match="Expected an LSTM or GRU core with biases"):
            begin(nn.RNN(F, H, batch_first=True))
    with pytest.raises(ValueError, match="at least 3 steps, got 2"):
        log_uniform_(nn.LSTM(F, H), 2)
