"""The two kernels against torch's own LSTM, in Triton's interpreter on the CPU, or compiled where there is a GPU."""

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("triton")

from auxrnn.core.kernels.backend import TOLERANCE
from auxrnn.core.kernels.launch import GRADIENT_TOP, INTERPRETED, _scale, run_layer, units

DEVICE = "cpu" if INTERPRETED else "cuda"
EXACT = torch.float64 if INTERPRETED else torch.float32  # a card's kernels take float32
exact_only = pytest.mark.skipif(not INTERPRETED, reason="only the interpreter takes float64")


def draw(B: int, T: int, F: int, H: int, kind: torch.dtype = EXACT) -> tuple[nn.LSTM, list[Tensor]]:
    """torch's LSTM, and the arguments of a layer with the same weights, each a leaf with a gradient, G = 1."""
    core = nn.LSTM(F, H, batch_first=True).to(DEVICE, kind)
    w_ih, w_hh, b_ih, b_hh = (weight.detach() for weight in core.all_weights[0])
    inputs = [torch.randn(B, T, F), w_ih, b_ih + b_hh, w_hh, 0.5 * torch.randn(B, H), torch.randn(B, H)]
    return core, [one.to(DEVICE, kind)[None].contiguous().requires_grad_() for one in inputs]


def torch_layer(core: nn.LSTM, arguments: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """torch's outputs and last states for the same arguments, and the leaves they are functions of."""
    leaves = [one.detach()[0].requires_grad_() for one in arguments]
    inputs, w_ih, bias, w_hh, hidden, cell = leaves
    weights = {"weight_ih_l0": w_ih, "weight_hh_l0": w_hh, "bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
    outputs, state = torch.func.functional_call(core, weights, (inputs, (hidden[None], cell[None])))
    return [outputs[None], *state], leaves


def compare(
    found: list[Tensor], leaves: list[Tensor], expected: list[Tensor], slow_leaves: list[Tensor], limits: tuple
) -> None:
    """Values to limits[0], and the gradients of one random sum of them all to limits[1] of the largest."""
    mixture = [torch.randn_like(one) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).detach().abs().max()) <= limits[0]
    slow = torch.autograd.grad(sum((a * b).sum() for a, b in zip(expected, mixture, strict=True)), slow_leaves)
    own = torch.autograd.grad(sum((a * b).sum() for a, b in zip(found, mixture, strict=True)), leaves)
    for index, (one, other) in enumerate(zip(own, slow, strict=True)):
        assert float((one - other.view_as(one)).abs().max()) <= limits[1] * float(other.abs().max()), index


@pytest.mark.parametrize(
    ("B", "T", "F", "H"),
    [(3, 4, 1, 16), (9, 3, 2, 20), (2, 1, 6, 16), (1, 3, 5, 17)],
    ids=["inputs in the kernel", "rows and units that fill no block", "one step", "one row"],
)
def test_equals_torch_exactly(B: int, T: int, F: int, H: int) -> None:
    core, arguments = draw(B, T, F, H)
    found = list(run_layer(*arguments, None, "fp32"))
    limits = (1e-12, 1e-11) if INTERPRETED else (1e-5, 1e-4)
    compare(found, arguments, *torch_layer(core, arguments), limits)


@pytest.mark.parametrize("operands", ["fp32", "tf32", "fp16", "bf16"])
def test_equals_torch_within_the_stated_tolerance(operands: str) -> None:
    core, arguments = draw(5, 4, 1, 16, torch.float32)
    found = list(run_layer(*arguments, None, operands))
    compare(found, arguments, *torch_layer(core, arguments), TOLERANCE[operands])


@pytest.mark.gpu
@pytest.mark.parametrize("operands", ["fp16", "bf16"])
def test_full_size_is_within_the_stated_tolerance_on_a_card(operands: str) -> None:
    core, arguments = draw(61, 300, 1, 128, torch.float32)
    found = list(run_layer(*arguments, None, operands))
    compare(found, arguments, *torch_layer(core.double(), [one.double() for one in arguments]), TOLERANCE[operands])


@exact_only
def test_gradients_are_finite_differences() -> None:
    _, arguments = draw(2, 3, 1, 3)
    lengths = torch.tensor([[3, 1]])
    assert torch.autograd.gradcheck(lambda *leaves: run_layer(*leaves, lengths, "fp32"), arguments, fast_mode=True)


def test_rows_stop_where_they_end() -> None:
    lengths = [0, 2, 4, 1]
    core, arguments = draw(4, 4, 2, 16)
    found = run_layer(*arguments, torch.tensor([lengths], device=DEVICE), "fp32")
    leaves, parts = [one.detach().requires_grad_() for one in arguments], []
    inputs, *weights, hidden, cell = leaves
    for row, steps in enumerate(lengths):
        state = (hidden[:, row : row + 1], cell[:, row : row + 1])
        outputs = inputs.new_zeros(1, 0, core.hidden_size)
        if steps:
            alone = [inputs[:, row : row + 1, :steps], *weights, *state]
            (one, *state), own = torch_layer(core, alone)
            outputs = one[0]
            # the row's own leaves give its part of every gradient
            parts.append((row, steps, own, [outputs, *(part.squeeze(0) for part in state)]))
        torch.testing.assert_close(found[0][0, row, :steps], outputs[0], rtol=1e-4, atol=1e-5)
        assert not found[0][0, row, steps:].any()
        for mine, theirs in zip(found[1:], state, strict=True):
            torch.testing.assert_close(mine[0, row], theirs.reshape(-1), rtol=1e-4, atol=1e-5)

    total = sum((one * torch.ones_like(one)).sum() for one in found)
    own_gradients = torch.autograd.grad(total, arguments)
    expected = [torch.zeros_like(one) for one in arguments]
    expected[4][:, 0] = 1.0  # a row of no steps hands its state through
    expected[5][:, 0] = 1.0
    for row, steps, own, results in parts:
        pieces = torch.autograd.grad(sum(one.sum() for one in results), own)
        expected[0][0, row, :steps] += pieces[0][0]
        for index in (1, 2, 3):
            expected[index][0] += pieces[index]
        for index in (4, 5):
            expected[index][0, row] += pieces[index][0]
    for index, (one, other) in enumerate(zip(own_gradients, expected, strict=True)):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=lambda text, index=index: f"{index}: {text}")


def test_the_padding_is_never_read() -> None:
    _, arguments = draw(2, 4, 1, 16)
    lengths = torch.tensor([[2, 3]], device=DEVICE)
    clean = run_layer(*arguments, lengths, "fp32")
    spoilt = arguments[0].detach().clone()
    spoilt[0, 0, 2:], spoilt[0, 1, 3:] = float("nan"), float("nan")
    again = run_layer(spoilt.requires_grad_(), *arguments[1:], lengths, "fp32")
    for one, other in zip(again, clean, strict=True):
        assert torch.equal(one, other)
    d_outputs = torch.ones_like(again[0])
    d_outputs[0, 0, 2:] = float("nan")  # what comes in for steps that are not there must not count either
    d_state = torch.autograd.grad(again[0], arguments[4], d_outputs)[0]
    assert torch.isfinite(d_state).all()


def test_groups_are_independent() -> None:
    cases = [draw(3, 3, 1, 16) for _ in range(2)]
    together = [torch.cat(parts).detach().requires_grad_() for parts in zip(*(case[1] for case in cases), strict=True)]
    found = run_layer(*together, None, "fp32")
    gradients = torch.autograd.grad(found[0].square().sum() + found[2].sum(), together)
    for group, (_, arguments) in enumerate(cases):
        alone = run_layer(*arguments, None, "fp32")
        own = torch.autograd.grad(alone[0].square().sum() + alone[2].sum(), arguments)
        for one, other in zip([*found, *gradients], [*alone, *own], strict=True):
            torch.testing.assert_close(one[group], other[0], rtol=1e-6, atol=1e-6)


def test_more_rows_a_program_change_nothing() -> None:
    _, arguments = draw(9, 2, 1, 16)
    few, many = (run_layer(*arguments, None, "fp32", rows_per_program=rows) for rows in (8, 16))
    for one, other in zip(few, many, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_without_gradient_nothing_is_kept() -> None:
    _, arguments = draw(2, 2, 1, 16)
    with torch.no_grad():
        silent = run_layer(*arguments, None, "fp32")
    loud = run_layer(*arguments, None, "fp32")
    assert all(not one.requires_grad for one in silent)
    assert all(torch.equal(one, other) for one, other in zip(silent, loud, strict=True))


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_small_and_large_gradients_keep_their_digits_in_fp16(size: float) -> None:
    core, arguments = draw(2, 3, 1, 16, torch.float32)
    expected, slow_leaves = torch_layer(core, arguments)
    found = run_layer(*arguments, None, "fp16")
    slow = torch.autograd.grad(size * expected[0].sum(), slow_leaves)
    own = torch.autograd.grad(size * found[0].sum(), arguments)
    for one, other in zip(own, slow, strict=True):
        assert float((one[0] - other).abs().max()) <= 1e-2 * float(other.abs().max())


def test_scale_is_a_power_of_two_and_survives_zeros() -> None:
    scale = float(_scale([torch.tensor([0.3, -5.0]), torch.zeros(2)]))
    assert scale == 16.0
    assert GRADIENT_TOP <= 5.0 * scale < 2 * GRADIENT_TOP
    assert float(_scale([torch.zeros(3)])) == 1.0
    assert float(_scale([torch.tensor([float("nan")])])) == 1.0


def test_units_are_powers_of_two_from_sixteen() -> None:
    assert [units(size) for size in (1, 16, 17, 100, 128)] == [16, 16, 32, 128, 128]
