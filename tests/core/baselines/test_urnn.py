"""The uRNN's map: against a dense matrix made of its factors column by column, and what it does to a norm."""

import math

import numpy as np
import pytest
import torch

from auxrnn.core.baselines.urnn import SMALLEST, UnitaryRNN
from auxrnn.core.truncation import encode_windows
from oracles import assert_same, gradients, slow_window

STEPS = 10_000


def make(size: int = 8, inputs: int = 3) -> UnitaryRNN:
    torch.manual_seed(0)
    return UnitaryRNN(inputs, size)


def dense(core: UnitaryRNN) -> np.ndarray:
    """W (H, H) with numpy: D3 R2 F^-1 D2 P R1 F D1, the Fourier matrix and each other factor written out."""
    size = core.hidden_size
    turns = [np.diag(np.exp(1j * angles)) for angles in core.angles.detach().double().numpy()]
    fourier = np.empty((size, size), dtype=complex)
    for row in range(size):
        for column in range(size):
            fourier[row, column] = np.exp(-2j * math.pi * row * column / size) / math.sqrt(size)
    reflections = []
    for real, imaginary in core.reflections.detach().double().numpy():
        axis = real + 1j * imaginary
        reflections.append(np.eye(size) - 2 * np.outer(axis, axis.conj()) / np.vdot(axis, axis).real)
    permutation = np.eye(size)[core.permutation.numpy()]
    back = fourier.conj().T
    return turns[2] @ reflections[1] @ back @ turns[1] @ permutation @ reflections[0] @ fourier @ turns[0]


@pytest.mark.parametrize("size", [1, 2, 8, 15])
def test_the_map_is_the_dense_matrix_column_by_column(size: int) -> None:
    core, whole = make(size), dense(make(size))
    matrix = core.matrix().detach().numpy()
    for column in range(size):
        unit = np.zeros(2 * size)
        unit[column] = 1.0
        real, imaginary = np.split(unit @ matrix, 2)
        np.testing.assert_allclose(real + 1j * imaginary, whole[:, column], atol=1e-12)
        unit = np.roll(unit, size)  # the same unit vector times i
        real, imaginary = np.split(unit @ matrix, 2)
        np.testing.assert_allclose(real + 1j * imaginary, 1j * whole[:, column], atol=1e-12)
    np.testing.assert_allclose(whole @ whole.conj().T, np.eye(size), atol=1e-12)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_map_keeps_the_norm_over_10_000_steps(kind: torch.dtype) -> None:
    core = make(128)
    with torch.no_grad():
        for weight in core.parameters():
            weight.add_(torch.randn_like(weight))  # unitary whatever the weights are
        matrix = core.matrix().to(kind)
        state = torch.randn(4, 256, dtype=kind)
        before = state.double().norm(dim=1)
        for _ in range(STEPS):
            state = state @ matrix
    ratio = state.double().norm(dim=1) / before
    assert float((ratio - 1).abs().max()) < 1e-5


def test_steps_are_modrelu_of_the_map_and_the_input() -> None:
    """One step after the other in complex numbers, with the map factor by factor."""
    core = make().double()
    with torch.no_grad():
        core.bias.uniform_(-0.3, 0.3)
    inputs = torch.randn(2, 6, 3, dtype=torch.float64)
    outputs, last = core(inputs)
    hidden = torch.complex(*core.first.expand(2, -1).split(8, dim=1))
    for step in range(6):
        moved = core.mapped(hidden) + torch.complex(*(inputs[:, step] @ core.input_map).split(8, dim=1))
        hidden = torch.where(
            moved.abs() + core.bias >= 0, moved * (moved.abs() + core.bias) / (moved.abs() + SMALLEST), 0
        )
        torch.testing.assert_close(outputs[:, step], torch.cat([hidden.real, hidden.imag], dim=1))
    assert torch.equal(outputs[:, -1], last)


def test_begins_as_the_paper_says() -> None:
    """Arjovsky et al. 2016, section 4.2."""
    torch.manual_seed(0)
    core = UnitaryRNN(100, 500)
    assert not core.bias.any()
    for weight, bound in (
        (core.angles, math.pi),
        (core.reflections, 1.0),
        (core.input_map, 0.1),  # sqrt(6 / (100 + 500))
        (core.first, math.sqrt(3 / 1_000)),
    ):
        assert 0.99 * bound < float(weight.detach().abs().max()) <= bound
    assert float(core.first.detach().square().sum()) == pytest.approx(1.0, rel=0.1)
    assert sorted(core.permutation.tolist()) == list(range(500))


def test_is_a_core_for_truncation() -> None:
    """Values and gradients of windows as of the slow loop, the learned first state's too."""
    core = make(4).double()
    inputs = torch.randn(2, 10, 3, dtype=torch.float64)
    start, stop = torch.tensor([[0, 6], [3, 2]]), torch.tensor([[4, 10], [9, 5]])
    found = encode_windows(core, inputs, start, stop)
    expected = [slow_window(core, inputs[b], int(start[b, w]), int(stop[b, w]))[0] for b in range(2) for w in range(2)]
    cut = [found.outputs[b, w, : int(stop[b, w] - start[b, w])] for b in range(2) for w in range(2)]
    assert_same(cut, expected)
    weights = list(core.parameters())
    assert_same(
        gradients(sum(part.square().sum() for part in cut), weights),
        gradients(sum(part.square().sum() for part in expected if part is not None), weights),
    )


def test_a_unit_at_zero_has_a_finite_gradient() -> None:
    core = make()
    with torch.no_grad():
        core.first.zero_()
        core.bias.fill_(0.1)
    core(torch.zeros(2, 4, 3))[0].sum().backward()
    assert all(weight.grad is not None and bool(torch.isfinite(weight.grad).all()) for weight in core.parameters())
