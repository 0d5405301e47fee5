"""What a readout needs of all steps of a sequence: count, sum, sum of squares, and the greatest output of each unit.

A keeper adds them up while the sequence runs without gradient, piece by piece, in memory that does not depend on its
length. A *block* is one of the equal stretches of `block` steps into which a readout cuts every sequence, from its
first step on. Knows nothing of losses or heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from auxrnn.core.recurrent import State, join_rows, select_rows

LOWEST = float("-inf")


@dataclass(frozen=True)
class TotalsPlan:
    """Which totals are wanted.

    Parameters
    ----------
    lengths : Tensor
        Steps of each sequence that count, (B,) int64 on the CPU.
    block : int
        Steps of a block, at least 1.
    top : int
        How many blocks of each sequence to name, those where most units are greatest.
    greatest : bool
        Whether to keep the greatest outputs without blocks; they are kept with blocks where `top` is not 0.
    """

    lengths: Tensor
    block: int
    top: int = 0
    greatest: bool = False

    def of(self, sequences: slice) -> TotalsPlan:
        """The plan for some of the sequences."""
        return TotalsPlan(self.lengths[sequences], self.block, self.top, self.greatest)

    def without_blocks(self) -> TotalsPlan:
        """The same sums without the blocks of the greatest outputs, and the states before them: a gradient's alone."""
        return TotalsPlan(self.lengths, int(self.lengths.max()), greatest=True) if self.top else self

    def points(self, longest: int) -> Tensor:
        """Give where pieces begin: at every block, and within a block after every `longest` steps."""
        last = int(self.lengths.max())
        block = min(self.block, last)
        within = torch.arange(0, block, longest)
        points = (torch.arange(0, last, block).unsqueeze(1) + within).flatten()
        return points[points < last]


@dataclass(frozen=True)
class Totals:
    """Sums over the steps of each sequence.

    Attributes
    ----------
    count : Tensor
        Steps, (B,).
    total, squares : Tensor
        Sums of the outputs and of their squares, (B, H) float64.
    greatest : Tensor, optional
        Greatest output of each unit, (B, H); None where the plan asks for none.
    block_of : Tensor, optional
        The first block where that output lies, (B, H). This and what follows are None where the plan asks for no top.
    blocks : Tensor, optional
        The blocks where most units are greatest, (B, top), -1 for none.
    states : State, optional
        The core's state before each of these blocks, row b * top + i.
    """

    count: Tensor
    total: Tensor
    squares: Tensor
    greatest: Tensor | None = None
    block_of: Tensor | None = None
    blocks: Tensor | None = None
    states: State | None = None

    def of(self, sequences: slice) -> Totals:
        """The totals of some of the sequences, without states."""
        greatest, block_of, blocks = (
            None if part is None else part[sequences] for part in (self.greatest, self.block_of, self.blocks)
        )
        return Totals(self.count[sequences], self.total[sequences], self.squares[sequences], greatest, block_of, blocks)

    def after(self, outputs: Tensor) -> Totals:
        """Add further steps of every sequence, outputs (B, t, H), to count, sums and greatest outputs."""
        total, squares = _sums(outputs)
        greatest = None if self.greatest is None else torch.maximum(self.greatest, outputs.amax(1))
        return Totals(self.count + outputs.shape[1], self.total + total, self.squares + squares, greatest)


def no_totals(batch: int, outputs: Tensor, *, greatest: bool) -> Totals:
    """Give the totals before the first step of `batch` sequences, in the type of outputs (..., H)."""
    zeros = outputs.new_zeros((batch, outputs.shape[-1]), dtype=torch.float64)
    least = outputs.new_full(zeros.shape, torch.finfo(outputs.dtype).min) if greatest else None
    return Totals(torch.zeros(batch, dtype=torch.int64), zeros, zeros.clone(), least)


def _sums(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Sum outputs (B, t, H) and their squares over the steps, (B, H) float64."""
    outputs = outputs.double()
    return outputs.sum(1), outputs.square().sum(1)


def join_totals(parts: Sequence[Totals]) -> Totals:
    """Join the totals of several groups of sequences, in order."""
    if len(parts) == 1:
        return parts[0]

    def joined(name: str) -> Any:
        own = [getattr(part, name) for part in parts]
        return None if own[0] is None else torch.cat(own)

    return Totals(
        joined("count"),
        joined("total"),
        joined("squares"),
        joined("greatest"),
        joined("block_of"),
        joined("blocks"),
        None if parts[0].states is None else join_rows([part.states for part in parts]),
    )


class TotalsKeeper:
    """Collects `Totals` while the sequences of a batch run: `enter` before a piece, `see` after it."""

    def __init__(self, plan: TotalsPlan) -> None:
        self.plan = plan
        self._totals: Totals | None = None
        self._states: dict[int, State] = {}  # before the blocks that have a unit's greatest output, and the one at hand

    def enter(self, first: int, state: State) -> None:
        """Note that a piece begins at step `first` from the core's state, one row a sequence."""
        if self.plan.top and first % self.plan.block == 0:
            self._states[first // self.plan.block] = state

    def see(self, first: int, active: Tensor, outputs: Tensor) -> None:
        """Add outputs (A, t, H) of the sequences `active` (A,), which ran a piece from step `first` on."""
        if self._totals is None:
            self._totals = self._nothing(outputs)
        found, rows = self._totals, active.to(outputs.device)
        steps = first + torch.arange(outputs.shape[1])
        inside = (steps < self.plan.lengths[active].unsqueeze(1)).to(outputs.device).unsqueeze(2)  # (A, t, 1)
        total, squares = _sums(torch.where(inside, outputs, 0.0))
        found.total.index_add_(0, rows, total)
        found.squares.index_add_(0, rows, squares)
        if found.greatest is None:
            return
        here = torch.where(inside, outputs, LOWEST).amax(1)  # (A, H)
        before = found.greatest[rows]
        greater = here > before
        found.greatest[rows] = torch.where(greater, here, before)
        if found.block_of is None:
            return
        block = first // self.plan.block
        found.block_of[rows] = torch.where(greater, block, found.block_of[rows])
        needed = {*found.block_of.unique().tolist(), block}
        self._states = {index: state for index, state in self._states.items() if index in needed}

    def totals(self) -> Totals:
        """Give the totals of all steps seen."""
        found = self._totals
        assert found is not None
        if found.block_of is None:
            return found
        blocks = self._most_greatest(found.block_of)
        return Totals(
            found.count, found.total, found.squares, found.greatest, found.block_of, blocks, self._before(blocks)
        )

    def _nothing(self, outputs: Tensor) -> Totals:
        shape = (len(self.plan.lengths), outputs.shape[2])
        zeros = outputs.new_zeros(shape, dtype=torch.float64)
        top = self.plan.top > 0
        greatest = outputs.new_full(shape, LOWEST) if top or self.plan.greatest else None
        block_of = torch.zeros(shape, dtype=torch.int64, device=outputs.device) if top else None
        return Totals(self.plan.lengths, zeros, zeros.clone(), greatest, block_of)

    def _most_greatest(self, block_of: Tensor) -> Tensor:
        """Name the blocks of each sequence with most units' greatest outputs, (B, top), -1 for none."""
        known = torch.tensor(sorted(self._states))
        own = block_of.cpu()
        units = torch.stack([(own == block).sum(1) for block in known.tolist()], dim=1)  # (B, known)
        most = units.topk(min(self.plan.top, len(known)), dim=1)
        blocks = torch.where(most.values > 0, known[most.indices], -1)
        return torch.nn.functional.pad(blocks, (0, self.plan.top - blocks.shape[1]), value=-1)

    def _before(self, blocks: Tensor) -> State:
        """Give the states before `blocks` (B, top), row b * top + i; any state where there is no block."""
        known = sorted(self._states)
        every = join_rows([self._states[block] for block in known])  # row i * B + b
        at = torch.searchsorted(torch.tensor(known), blocks.clamp(min=0)).clamp(max=len(known) - 1)
        rows = at * len(blocks) + torch.arange(len(blocks)).unsqueeze(1)
        return select_rows(every, rows.flatten())
