"""Exact truncation: run long sequences, but let only chosen windows carry gradient.

A window is the stretch `[start, stop)` of steps that may carry gradient. `encode_windows` first runs every sequence
without gradient, in chunks, and keeps only the states at the window starts. It then runs all windows of all sequences
as one batched pass with gradient. Where a core lets every row stop at its own step (`recurrent.ragged`), each window
walks its own way to its start instead, all in one call. Memory does not depend on the length of the sequences. Knows
nothing of losses or models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from auxrnn.core.batch import as_tensor
from auxrnn.core.lazy_steps import Inputs
from auxrnn.core.recurrent import (
    Core,
    RaggedCore,
    State,
    check_core,
    initial_state,
    is_divisible,
    join_rows,
    put_rows,
    ragged,
    select_rows,
    settled,
    unroll,
)
from auxrnn.core.threads import even_parts, in_threads
from auxrnn.core.totals import Totals, TotalsKeeper, TotalsPlan, join_totals

MAX_CHUNK = 128
"""Longest chunk of the prefix: the largest power of two whose outputs stay small beside one window's graph."""

CHUNK_SIZE = 2**18
"""Rows times steps of a chunk of the prefix where every row stops at its own step. Such a chunk holds only projected
inputs, at most 4 H a step."""

MOST_ROWS = 4096
"""Most windows that each walk a prefix of their own, in one call, where a core lets rows stop at their own step. More
windows share the sequences' prefix. An estimate: a card that holds 1,000 rows at once needs four turns for these."""

CALL_COST = 2.5
"""Fixed cost of one call of a core, in steps of the batch (measured on a CPU, LSTM 128, batch 32)."""


@dataclass(frozen=True)
class WindowPlan:
    """The windows that one loss asks for.

    Parameters
    ----------
    start, stop : Tensor
        First step of each window and the step behind its last, (B, W) int64 on the CPU, `0 <= start <= stop <= T`.
    outputs : bool
        Whether the loss reads the outputs of the steps, or only the state at the end.
    """

    start: Tensor
    stop: Tensor
    outputs: bool = True

    def of(self, sequences: slice) -> WindowPlan:
        """The windows of some of the sequences."""
        return WindowPlan(self.start[sequences], self.stop[sequences], self.outputs)


@dataclass(frozen=True)
class Windows:
    """The outputs and final states of a core on windows `[start, stop)`.

    Attributes
    ----------
    outputs : Tensor
        (B, W, L, H), zero past each window's own end. L is the longest window; 0 where the plan asks for no outputs.
    state : State
        After each window's last step, in the core's own layout, R = B * W rows; row b * W + w is window w of sequence
        b. Of an empty window, the state before it.
    totals : Totals, optional
        Sums over all steps of each sequence, where the loss asked for them.
    """

    outputs: Tensor
    state: State
    totals: Totals | None = None


@dataclass(frozen=True)
class Prefix:
    """The result of one pass without gradient.

    Attributes
    ----------
    states : list of State
        The states before the windows of each plan, B * W rows each.
    totals : Totals, optional
        Sums over all steps of each sequence, where asked for.
    """

    states: list[State]
    totals: Totals | None = None


def encode_windows(core: Core, inputs: Inputs, start: Tensor, stop: Tensor) -> Windows:
    """Run a core over long sequences, with gradient in chosen windows alone.

    The values are those of one uninterrupted pass. A gradient never crosses a window's start. Windows never share a
    graph, overlapping ones included. Memory depends on the windows, not on T.

    Parameters
    ----------
    core : Module
        `nn.LSTM`, `nn.GRU` or `nn.RNN` with `batch_first=True`, an `Encoder`, or a core of your own (see `recurrent`).
    inputs : Tensor
        (B, T, F) for torch's own cores; (B, T, ...) as the core takes them. They stay in their compact type; each chunk
        goes through the core as it is.
    start, stop : Tensor
        The windows `[start, stop)`, (B, W) int64, `0 <= start <= stop <= T`.

    Returns
    -------
    Windows
        Outputs (B, W, L, H) and the final state of each window.

    Raises
    ------
    ValueError
        For windows outside the sequences, or of another shape or type.

    References
    ----------
    Williams & Peng (1990), truncated back-propagation through time. Trinh, Dai, Luong & Le (2018), section 3, truncate
    the supervised and the auxiliary losses; they are silent on windows that overlap, which we keep apart.
    """
    plan = WindowPlan(as_tensor("start", start), as_tensor("stop", stop))
    return encode_plans(core, as_tensor("inputs", inputs), [plan])[0]


def encode_plans(core: Core, inputs: Inputs, plans: Sequence[WindowPlan]) -> list[Windows]:
    """Serve the windows of several losses with one prefix and one batched pass.

    Parameters
    ----------
    core, inputs
        As for `encode_windows`.
    plans : sequence of WindowPlan
        One a loss.

    Returns
    -------
    list of Windows
        One a plan.
    """
    return encode_from(core, inputs, plans, states_before(core, inputs, plans))


def states_before(core: Core, inputs: Inputs, plans: Sequence[WindowPlan]) -> list[State]:
    """Find the states before the windows of each plan, without gradient, with one prefix for them all.

    On the CPU, parts of the batch run at the same time where there are several threads and the core allows it.

    Returns
    -------
    list of State
        One a plan, B * W rows each.
    """
    return run_prefix(core, inputs, plans).states


def run_prefix(core: Core, inputs: Inputs, plans: Sequence[WindowPlan], totals: TotalsPlan | None = None) -> Prefix:
    """Find the states before all windows, and sum up what a readout needs of all steps on the same way.

    Parameters
    ----------
    core, inputs, plans
        As for `encode_plans`.
    totals : TotalsPlan, optional
        What the readout asks for; None for no sums.

    Returns
    -------
    Prefix
        States and totals, without gradient.
    """
    check_core(core)
    plans = [_checked(inputs, plan) for plan in plans]
    parts = even_parts(len(inputs), torch.get_num_threads() if _shared_out(core, inputs) else 1)
    with torch.no_grad():
        fixed = settled(core)

    def run(sequences: range) -> tuple[State, Totals | None]:
        rows = slice(sequences.start, sequences.stop)
        sequence = _sequences([plan.start[rows] for plan in plans])
        start = torch.cat([torch.zeros(0, dtype=torch.int64), *(plan.start[rows].flatten() for plan in plans)])
        keeper = None if totals is None else TotalsKeeper(totals.of(rows))
        with torch.no_grad():
            state = _states_at(core, fixed, inputs[rows], sequence, start, keeper)
        return state, None if keeper is None else keeper.totals()

    found = in_threads([partial(run, sequences) for sequences in parts])
    torch.clear_autocast_cache()  # weights cast without gradient in the prefix must not serve the windows
    states, first = [], [0] * len(found)
    for plan in plans:
        own = []
        for index, sequences in enumerate(parts):
            rows = len(sequences) * plan.start.shape[1]
            own.append(select_rows(found[index][0], torch.arange(first[index], first[index] + rows)))
            first[index] += rows
        states.append(join_rows(own))
    return Prefix(states, None if totals is None else join_totals([one for _, one in found if one is not None]))


def encode_from(core: Core, inputs: Inputs, plans: Sequence[WindowPlan], before: Sequence[State]) -> list[Windows]:
    """Run the batched pass of `encode_plans` alone, from known states before the windows.

    Parameters
    ----------
    core, inputs, plans
        As for `encode_plans`.
    before : sequence of State
        As `states_before` gives them.

    Returns
    -------
    list of Windows
        One a plan.
    """
    plans = [_checked(inputs, plan) for plan in plans]
    sequence = _sequences([plan.start for plan in plans])  # (R,)
    start = torch.cat([plan.start.flatten() for plan in plans])
    stop = torch.cat([plan.stop.flatten() for plan in plans])
    state = join_rows(before)
    begins = ((start == 0) & (stop > 0)).nonzero().squeeze(1)
    if len(begins) and hasattr(core, "initial_state"):  # it may be learned, and its own gradient crosses no start
        state = put_rows(state, begins, select_rows(initial_state(core, inputs), sequence[begins]))
    may_fill = _shared_out(core, inputs)
    parts, state = _advance(core, inputs, sequence, start, stop - start, state, may_fill=may_fill)

    encoded, first = [], 0
    for plan in plans:
        rows = plan.start.numel()
        longest = int((plan.stop - plan.start).max()) if plan.outputs else 0
        outputs = _assemble(parts, first, rows, longest) if longest else _no_outputs(core, inputs, rows)
        own = state if len(plans) == 1 else select_rows(state, torch.arange(first, first + rows))
        encoded.append(Windows(outputs.unflatten(0, plan.start.shape), own))
        first += rows
    return encoded


def _sequences(starts: Sequence[Tensor]) -> Tensor:
    """The sequence that each row belongs to, from the starts (B, W) of each plan: (R,)."""
    rows = [torch.arange(len(start)).repeat_interleave(start.shape[1]) for start in starts]
    return torch.cat(rows) if rows else torch.zeros(0, dtype=torch.int64)


def _shared_out(core: Core, inputs: Inputs) -> bool:
    return inputs.device.type == "cpu" and is_divisible(core)


def _checked(inputs: Inputs, plan: WindowPlan) -> WindowPlan:
    if inputs.dim() < 2 or 0 in inputs.shape[:2]:
        raise ValueError(f"Expected inputs of shape (B, T, F) with B and T at least 1, got {tuple(inputs.shape)}.")
    for name, bound in (("start", plan.start), ("stop", plan.stop)):
        if bound.dim() != 2 or len(bound) != len(inputs) or bound.dtype != torch.int64 or bound.shape[1] == 0:
            raise ValueError(
                f"Expected {name} of shape ({len(inputs)}, W) and type int64, W >= 1, "
                f"got {tuple(bound.shape)} {bound.dtype}."
            )
    start, stop = plan.start.cpu(), plan.stop.cpu()  # planned on the CPU, so that a GPU never waits for integers
    if start.shape != stop.shape:
        raise ValueError(f"Expected start and stop of one shape, got {tuple(start.shape)} and {tuple(stop.shape)}.")
    if int(start.min()) < 0 or bool((stop < start).any()) or int(stop.max()) > inputs.shape[1]:
        raise ValueError(
            f"Expected windows with 0 <= start <= stop <= T = {inputs.shape[1]}, got starts from {int(start.min())}, "
            f"stops up to {int(stop.max())} and lengths from {int((stop - start).min())}."
        )
    return WindowPlan(start, stop, plan.outputs)


def _states_at(
    core: Core, fixed: Core, inputs: Inputs, sequence: Tensor, start: Tensor, keeper: TotalsKeeper | None = None
) -> State:
    """Find the state before step `start` of each row (R,), without gradient.

    The sequences run once over a grid of points. A row leaves the grid at the last point before its start and goes the
    rest of the way among the other rows. A keeper sees all steps of every sequence on the way. Without a keeper, where
    rows may stop at their own step and are not too many, every row goes all the way by itself. `fixed` is the core with
    its weights settled.
    """
    current = initial_state(core, inputs)  # one row a sequence
    state = select_rows(current, sequence)
    furthest = int(start.max()) if len(start) else 0
    run = ragged(core, len(start), inputs.device) if keeper is None and len(start) <= MOST_ROWS else None
    if run is not None:
        chunk = max(CHUNK_SIZE // len(start), 1)
        for first in range(0, furthest, chunk):
            steps = (start - first).clamp(0, chunk)
            rows = steps.nonzero().squeeze(1)
            begin = torch.full_like(start, first)
            _, state = _advance_at_once(run, inputs, sequence, begin, steps, state, rows, told=False)
        return state
    if keeper is None:
        points = torch.arange(0, furthest + 1, _chunk_length(furthest, len(start) // len(inputs)))
        reach = torch.zeros(len(inputs), dtype=torch.int64)  # how many pieces each sequence runs
    else:
        points = keeper.plan.points(MAX_CHUNK)
        reach = torch.searchsorted(points, keeper.plan.lengths)
    last_point = torch.searchsorted(points, start, right=True) - 1
    reach = reach.scatter_reduce(0, sequence, last_point, "amax")
    ends, may_fill = [*points[1:].tolist(), inputs.shape[1]], _shared_out(core, inputs)
    for point in range(int(reach.max())):
        first = int(points[point])
        active = (reach > point).nonzero().squeeze(1)
        piece = inputs[:, first : ends[point]]
        if keeper is not None:
            keeper.enter(first, current)
        if len(active) == len(inputs):
            outputs, current = fixed(piece, current)
        else:
            running = _filled(active) if may_fill else active
            outputs, moved = fixed(piece[running.to(piece.device)], select_rows(current, running))
            outputs, current = outputs[: len(active)], _put_first(current, active, moved, len(running))
        if keeper is not None:
            keeper.see(first, active, outputs)
        rows = (last_point == point + 1).nonzero().squeeze(1)
        if len(rows):
            state = put_rows(state, rows, select_rows(current, sequence[rows]))
    if len(start):
        begin = points[last_point]
        _, state = _advance(fixed, inputs, sequence, begin, start - begin, state, may_fill=may_fill)
    return state


def _chunk_length(steps: int, windows: int) -> int:
    """The power of two that makes the prefix cheapest: short chunks cost calls, long ones half a chunk a window.

    The first window of a sequence costs nothing, for its row is the sequence's own that leaves the grid. The sum
    `steps / chunk * CALL_COST + (windows - 1) * chunk / 2` is least at the square root below.
    """
    if windows == 1:
        return MAX_CHUNK
    best = math.sqrt(2 * max(steps, 1) * CALL_COST / (windows - 1))
    return min(MAX_CHUNK, 2 ** max(round(math.log2(best)), 3))


Part = tuple[Tensor, Tensor, Tensor]  # rows (r,), the first step of each within its window (r,), outputs (r, steps, H)


def _advance(
    core: Core, inputs: Inputs, sequence: Tensor, start: Tensor, length: Tensor, state: State, *, may_fill: bool
) -> tuple[list[Part], State]:
    """Run each row r (R,) over the steps `[start[r], start[r] + length[r])` of its sequence from its own state.

    Groups of rows are filled where they `may_fill`. Returns the outputs in parts, and the new states.
    """
    parts: list[Part] = []
    run = ragged(core, len(length), inputs.device)
    if run is not None:
        for rows in _alike(length):
            outputs, state = _advance_at_once(run, inputs, sequence, start, length, state, rows, told=True)
            parts.append((rows, torch.zeros_like(rows), outputs))
        return parts, state
    done = torch.zeros_like(length)
    for rows, steps in _pieces(length):
        whole = len(rows) == len(length)
        running = _filled(rows) if may_fill and not whole else rows
        piece = _stretch(inputs, sequence[running], (start + done)[running], steps)
        outputs, moved = unroll(core, piece, state if whole else select_rows(state, running))
        state = moved if whole else _put_first(state, rows, moved, len(running))
        parts.append((rows, done[rows], outputs[: len(rows)]))
        done[rows] += steps
    return parts, state


def _filled(rows: Tensor) -> Tensor:
    """Rows (r,), and the first of them again until their number is rounded up to four significant bits.

    A library makes a kernel for every shape of input: fewer shapes are fewer kernels to make and to keep.
    """
    unit = 1 << max(len(rows).bit_length() - 4, 0)
    return torch.cat([rows, rows[:1].expand(-len(rows) % unit)])


def _put_first(state: State, rows: Tensor, moved: State, number: int) -> State:
    """Put the first of `number` moved states at `rows`; the others only filled the group."""
    return put_rows(state, rows, moved if number == len(rows) else select_rows(moved, torch.arange(len(rows))))


def _advance_at_once(
    run: RaggedCore,
    inputs: Inputs,
    sequence: Tensor,
    start: Tensor,
    length: Tensor,
    state: State,
    rows: Tensor,
    *,
    told: bool,
) -> tuple[Tensor, State]:
    """Advance some rows in one call of a core that lets each stop at its own length; keep outputs where `told`."""
    own = length[rows]
    piece = _stretch(inputs, sequence[rows], start[rows], int(own.max()))
    if len(rows) == len(length):
        return run(piece, state, own, told)
    outputs, moved = run(piece, select_rows(state, rows), own, told)
    return outputs, put_rows(state, rows, moved)


def _alike(length: Tensor) -> list[Tensor]:
    """Group the rows that have steps so that none in a group is twice as long as another, which bounds the padding."""
    bits = torch.frexp(length.double()).exponent  # 0 for no steps, 1 for one, 2 for two and three, ...
    return [(bits == size).nonzero().squeeze(1) for size in bits.unique().tolist() if size > 0]


def _pieces(length: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Cut rows of unequal length into calls `(rows, steps)` that together take each row exactly `length[row]` steps.

    Rows of few distinct lengths run together until the shortest ends, and so on. Otherwise all run to the shortest end,
    and the rest in powers of two, long ones first: at most log2(longest) more calls, and no step is wasted.
    """
    lengths = length[length > 0].unique()
    before = 0
    for index, end in enumerate(lengths.tolist()):
        if index > 0 and len(lengths) > 2 * math.log2(int(lengths[-1]) + 1):
            rest = (length - before).clamp(min=0)
            for bit in reversed(range(int(rest.max()).bit_length())):
                rows = ((rest >> bit) & 1).nonzero().squeeze(1)
                if len(rows):
                    yield rows, 1 << bit
            return
        yield (length >= end).nonzero().squeeze(1), end - before
        before = end


def _stretch(inputs: Inputs, sequence: Tensor, start: Tensor, steps: int) -> Tensor:
    """The steps `[start[r], start[r] + steps)` of inputs[sequence[r]] as (R, steps, ...); a view where they line up.

    Past the end of a sequence stands its last step, for a row that stops before.
    """
    first, last = int(start[0]), inputs.shape[1] - 1
    together = bool((start == first).all()) and torch.equal(sequence, torch.arange(len(inputs)))
    if together and first + steps <= last + 1:
        return inputs[:, first : first + steps]
    at = (start.unsqueeze(1) + torch.arange(steps)).clamp(max=last)
    return inputs[sequence.unsqueeze(1).to(inputs.device), at.to(inputs.device)]


def _assemble(parts: list[Part], first: int, count: int, longest: int) -> Tensor:
    """The outputs of the rows `first..first+count-1` as one zero-padded (count, L, H)."""
    chosen: list[Part] = []
    for rows, step, outputs in parts:
        mine = ((rows >= first) & (rows < first + count)).nonzero().squeeze(1)
        if len(mine):
            own = outputs if len(mine) == len(rows) else outputs.index_select(0, mine.to(outputs.device))
            chosen.append((rows[mine] - first, step[mine], own[:, :longest]))
    example = chosen[0][2]
    if len(chosen) == 1 and example.shape[:2] == (count, longest):
        return example
    whole = example.new_zeros(count, longest, *example.shape[2:])
    for rows, step, outputs in chosen:
        steps = step.unsqueeze(1) + torch.arange(outputs.shape[1])
        whole = whole.index_put((rows.unsqueeze(1).to(whole.device), steps.to(whole.device)), outputs)
    return whole


def _no_outputs(core: Core, inputs: Inputs, rows: int) -> Tensor:
    """Outputs of shape (R, 0, H), where every window is empty."""
    with torch.no_grad():
        outputs, _ = core(inputs[:1, :1], None)
    return outputs.new_zeros(rows, 0, *outputs.shape[2:])
