"""Gate functions and operands on the device against torch's, through kernels of one instruction."""

import pytest
import torch

triton = pytest.importorskip("triton")
tl = pytest.importorskip("triton.language")

from auxrnn.core.kernels import gates  # noqa: E402
from auxrnn.core.kernels.launch import INTERPRETED  # noqa: E402

DEVICE = "cpu" if INTERPRETED else "cuda"


@triton.jit
def apply_gates(x, tanhs, sigmoids, N: tl.constexpr):
    at = tl.arange(0, N)
    value = tl.load(x + at)
    tl.store(tanhs + at, gates.tanh(value, False))
    tl.store(sigmoids + at, gates.sigmoid(value, False))


@triton.jit
def round_values(x, rounded, saturated, N: tl.constexpr, OPERAND: tl.constexpr, EMULATED: tl.constexpr):
    at = tl.arange(0, N)
    value = tl.load(x + at)
    tl.store(rounded + at, gates.operand(value, OPERAND, EMULATED).to(tl.float32))
    tl.store(saturated + at, gates.gradient_operand(1e6 * value, OPERAND, EMULATED).to(tl.float32))


def test_tanh_and_sigmoid_at_zero_far_out_and_between() -> None:
    x = torch.cat([torch.linspace(-8, 8, 57), torch.tensor([0.0, 1e-6, -1e-6, 100.0, -100.0, 3e4, -3e4])]).to(DEVICE)
    tanhs, sigmoids = torch.empty_like(x), torch.empty_like(x)
    apply_gates[(1,)](x, tanhs, sigmoids, N=64)
    torch.testing.assert_close(tanhs, x.tanh(), rtol=1e-5, atol=2e-7)
    torch.testing.assert_close(sigmoids, x.sigmoid(), rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_operands_round_to_nearest_and_saturate(kind: torch.dtype) -> None:
    x = torch.cat([torch.randn(29), torch.tensor([1.999, -0.9999, float("nan")])]).to(DEVICE)
    rounded, saturated = torch.empty_like(x), torch.empty_like(x)
    name = tl.float16 if kind == torch.float16 else tl.bfloat16
    round_values[(1,)](x, rounded, saturated, N=32, OPERAND=name, EMULATED=INTERPRETED)
    limit = 65504 if kind == torch.float16 else 1e9
    torch.testing.assert_close(rounded, x.to(kind).float(), rtol=1e-6, atol=0, equal_nan=True)
    torch.testing.assert_close(
        saturated, (1e6 * x).clamp(-limit, limit).to(kind).float(), rtol=1e-6, atol=0, equal_nan=True
    )
