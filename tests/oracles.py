"""Slow and obvious references for the tests: one sequence, one step at a time, nothing batched, nothing shared.

Also toy cores whose numbers say by themselves which steps they have read.
"""

import gc
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

State = Any


def slow_map(function: Callable[[Tensor], Tensor], state: State) -> State:
    return tuple(slow_map(function, part) for part in state) if isinstance(state, tuple) else function(state)


def slow_tensors(state: State) -> list[Tensor]:
    return [tensor for part in state for tensor in slow_tensors(part)] if isinstance(state, tuple) else [state]


def slow_window(core: nn.Module, sequence: Tensor, start: int, stop: int) -> tuple[Tensor | None, State]:
    """Outputs (stop - start, H) and final state on `[start, stop)` of one sequence (T, ...), one step at a time.

    Outputs are None if the window is empty; the state is None before the first step of a core that begins with zeros.
    """
    state, outputs = None, []
    own = getattr(core, "initial_state", None)
    if own is not None:
        with torch.set_grad_enabled(stop > 0):
            state = own(sequence[None])
    for step in range(start):
        with torch.no_grad():
            _, state = core(sequence[None, step : step + 1], state)
    if start > 0:
        state = slow_map(lambda tensor: tensor.detach(), state)
    for step in range(start, stop):
        output, state = core(sequence[None, step : step + 1], state)
        outputs.append(output[0, 0])
    return (torch.stack(outputs) if outputs else None), state


def gradients(total: Tensor, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Gradients of a scalar, zeros where there is none."""
    tensors = list(tensors)
    if not total.requires_grad:
        return [torch.zeros_like(tensor) for tensor in tensors]
    found = torch.autograd.grad(total, tensors, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(tensor) if one is None else one for tensor, one in zip(tensors, found, strict=True)]


def assert_same(found: Iterable[Tensor], expected: Iterable[Tensor], names: Iterable[str] | None = None) -> None:
    """Equal to about float64's rounding over a few hundred steps."""
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    labels = list(names) if names is not None else [str(index) for index in range(len(found))]
    for label, one, other in zip(labels, found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10, msg=lambda text, label=label: f"{label}: {text}")


class SumCore(nn.Module):
    """Adds up its inputs: fed one-hot positions, its output says which steps it has read, and its state too.

    The derivative of any state with respect to step t is exactly `weight` if t lies in the window and before the state,
    else 0. It refuses NaN, so padding marked so must never be read. calls: (rows, steps, with gradient?) of each call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.calls: list[tuple[int, int, bool]] = []

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert not inputs.isnan().any(), "padding was read"
        self.calls.append((*inputs.shape[:2], torch.is_grad_enabled()))
        before = inputs.new_zeros(len(inputs), inputs.shape[2]) if state is None else state  # (B, F)
        outputs = before.unsqueeze(1) + (self.weight * inputs).cumsum(1)
        return outputs, outputs[:, -1]


class NestedCore(nn.Module):
    """Two cells with states of different form: ((LSTM's (h, c)), leaky mean (B, F)); the outputs mix both."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, hidden_size, batch_first=True)
        self.leak = nn.Parameter(torch.tensor(0.7))
        self.mix = nn.Linear(size, hidden_size)

    def forward(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        inner, mean = (None, inputs.new_zeros(len(inputs), inputs.shape[2])) if state is None else state
        outputs, inner = self.lstm(inputs, inner)
        means = []
        for step in inputs.unbind(1):
            mean = self.leak * mean + (1 - self.leak) * step
            means.append(mean)
        return outputs + self.mix(torch.stack(means, dim=1)), (inner, mean)


class LearnedStartCore(nn.Module):
    """A GRU whose state before the first step is a parameter."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, hidden_size, batch_first=True)
        self.first = nn.Parameter(torch.randn(1, 1, hidden_size))

    def initial_state(self, inputs: Tensor) -> Tensor:
        return self.first.expand(1, len(inputs), -1).contiguous()

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.gru(inputs, self.initial_state(inputs) if state is None else state)


def slow_reconstruction(decoder: nn.Module, segment: Tensor, state: State, fed: list[bool]) -> Tensor:
    """What a reconstruction decoder says of the steps 1..l-1 of one segment (l, ...): the head's outputs, (l - 1, ...).

    state: one row of the anchor's. fed: whether the true input stands at each of the steps 0..l-2; elsewhere stands a
    blank, or the decoder's own word in a first run over true inputs (the two-pass form).
    """

    def run(inputs: Tensor) -> Tensor:
        inner, outputs = slow_start(decoder, state), []
        for step in inputs:
            output, inner = decoder.core(step.view(1, 1, -1), inner)
            outputs.append(decoder.head(output[0, 0]))
        return torch.stack(outputs)

    given = segment[:-1]
    if decoder.unfed == "blank":
        features = [decoder.features(step[None, None])[0, 0] for step in given]
        return run(torch.stack([flagged(one, true) for one, true in zip(features, fed, strict=True)]))
    with torch.no_grad():
        said = decoder.head.best(run(decoder.features(given[None])[0]))
    mixed = [given[0]] + [given[t] if fed[t] else said[t - 1].to(given.dtype) for t in range(1, len(given))]
    return run(torch.stack([decoder.features(step[None, None])[0, 0] for step in mixed]))


def flagged(features: Tensor, true: bool) -> Tensor:
    """The features of one step and a 1, or nothing but zeros."""
    return torch.cat([features, torch.ones_like(features[:1])]) * (1.0 if true else 0.0)


def slow_generate(decoder: nn.Module, first: Tensor, state: State, steps: int) -> Tensor:
    """What a reconstruction decoder remembers behind the step `first` (...) when nothing true is fed any more."""
    inner, given, said = slow_start(decoder, state), first, []
    for index in range(steps):
        features = decoder.features(given[None, None])[0, 0]
        if decoder.unfed == "blank":
            features = flagged(features, index == 0)
        output, inner = decoder.core(features.view(1, 1, -1), inner)
        given = decoder.head.best(decoder.head(output[0, 0]))
        said.append(given)
    return torch.stack(said)


def slow_start(decoder: nn.Module, state: State) -> State:
    """The decoder's first state, layer by layer: the anchor's at the bottom (mapped if sizes differ), zeros above."""
    parts = [(part[-1] if part.dim() == 3 else part).reshape(1, -1) for part in slow_tensors(state)]
    size = decoder.core.hidden_size
    if decoder.state_map is not None:
        joined = torch.cat(parts, dim=1) @ decoder.state_map.weight.T + decoder.state_map.bias
        parts = [joined[:, at : at + size] for at in range(0, joined.shape[1], size)]
    zeros = [torch.zeros_like(parts[0])] * (decoder.core.num_layers - 1)
    layers = [torch.stack([part, *zeros]) for part in parts]
    return tuple(layers) if isinstance(decoder.core, nn.LSTM) else layers[0]


class Counted:
    """Counts the bytes of tensors that graphs hold for the backward pass, now and at most."""

    now = most = 0

    class Held:
        def __init__(self, counter: "Counted", tensor: Tensor) -> None:
            self.counter, self.tensor = counter, tensor
            counter.now += tensor.nbytes
            counter.most = max(counter.most, counter.now)

        def __del__(self) -> None:
            self.counter.now -= self.tensor.nbytes

    def __enter__(self) -> "Counted":
        gc.collect()
        self.hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: self.Held(self, tensor), lambda h: h.tensor
        )
        self.hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.hooks.__exit__(*error)
