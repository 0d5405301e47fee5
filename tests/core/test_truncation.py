"""The batched passes against one sequence at a time, one step at a time, in float64 (`oracles.slow_window`)."""

import functools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from auxrnn.core import truncation
from auxrnn.core.batch import InputSpec
from auxrnn.core.encoder import Encoder
from auxrnn.core.recurrent import batch_dim, state_tensors, unroll
from auxrnn.core.truncation import WindowPlan, Windows, encode_plans, encode_windows
from oracles import LearnedStartCore, NestedCore, SumCore, assert_same, gradients, slow_tensors, slow_window

F, H = 2, 3

CORES: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTM(F, H, batch_first=True),
    "lstm-2": lambda: nn.LSTM(F, H, 2, batch_first=True),
    "gru": lambda: nn.GRU(F, H, batch_first=True),
    "rnn": lambda: nn.RNN(F, H, batch_first=True),
    "sum": SumCore,
    "nested": lambda: NestedCore(F, H),
    "learned-start": lambda: LearnedStartCore(F, H),
}

WINDOWS = {  # [start, stop) of three sequences of 14 steps
    "last steps": [[(9, 14)], [(9, 14)], [(9, 14)]],
    "overlapping": [[(2, 8), (4, 10)], [(0, 6), (3, 9)], [(5, 11), (5, 11)]],
    "unequal lengths": [[(1, 3), (6, 7)], [(2, 9), (0, 14)], [(13, 14), (4, 4)]],
    "K=0": [[(14, 14)], [(5, 5)], [(0, 0)]],
    "K=1": [[(13, 14)], [(6, 7)], [(0, 1)]],
    "whole": [[(0, 14)], [(0, 14)], [(0, 14)]],
    "many distinct lengths": [[(0, n) for n in range(1, 15)], [(14 - n, 14) for n in range(14)], [(3, 5)] * 14],
}


def bounds(windows: list[list[tuple[int, int]]]) -> tuple[Tensor, Tensor]:
    both = torch.tensor(windows)  # (B, W, 2)
    return both[..., 0], both[..., 1]


def slow_encode(core: nn.Module, inputs: Tensor, start: Tensor, stop: Tensor) -> tuple[Tensor, list[Tensor]]:
    """`encode_windows` the obvious way: outputs (B, W, L, H), and state tensors with one row a window."""
    longest = int((stop - start).max())
    with torch.no_grad():
        example, like = core(inputs[:1, :1], None)
    outputs, states = [], []
    for sequence, starts, stops in zip(inputs, start.tolist(), stop.tolist(), strict=True):
        for first, end in zip(starts, stops, strict=True):
            found, state = slow_window(core, sequence, first, end)
            padding = inputs.new_zeros(longest - (end - first), example.shape[-1])
            outputs.append(padding if found is None else torch.cat([found, padding]))
            zeros = [torch.zeros_like(tensor) for tensor in slow_tensors(like)]
            states.append(zeros if state is None else slow_tensors(state))
    rows = torch.stack(outputs).unflatten(0, start.shape)
    return rows, [torch.cat(parts, dim=batch_dim(parts[0])) for parts in zip(*states, strict=True)]


def assert_equal_to_slow(core: nn.Module, inputs: Tensor, found: Windows, start: Tensor, stop: Tensor) -> None:
    """Values, and gradients with respect to inputs and every parameter through randomly weighted outputs and states."""
    outputs, state = slow_encode(core, inputs, start, stop)
    assert_same([found.outputs, *state_tensors(found.state)], [outputs, *state])
    names = ["inputs", *(name for name, _ in core.named_parameters())]
    tensors = [inputs, *core.parameters()]
    factors = [torch.randn_like(tensor) for tensor in (outputs, *state)]

    def total(*parts: Tensor) -> Tensor:
        return sum((part * factor).sum() for part, factor in zip(parts, factors, strict=True))

    fast = gradients(total(found.outputs, *state_tensors(found.state)), tensors)
    assert_same(fast, gradients(total(outputs, *state), tensors), names)


def make(name: str, rows: int = 3, steps: int = 14) -> tuple[nn.Module, Tensor]:
    return CORES[name]().double(), torch.randn(rows, steps, F, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("name", CORES)
def test_equals_the_slow_loop(name: str, windows: list[list[tuple[int, int]]]) -> None:
    core, inputs = make(name)
    start, stop = bounds(windows)
    assert_equal_to_slow(core, inputs, encode_windows(core, inputs, start, stop), start, stop)


@pytest.mark.parametrize("name", ["lstm", "gru", "sum"])
def test_equals_the_slow_loop_over_many_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncation, "MAX_CHUNK", 8)  # starts on, before and behind every kind of chunk border
    core, inputs = make(name, rows=4, steps=70)
    start = torch.tensor([[0, 7, 8], [9, 15, 16], [63, 64, 65], [33, 1, 70]])
    stop = torch.tensor([[3, 9, 9], [10, 20, 31], [70, 70, 66], [33, 4, 70]])
    assert_equal_to_slow(core, inputs, encode_windows(core, inputs, start, stop), start, stop)


@pytest.mark.parametrize("name", ["lstm-2", "sum"])
def test_equals_the_slow_loop_where_one_call_is_too_short(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncation, "unroll", functools.partial(unroll, max_steps=4))
    core, inputs = make(name)
    start, stop = bounds(WINDOWS["unequal lengths"])
    assert_equal_to_slow(core, inputs, encode_windows(core, inputs, start, stop), start, stop)
    if isinstance(core, SumCore):
        assert max(steps for _, steps, grad in core.calls if grad) <= 4


@pytest.mark.parametrize("name", CORES)
def test_one_step_sequences(name: str) -> None:
    core, inputs = make(name, steps=1)
    start, stop = torch.tensor([[0, 0], [0, 1], [1, 0]]), torch.tensor([[1, 1], [1, 1], [1, 0]])
    assert_equal_to_slow(core, inputs, encode_windows(core, inputs, start, stop), start, stop)


def test_random_windows_of_all_kinds() -> None:
    draw = torch.Generator().manual_seed(1)
    for _ in range(10):
        core, inputs = make("gru", rows=2, steps=40)
        ends = torch.randint(41, (2, 5, 2), generator=draw).sort(-1).values
        start, stop = ends[..., 0], ends[..., 1]
        assert_equal_to_slow(core, inputs, encode_windows(core, inputs, start, stop), start, stop)


@pytest.mark.parametrize("name", ["lstm", "lstm-2", "gru", "rnn"])
def test_whole_sequence_is_torchs_own_full_back_propagation(name: str) -> None:
    core, inputs = make(name, steps=300)  # longer than MAX_CHUNK
    found = encode_windows(core, inputs, torch.zeros(3, 1, dtype=torch.int64), torch.full((3, 1), 300))
    expected, state = core(inputs)
    assert_same([found.outputs[:, 0], *state_tensors(found.state)], [expected, *state_tensors(state)])
    tensors = [inputs, *core.parameters()]
    assert_same(gradients(found.outputs[:, 0, -1].sum(), tensors), gradients(expected[:, -1].sum(), tensors))


def test_gradcheck_of_windows_as_functions_of_inputs_and_weights() -> None:
    """Finite differences see the whole past, so the windows start at 0 here; truncation is for the tests around."""
    core, inputs = make("lstm", rows=2, steps=4)
    start, stop = torch.tensor([[0, 0], [0, 0]]), torch.tensor([[4, 2], [3, 0]])

    def encode(inputs: Tensor, *_: Tensor) -> Tensor:
        return encode_windows(core, inputs, start, stop).outputs

    assert torch.autograd.gradcheck(encode, (inputs, *core.parameters()))


# What a window covers -------------------------------------------------------------------------------------------------


def one_hot(rows: int, steps: int) -> Tensor:
    """Each step says its own position."""
    return torch.eye(steps, dtype=torch.float64).repeat(rows, 1, 1).requires_grad_()


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS.keys())
def test_every_step_is_read_once_and_gradient_support_is_exactly_the_window(
    windows: list[list[tuple[int, int]]],
) -> None:
    core, inputs = SumCore(), one_hot(3, 14)
    start, stop = bounds(windows)
    found = encode_windows(core, inputs, start, stop)
    for row, (first, end) in enumerate(zip(start.flatten().tolist(), stop.flatten().tolist(), strict=True)):
        b, w = divmod(row, start.shape[1])
        assert found.state[row].tolist() == [1.0] * end + [0.0] * (14 - end)
        read = found.outputs[b, w, : end - first].sum(-1).tolist()
        assert read == [step + 1 for step in range(first, end)]
        assert not found.outputs[b, w, end - first :].any()
        (back,) = gradients(found.state[row].sum(), [inputs])
        inside = torch.zeros(3, 14)
        inside[b, first:end] = 1
        assert torch.equal((back != 0).any(-1), inside.bool())


def test_overlapping_windows_never_share_a_graph() -> None:
    """The gradient of each window is what it would be alone, and a sequence's windows add up."""
    core, inputs = make("lstm", rows=1)
    start, stop = torch.tensor([[2, 4, 4]]), torch.tensor([[9, 12, 12]])
    together = encode_windows(core, inputs, start, stop).outputs[0]  # (W, L, H)
    tensors = [inputs, *core.parameters()]
    for w in range(3):
        alone = encode_windows(core, inputs, start[:, w : w + 1], stop[:, w : w + 1]).outputs[0, 0]
        mine = together[w, : len(alone)]
        assert_same(gradients(mine.sum(), tensors), gradients(alone.sum(), tensors))
    early, late = gradients(together[0].sum(), [inputs])[0], gradients(together[1].sum(), [inputs])[0]
    assert not early[0, 9:].any()
    assert not late[0, :4].any()  # the first window's graph over 2..3 is not the second's


def test_empty_windows_give_the_right_value_and_no_gradient() -> None:
    core, inputs = make("lstm-2")
    at = torch.tensor([[14], [6], [1]])
    found = encode_windows(core, inputs, at, at)
    assert found.outputs.shape == (3, 1, 0, H)
    for b in range(3):
        _, (hidden, cell) = core(inputs[b : b + 1, : int(at[b])])
        assert_same([found.state[0][:, b], found.state[1][:, b]], [hidden[:, 0], cell[:, 0]])
    assert not any(tensor.requires_grad for tensor in state_tensors(found.state))


def test_learned_initial_state_gets_gradient_from_windows_that_begin_with_the_sequence_alone() -> None:
    core, inputs = make("learned-start")
    start, stop = torch.tensor([[0], [0], [1]]), torch.tensor([[4], [0], [5]])
    outputs = encode_windows(core, inputs, start, stop).outputs
    assert gradients(outputs[0].sum(), [core.first])[0].all()
    assert not gradients(outputs[2].sum(), [core.first])[0].any()
    empty = encode_windows(core, inputs, start[1:2].expand(3, 1), stop[1:2].expand(3, 1))
    assert not empty.state.requires_grad
    assert torch.equal(empty.state, core.first.expand(1, 3, H))


def test_padding_is_never_read() -> None:
    """SumCore refuses NaN; for an LSTM, whatever stands in the padding, no bit changes."""
    lengths = [14, 5, 1]
    windows = bounds([[(max(length - 3, 0), length), (0, length)] for length in lengths])
    core, inputs = make("lstm")
    first = encode_windows(core, inputs, *windows)
    before = [first.outputs, *first.state, *gradients(first.outputs.square().sum(), [inputs, *core.parameters()])]
    other = inputs.detach().clone()
    for b, length in enumerate(lengths):
        other[b, length:] = float("nan")
    encode_windows(SumCore(), other, *windows)
    other.requires_grad_()
    second = encode_windows(core, other, *windows)
    after = [second.outputs, *second.state, *gradients(second.outputs.square().sum(), [other, *core.parameters()])]
    for one, another in zip(before, after, strict=True):
        assert torch.equal(one, another)


# What it costs --------------------------------------------------------------------------------------------------------


def run_counting(steps: int, start: Tensor, stop: Tensor) -> list[tuple[int, int, bool]]:
    core = SumCore()
    encode_windows(core, torch.ones(len(start), steps, 1, dtype=torch.float64), start, stop)
    return core.calls


@pytest.mark.parametrize("steps", [1_000, 4_000, 40_000])
def test_no_call_grows_with_the_length(steps: int) -> None:
    stop = torch.tensor([[steps], [steps - 77]])
    calls = run_counting(steps, stop - 100, stop)
    assert max(length for _, length, _ in calls) <= truncation.MAX_CHUNK
    assert sum(rows * length for rows, length, _ in calls) <= 2 * (steps + 2)  # each step once, one to ask the state
    assert len(calls) <= steps / 64 + 10


def test_with_gradient_run_the_windows_alone_each_step_once() -> None:
    draw = torch.Generator().manual_seed(0)
    for windows in (1, 3, 20):
        ends = torch.randint(500, (4, windows, 2), generator=draw).sort(-1).values
        calls = run_counting(500, ends[..., 0], ends[..., 1])
        carried = sum(rows * length for rows, length, grad in calls if grad)
        assert carried == int((ends[..., 1] - ends[..., 0]).sum())


def test_windows_of_one_length_are_one_call() -> None:
    start = torch.randint(400, (4, 5))
    assert [(rows, steps) for rows, steps, grad in run_counting(500, start, start + 60) if grad] == [(20, 60)]


@pytest.mark.parametrize(("distinct", "calls"), [(3, 3), (100, 2 * math.ceil(math.log2(300)))])
def test_windows_of_unequal_lengths_take_few_calls(distinct: int, calls: int) -> None:
    length = torch.linspace(20, 299, distinct).long().repeat(2)
    done = torch.zeros_like(length)
    found = list(truncation._pieces(length))
    for rows, steps in found:
        done[rows] += steps
    assert torch.equal(done, length)
    assert len(found) <= calls


# Several plans, types, errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lstm-2", "gru", "nested", "learned-start"])
def test_several_plans_equal_each_alone(name: str) -> None:
    core, inputs = make(name)
    plans = [WindowPlan(*bounds(windows)) for windows in WINDOWS.values()]
    plans.append(WindowPlan(plans[1].start, plans[1].stop, outputs=False))
    tensors = [inputs, *core.parameters()]
    for plan, found in zip(plans, encode_plans(core, inputs, plans), strict=True):
        alone = encode_windows(core, inputs, plan.start, plan.stop)
        if plan.outputs:
            assert_same([found.outputs], [alone.outputs])
        else:
            assert found.outputs.shape == (*plan.start.shape, 0, H)
        states = state_tensors(found.state), state_tensors(alone.state)
        assert_same(*states)
        factors = [torch.randn_like(tensor) for tensor in states[0]]
        totals = [sum((t * f).sum() for t, f in zip(state, factors, strict=True)) for state in states]
        assert_same(*(gradients(total, tensors) for total in totals))


def test_several_plans_share_one_prefix() -> None:
    core, inputs = SumCore(), torch.ones(2, 1_000, 1, dtype=torch.float64)
    plan = WindowPlan(torch.full((2, 1), 900), torch.full((2, 1), 1_000))
    encode_plans(core, inputs, [plan] * 3)
    assert sum(rows * steps for rows, steps, grad in core.calls if not grad) < 2 * 1_000 + 6 * truncation.MAX_CHUNK
    assert [(rows, steps) for rows, steps, grad in core.calls if grad] == [(6, 100)]


@pytest.mark.parametrize("kind", ["pixels", "characters"])
def test_compact_inputs_stay_as_they_are_and_give_the_same(kind: str) -> None:
    """Every chunk that reaches the encoder is still of the input's own type; the values are those of the floats."""
    spec = InputSpec(kind, 3 if kind == "pixels" else 7)  # type: ignore[arg-type]
    encoder = Encoder(spec, hidden_size=4, projection_size=5).double()
    shape = (2, 30, 3) if kind == "pixels" else (2, 30)
    inputs = torch.randint(256 if kind == "pixels" else 7, shape).to(torch.uint8)
    start, stop = torch.tensor([[20, 3], [1, 0]]), torch.tensor([[30, 9], [29, 4]])
    types = []
    encoder.features.register_forward_hook(lambda _, args, __: types.append(args[0].dtype))
    found = encode_windows(encoder, inputs, start, stop)
    assert set(types) == {torch.uint8}
    floats = encoder.features(inputs).detach()  # the rest of the encoder over floats is another core over them
    plain = Encoder(InputSpec("values", floats.shape[-1]), cell=encoder.core, projection_size=None).double()
    expected = encode_windows(plain, floats if encoder.projection is None else encoder.projection(floats), start, stop)
    assert_same([found.outputs, *found.state], [expected.outputs, *expected.state])


@pytest.mark.parametrize("name", ["lstm", "linear", "encoder"])
def test_half_precision_leaves_no_parameter_without_gradient(name: str) -> None:
    """Autocast keeps weights that it has cast; those cast without gradient in the prefix must not serve the windows.

    Torch 2.13 sees to that itself, so there this test passes without our clearing of the cache too.
    """

    class LinearCore(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(F, F)

        def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            state = inputs.new_zeros(len(inputs), F) if state is None else state
            outputs = []
            for one in inputs.unbind(1):
                state = torch.tanh(self.step(one + state))
                outputs.append(state)
            return torch.stack(outputs, dim=1), state

    cores = {
        "lstm": lambda: nn.LSTM(F, H, batch_first=True),
        "linear": LinearCore,
        "encoder": lambda: Encoder(InputSpec("values", F), hidden_size=H, projection_size=4),
    }
    core, inputs = cores[name](), torch.randn(2, 40, F)
    try:
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            core(inputs)
    except RuntimeError as error:
        pytest.skip(f"no bfloat16 for {name} on this CPU: {error}")
    plain = encode_windows(core, inputs, torch.tensor([[0, 30], [20, 9]]), torch.tensor([[8, 40], [21, 10]]))
    with torch.autocast("cpu", torch.bfloat16):
        found = encode_windows(core, inputs, torch.tensor([[0, 30], [20, 9]]), torch.tensor([[8, 40], [21, 10]]))
    found.outputs.float().sum().backward()
    assert {name for name, weight in core.named_parameters() if weight.grad is None or not weight.grad.any()} == set()
    torch.testing.assert_close(found.outputs.float(), plain.outputs, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        ([[3], [0]], [[2], [4]], "0 <= start <= stop <= T = 6, got .* lengths from -1"),
        ([[0], [0]], [[7], [4]], "stops up to 7"),
        ([[-1], [0]], [[2], [4]], "starts from -1"),
        ([[0, 1], [0, 1]], [[2], [4]], "start and stop of one shape"),
        ([[0]], [[2]], r"start of shape \(2, W\) and type int64"),
        ([0, 0], [2, 4], r"start of shape \(2, W\)"),
        ([[], []], [[], []], "W >= 1"),
        ([[0.0], [0.0]], [[1.0], [1.0]], "torch.float32"),
        ([[0], [0]], [[1.0], [1.0]], "stop of shape"),
    ],
)
def test_refuses_windows_that_are_none(start: list, stop: list, message: str) -> None:
    core, inputs = nn.LSTM(F, H, batch_first=True), torch.randn(2, 6, F)
    with pytest.raises(ValueError, match=message):
        encode_windows(core, inputs, torch.tensor(start), torch.tensor(stop))


def test_refuses_inputs_without_sequences_or_steps_and_modules_that_are_no_cores() -> None:
    at = torch.zeros(2, 1, dtype=torch.int64)
    for shape in ((2, 0, F), (0, 4, F), (4,)):
        with pytest.raises(ValueError, match="B and T at least 1"):
            encode_windows(SumCore(), torch.zeros(shape), at, at)
    with pytest.raises(ValueError, match="batch_first=True"):
        encode_windows(nn.LSTM(F, H), torch.zeros(2, 4, F), at, at)


@pytest.mark.parametrize("projection", [3, None])
def test_groups_of_rows_have_few_sizes(projection: int | None) -> None:
    """Sizes of four significant bits: oneDNN makes a kernel for each shape, and keeps it."""
    encoder = Encoder(InputSpec("values", 2), hidden_size=4, projection_size=projection)
    sizes: set[int] = set()
    encoder.features.register_forward_pre_hook(lambda _, given: sizes.add(len(given[0])))
    inputs = torch.randn(32, 200, 2)
    for seed in range(5):
        start = torch.randint(180, (32, 5), generator=torch.Generator().manual_seed(seed))
        encode_windows(encoder, inputs, start, (start + 5 + start % 15).clamp(max=200))
    assert len(sizes) > 5
    assert all(size >> max(size.bit_length() - 4, 0) << max(size.bit_length() - 4, 0) == size for size in sizes)


def test_chunks_are_long_where_no_row_takes_a_way_of_its_own() -> None:
    assert truncation._chunk_length(16_384, 1) == truncation.MAX_CHUNK
    assert truncation._chunk_length(16_384, 21) == 64  # 2 * 16,384 * CALL_COST / 20 is about 64 squared
    assert truncation._chunk_length(16, 500) == 8


class WordedCore(nn.Module):
    """`NestedCore` with a dict as its state, and a list within."""

    def __init__(self) -> None:
        super().__init__()
        self.core = NestedCore(F, H)

    def forward(self, inputs: Tensor, state: dict | None = None) -> tuple[Tensor, dict]:
        given = None if state is None else (tuple(state["lstm"]), state["mean"])
        outputs, ((hidden, cell), mean) = self.core(inputs, given)
        return outputs, {"mean": mean, "lstm": [hidden, cell]}


def test_states_in_words_and_windows_in_lists() -> None:
    core = WordedCore().double()
    inputs = torch.randn(2, 14, F, dtype=torch.float64)
    start, stop = [[0, 5], [3, 9]], [[4, 14], [3, 10]]
    plain = encode_windows(core.core, inputs, torch.tensor(start), torch.tensor(stop))
    worded = encode_windows(core, inputs, start, stop)  # type: ignore[arg-type]
    assert torch.equal(worded.outputs, plain.outputs)
    (_hidden, cell), mean = plain.state
    assert torch.equal(worded.state["lstm"][1], cell)
    assert torch.equal(worded.state["mean"], mean)
    with pytest.raises(ValueError, match="Expected start as a tensor, got str"):
        encode_windows(core, inputs, "0", stop)  # type: ignore[arg-type]
