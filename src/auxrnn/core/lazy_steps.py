"""The raw steps of long sequences, read where they are asked for: a batch of them takes no memory of its own.

Truncation asks a batch for a stretch of all its sequences, or for steps at some places. Only that much is put side by
side. Knows nothing of where the steps are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

AHEAD = 2**18
"""Numbers of all sequences that are read ahead where stretches follow each other: few long reads cost less."""

HOW = "The steps of a long batch are read where they are asked for: take steps[:, first:stop], or steps[:, :] for all."

Read = Callable[[int, int], Tensor]
"""Give the steps `[first, stop)` of one sequence, (stop - first, ...), 0 <= first < stop <= T."""


@dataclass(frozen=True)
class TokenCut:
    """How raw steps are cut into tokens: token t is made of `context` raw steps before its own `stride`.

    Parameters
    ----------
    stride : int
        Raw steps a token, at least 1.
    context : int
        Raw steps before its own that a token sees, at least 0.
    padding : int
        What stands where there is no raw step.
    view : callable
        Turns raw steps (B, context + N * stride, ...) into N tokens, (B, N, ...).
    """

    stride: int = 1
    context: int = 0
    padding: int = 0
    view: Callable[[Tensor], Tensor] = lambda raw: raw


class LazySteps:
    """The steps, or tokens, of B sequences: (B, T, ...) as a tensor has them, made where they are asked for.

    `steps[first:stop]` are some of the sequences, still lazy. `steps[:, first:stop]` is a tensor of some steps of all
    sequences, `steps[:, :]` of all of them. `steps[rows, at]` is a tensor of the steps `at` of the sequences `rows`:
    whole numbers of shapes that broadcast, the last dimension runs along the steps. Past its own end every sequence has
    zeros, or the padding of the cut. They lie on the CPU and take no gradient.

    Parameters
    ----------
    reads : sequence of callable
        One a sequence, see `Read`.
    lengths : Tensor
        Raw steps of each, (B,) int64.
    longest : int, optional
        Raw steps of the batch, at least the longest of its sequences, which is taken where None.
    cut : TokenCut, optional
        How they are cut into tokens; raw steps where None.
    """

    device = torch.device("cpu")
    requires_grad = False

    def __init__(
        self, reads: Sequence[Read], lengths: Tensor, longest: int | None = None, cut: TokenCut | None = None
    ) -> None:
        self.reads, self.lengths, self._cut = tuple(reads), lengths, cut or TokenCut()
        self._longest = int(lengths.max()) if longest is None else longest
        example = self.reads[0](0, 1)
        self.dtype, self._own_shape = example.dtype, example.shape[1:]
        token = self._cut.view(self._empty(1, 1))
        self.shape = torch.Size((len(self), -(-self._longest // self._cut.stride), *token.shape[2:]))
        self._ahead = 0, token[:, :0]  # where the last stretch began, and its tokens with those read ahead

    def __len__(self) -> int:
        return len(self.reads)

    def dim(self) -> int:
        return len(self.shape)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> LazySteps | Tensor:
        """The same on the CPU; on another device a tensor of all steps."""
        if torch.device(device).type == "cpu":
            return self
        return self[:, :].to(device, non_blocking=non_blocking)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{HOW} They have no {name!r}.")

    def cut(self, cut: TokenCut) -> LazySteps:
        """The same raw steps as tokens."""
        return LazySteps(self.reads, self.lengths, self._longest, cut)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return LazySteps(self.reads[key], self.lengths[key], self._longest, self._cut)
        rows, at = key if isinstance(key, tuple) and len(key) == 2 else (None, None)
        if isinstance(rows, slice) and isinstance(at, slice) and at.step in (None, 1):
            first, stop, _ = at.indices(self.shape[1])
            return (self if rows == slice(None) else self[rows])._stretch(first, stop)
        if not (isinstance(rows, Tensor) and isinstance(at, Tensor)):
            raise TypeError(f"{HOW} Got the key {key!r}.")
        rows, at = torch.broadcast_tensors(rows, at)
        places = at.reshape(-1, at.shape[-1])  # (R, n), most often one after the other
        firsts = places.amin(1)
        within = places - firsts.unsqueeze(1)
        block = self._block(rows[..., 0].flatten().tolist(), firsts.tolist(), int(within.max()) + 1)
        return block[torch.arange(len(places)).unsqueeze(1), within].unflatten(0, at.shape[:-1])

    def _stretch(self, first: int, stop: int) -> Tensor:
        """The steps `[first, stop)` of all sequences."""
        begin, block = self._ahead
        if not begin <= first <= stop <= begin + block.shape[1]:
            each = len(self) * self._own_shape.numel() * self._cut.stride
            number = stop - first
            if number > 1:  # one step alone only tells what steps are like
                ahead = AHEAD // each // number * number  # whole stretches, so that none is read twice
                number = max(min(ahead, self.shape[1] - first), number)
            begin, block = self._ahead = first, self._block(list(range(len(self))), [first] * len(self), number)
        return block[:, first - begin : stop - begin]

    def _block(self, rows: list[int], firsts: list[int], number: int) -> Tensor:
        """So many steps from `firsts` (R,) on of the sequences `rows` (R,), side by side."""
        stride, context = self._cut.stride, self._cut.context
        raw = self._empty(len(rows), number)
        for place, (row, first) in enumerate(zip(rows, firsts, strict=True)):
            begin = first * stride - context
            low, high = max(begin, 0), min(begin + raw.shape[1], int(self.lengths[row]))
            if low < high:
                raw[place, low - begin : high - begin] = self.reads[row](low, high)
        return self._cut.view(raw)

    def _empty(self, rows: int, number: int) -> Tensor:
        steps = self._cut.context + number * self._cut.stride
        return torch.full((rows, steps, *self._own_shape), self._cut.padding, dtype=self.dtype)


Inputs = Tensor | LazySteps
"""What a core runs over, (B, T, ...)."""
