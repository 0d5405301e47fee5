"""What a recurrent core is, and the few operations on its state. Knows nothing of truncation, losses or data.

A core is any module `forward(inputs (B, T, F), state=None) -> (outputs (B, T, H), state)`. `nn.LSTM`, `nn.GRU` and
`nn.RNN` with `batch_first=True` are cores as they are. The state is a tensor, or a nested tuple, list or dict of
tensors. A state tensor with three or more dimensions has the batch in dimension 1 (torch's (layers, B, H)), a smaller
one in dimension 0.

A core may have more, each optional:

- `initial_state(inputs) -> state`: the state before the first step. Without it, `state=None` means zeros.
- `divisible`: True where parts of a batch give by themselves what the whole gives.
- `settled()`: the core for many calls without gradient, with work that these calls share done once.
- `ragged(rows, device)`: a function in which every row stops at its own step; see `ragged`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.lazy_steps import Inputs

State = (
    Any  # a tensor or a nested tuple, list or dict of tensors; Python has no recursive alias that type checkers share
)
Core = Callable[..., tuple[Tensor, State]]
RaggedCore = Callable[[Tensor, State, Tensor, bool], tuple[Tensor, State]]

MAX_STEPS = 32_768
"""Longest single call of a core: cuDNN refuses more than 65,535 steps."""


def batch_dim(tensor: Tensor) -> int:
    """The dimension of a state tensor that counts sequences."""
    return 1 if tensor.dim() >= 3 else 0


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply `function` to the corresponding tensors of states of one structure."""
    first = states[0]
    if isinstance(first, Tensor):
        return function(*states)
    if isinstance(first, dict):
        if any(not isinstance(state, dict) or state.keys() != first.keys() for state in states):
            raise ValueError(f"Expected states of one structure, got others than dicts with {sorted(first)}.")
        return {name: map_state(function, *(state[name] for state in states)) for name in first}
    if not isinstance(first, tuple | list):
        raise TypeError(
            f"Expected a state of tensors, tuples, lists or dicts of them, got {type(first).__name__} in it."
        )
    parts = [map_state(function, *parts) for parts in zip(*states, strict=True)]
    return first._make(parts) if hasattr(first, "_make") else type(first)(parts)


def state_tensors(state: State) -> list[Tensor]:
    """The tensors of a state, in order."""
    if isinstance(state, Tensor):
        return [state]
    parts = [state[name] for name in sorted(state)] if isinstance(state, dict) else state
    if not isinstance(parts, tuple | list):
        raise TypeError(
            f"Expected a state of tensors, tuples, lists or dicts of them, got {type(state).__name__} in it."
        )
    return [tensor for part in parts for tensor in state_tensors(part)]


def select_rows(state: State, rows: Tensor) -> State:
    """The state of some rows; `rows` (R,) int64, repeats allowed."""
    return map_state(lambda tensor: tensor.index_select(batch_dim(tensor), rows.to(tensor.device)), state)


def put_rows(state: State, rows: Tensor, part: State) -> State:
    """A new state with the states `part` at `rows`; the gradient follows both."""
    return map_state(lambda whole, new: whole.index_copy(batch_dim(whole), rows.to(whole.device), new), state, part)


def detach_state(state: State) -> State:
    """The state as a constant."""
    return map_state(Tensor.detach, state)


def join_rows(states: Sequence[State]) -> State:
    """The states of several groups of rows as one, in order."""
    if len(states) == 1:
        return states[0]
    return map_state(lambda *parts: torch.cat(parts, dim=batch_dim(parts[0])), *states)


def is_divisible(core: Core) -> bool:
    """Say whether parts of a batch may run by themselves, at the same time, and give what the whole would give.

    True for torch's own cells, unless they drop something at random; a core of your own says so with an attribute
    `divisible`.
    """
    if isinstance(core, nn.RNNBase):
        return not (core.training and core.dropout and core.num_layers > 1)
    return bool(getattr(core, "divisible", False))


def settled(core: Core) -> Core:
    """Prepare a core for many calls without gradient while its weights stay: shared work is done once.

    Returns `core.settled()`, or the core itself where it has no such method.
    """
    own = getattr(core, "settled", None)
    return core if own is None else own()


def ragged(core: Core, rows: int, device: torch.device) -> RaggedCore | None:
    """Give the core as a function in which every row stops at its own step, in one call.

    Parameters
    ----------
    core : Core
        Asked for `core.ragged(rows, device)`.
    rows : int
        Rows of the call.
    device : torch.device
        Where it runs.

    Returns
    -------
    RaggedCore or None
        A function of inputs (R, T, ...), state, lengths (R,) and whether outputs are wanted, to outputs (R, T, H), zero
        past each row's own end, and the state at that end. Where outputs are not wanted and there is no gradient, it
        gives none. None where the core has no such ability.
    """
    own = getattr(core, "ragged", None)
    return None if own is None else own(rows, device)


def initial_state(core: Core, inputs: Inputs) -> State:
    """Give the state before the first step of inputs (B, T, ...), one row a sequence.

    Returns `core.initial_state(inputs)` where the core has it, else zeros of the structure that the core itself
    returns.

    Raises
    ------
    ValueError
        For state tensors whose batch stands in another dimension than torch's.
    """
    own = getattr(core, "initial_state", None)
    if own is not None:
        return own(inputs)
    with torch.no_grad():
        _, state = core(inputs[:1, :1], None)
    torch.clear_autocast_cache()  # weights cast without gradient here must not serve a pass with gradient

    def zeros(tensor: Tensor) -> Tensor:
        dim = batch_dim(tensor)
        if tensor.dim() == 0 or tensor.shape[dim] != 1:
            raise ValueError(
                f"Expected state tensors with the batch in dimension 1 (three or more dimensions) or 0 (fewer), "
                f"got shape {tuple(tensor.shape)} for one sequence; use torch's layout (layers, B, H)."
            )
        shape = list(tensor.shape)
        shape[dim] = len(inputs)
        return tensor.new_zeros(shape)

    return map_state(zeros, state)


def unroll(core: Core, inputs: Tensor, state: State, max_steps: int = MAX_STEPS) -> tuple[Tensor, State]:
    """Run a core over inputs (B, T, ...), T >= 1, in calls of at most `max_steps`; the gradient crosses the calls."""
    if inputs.shape[1] <= max_steps:
        return core(inputs, state)
    parts = []
    for chunk in inputs.split(max_steps, dim=1):
        outputs, state = core(chunk, state)
        parts.append(outputs)
    return torch.cat(parts, dim=1), state


def check_core(core: Core) -> None:
    """Refuse torch's recurrent modules in a form that is not a core."""
    if not isinstance(core, nn.RNNBase):
        return
    if not core.batch_first:
        raise ValueError(f"Expected a core over inputs (B, T, F), got {core}; construct it with batch_first=True.")
    if core.bidirectional:
        raise ValueError(f"Expected a core that reads forward only, got {core}; a bidirectional one has no prefix.")
