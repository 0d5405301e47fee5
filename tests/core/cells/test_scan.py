"""The scan against the plain loop."""

import pytest
import torch
from torch import Tensor

from auxrnn.core.cells.scan import linear_scan
from oracles import assert_same


def slow_scan(keep: Tensor, given: Tensor, before: Tensor) -> Tensor:
    states, state = [], before
    for step in range(given.shape[1]):
        state = (keep if keep.dim() == 1 else keep[:, step]) * state + given[:, step]
        states.append(state)
    return torch.stack(states, dim=1)


def total(outputs: Tensor, factors: Tensor) -> Tensor:
    return (torch.view_as_real(outputs * factors) if outputs.is_complex() else outputs * factors).sum()


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 9, 10, 37])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shared", [True, False])
def test_values_and_gradients_are_those_of_the_loop(steps: int, dtype: torch.dtype, shared: bool) -> None:
    keep = torch.rand((4,) if shared else (3, steps, 4), dtype=dtype) / 1.5
    given, before = torch.randn(3, steps, 4, dtype=dtype), torch.randn(3, 4, dtype=dtype)
    tensors = [tensor.requires_grad_() for tensor in (keep, given, before)]
    found, expected, factors = linear_scan(*tensors), slow_scan(*tensors), torch.randn(3, steps, 4, dtype=dtype)
    assert_same([found], [expected])
    gradients = [torch.autograd.grad(total(one, factors), tensors) for one in (found, expected)]
    assert_same(*gradients, names=["keep", "given", "before"])


def test_factors_of_zero_and_one_are_no_matter() -> None:
    keep = torch.tensor([0.0, 1.0, 1e-300, 0.5], dtype=torch.float64).requires_grad_()
    given, before = torch.randn(2, 1000, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    found = linear_scan(keep, given, before)
    assert_same([found], [slow_scan(keep, given, before)])
    assert_same(*(torch.autograd.grad(one.sum(), keep) for one in (found, slow_scan(keep, given, before))))
