from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from auxrnn.core.recurrent import (
    batch_dim,
    check_core,
    detach_state,
    initial_state,
    map_state,
    put_rows,
    select_rows,
    state_tensors,
    unroll,
)
from oracles import LearnedStartCore, NestedCore, SumCore, assert_same, gradients


def nested(rows: int) -> tuple:
    """A state of every form: torch's (layers, B, H), and smaller tensors with the batch in front."""
    return ((torch.randn(2, rows, 3), torch.randn(2, rows, 4)), torch.randn(rows, 5), torch.randn(rows))


def test_batch_dim_is_one_behind_the_layers_and_else_zero() -> None:
    assert [batch_dim(tensor) for tensor in state_tensors(nested(6))] == [1, 1, 0, 0]


def test_map_state_keeps_the_structure() -> None:
    state = nested(2)
    doubled = map_state(lambda one, other: one + other, state, state)
    assert isinstance(doubled, tuple)
    assert isinstance(doubled[0], tuple)
    assert_same(state_tensors(doubled), [2 * tensor for tensor in state_tensors(state)])


def test_map_state_refuses_states_of_different_structure() -> None:
    with pytest.raises(ValueError, match="zip"):
        map_state(torch.add, nested(2), nested(2)[:2])


class Both(NamedTuple):
    """A state with words instead of indices."""

    hidden: Any
    others: Any


def test_dicts_lists_and_named_tuples_are_states_too() -> None:
    tensors = [torch.randn(2, 3, 4), torch.randn(3), torch.randn(3, 2)]
    state = Both(tensors[0], {"b": tensors[2], "a": [tensors[1]]})
    assert_same(state_tensors(state), tensors)
    turned = map_state(lambda one, other: one - other, state, Both(tensors[0], {"a": [tensors[1]], "b": tensors[2]}))
    assert isinstance(turned, Both)
    assert list(turned.others) == ["b", "a"]
    assert isinstance(turned.others["a"], list)
    assert all(not tensor.any() for tensor in state_tensors(turned))


def test_other_states_are_named() -> None:
    for wrong in ("hidden", {1, 2}, None, (torch.zeros(1), None)):
        with pytest.raises(TypeError, match="Expected a state of tensors, tuples, lists or dicts of them, got"):
            map_state(torch.neg, wrong)
        with pytest.raises(TypeError, match="Expected a state of tensors, tuples, lists or dicts of them, got"):
            state_tensors(wrong)
    with pytest.raises(ValueError, match=r"one structure, got others than dicts with \['a'\]"):
        map_state(torch.add, {"a": torch.zeros(1)}, {"b": torch.zeros(1)})


def test_select_rows_takes_rows_in_order_with_repeats() -> None:
    state = nested(3)
    chosen = select_rows(state, torch.tensor([2, 0, 2]))
    for whole, part in zip(state_tensors(state), state_tensors(chosen), strict=True):
        dim = batch_dim(whole)
        assert_same(part.unbind(dim), [whole.select(dim, row) for row in (2, 0, 2)])


def test_put_rows_changes_these_rows_alone_and_not_in_place() -> None:
    state, part = nested(3), nested(2)
    before = [tensor.clone() for tensor in state_tensors(state)]
    new = put_rows(state, torch.tensor([2, 0]), part)
    assert_same(state_tensors(state), before)
    for one, whole, other in zip(state_tensors(new), before, state_tensors(part), strict=True):
        dim = batch_dim(whole)
        expected = [other.select(dim, 1), whole.select(dim, 1), other.select(dim, 0)]
        assert_same(one.unbind(dim), expected)


def test_put_rows_lets_the_gradient_follow_both() -> None:
    whole, part = torch.randn(3, 2, requires_grad=True), torch.randn(1, 2, requires_grad=True)
    of_whole, of_part = gradients(put_rows(whole, torch.tensor([1]), part).sum(), [whole, part])
    assert of_whole.tolist() == [[1, 1], [0, 0], [1, 1]]
    assert of_part.tolist() == [[1, 1]]


def test_detach_state_makes_constants() -> None:
    state = map_state(lambda tensor: tensor.requires_grad_(), nested(2))
    assert not any(tensor.requires_grad for tensor in state_tensors(detach_state(state)))


@pytest.mark.parametrize(
    "core", [nn.LSTM(3, 4, 2, batch_first=True), nn.GRU(3, 4, batch_first=True), NestedCore(3, 4)], ids=type
)
def test_initial_state_is_zeros_of_the_cores_own_structure(core: nn.Module) -> None:
    inputs = torch.randn(5, 2, 3)
    zeros = initial_state(core, inputs)
    _, like = core(inputs)
    assert [tensor.shape for tensor in state_tensors(zeros)] == [tensor.shape for tensor in state_tensors(like)]
    assert all(not tensor.any() and not tensor.requires_grad for tensor in state_tensors(zeros))
    torch.testing.assert_close(core(inputs, zeros)[0], core(inputs)[0])  # torch takes None for zeros


def test_initial_state_asks_the_core_first() -> None:
    core = LearnedStartCore(3, 4)
    found = initial_state(core, torch.randn(5, 2, 3))
    assert torch.equal(found, core.first.expand(1, 5, 4))
    assert found.requires_grad


def test_initial_state_refuses_a_batch_in_the_wrong_place() -> None:
    class Transposed(nn.Module):
        def forward(self, inputs: torch.Tensor, state: torch.Tensor | None = None) -> tuple:
            return inputs, inputs.new_zeros(7, len(inputs))  # (F, B)

    with pytest.raises(ValueError, match=r"Expected state tensors with the batch .* got shape \(7, 1\)"):
        initial_state(Transposed(), torch.randn(5, 2, 3))


@pytest.mark.parametrize("steps", [1, 4, 5, 10, 11, 12])
def test_unroll_in_short_calls_equals_one_call(steps: int) -> None:
    core = nn.LSTM(3, 4, 2, batch_first=True).double()
    inputs = torch.randn(2, steps, 3, dtype=torch.float64, requires_grad=True)
    expected, (hidden, cell) = core(inputs)
    found, state = unroll(core, inputs, initial_state(core, inputs), max_steps=5)
    assert_same([found, *state], [expected, hidden, cell])
    weights = [inputs, *core.parameters()]
    factor = torch.randn_like(expected)
    assert_same(gradients((found * factor).sum(), weights), gradients((expected * factor).sum(), weights))


def test_unroll_makes_no_call_longer_than_allowed() -> None:
    core = SumCore()
    unroll(core, torch.ones(2, 12, 1, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64), max_steps=5)
    assert [steps for _, steps, _ in core.calls] == [5, 5, 2]


def test_check_core_refuses_torch_modules_that_are_no_cores() -> None:
    with pytest.raises(ValueError, match="batch_first=True"):
        check_core(nn.LSTM(3, 4))
    with pytest.raises(ValueError, match="reads forward only"):
        check_core(nn.GRU(3, 4, batch_first=True, bidirectional=True))
    check_core(nn.RNN(3, 4, batch_first=True))
    check_core(SumCore())
