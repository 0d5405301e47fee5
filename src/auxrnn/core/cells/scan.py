"""The diagonal linear recurrence `h_t = a_t h_{t-1} + b_t`, in plain torch, without a Python step for every step.

Two levels. The T steps are laid out as about sqrt(T) chunks of about sqrt(T) steps. All chunks walk at once from zero,
and multiply up their factors on the way; then the true state walks from chunk to chunk; then each step adds the share
of it that has come so far. So the work is that of the plain loop, in 3 sqrt(T) calls of torch. Factors are only ever
multiplied, never divided by or taken the logarithm of, so any may be zero. Backward is the same scan, reversed.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_scan(keep: Tensor, given: Tensor, before: Tensor) -> Tensor:
    """Compute `h_t = keep_t * h_{t-1} + given_t` for all t, with gradients to all three.

    Parameters
    ----------
    keep : Tensor
        Factors (B, T, N), or (N,) where they are the same at every step; at most 1 in size, real or complex.
    given : Tensor
        What each step adds, (B, T, N), T at least 1.
    before : Tensor
        The state before the first step, (B, N).

    Returns
    -------
    Tensor
        The states after each step, (B, T, N). Kept for backward: these and `keep`.
    """
    return _Scan.apply(keep, given, before)  # type: ignore[no-untyped-call]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, keep: Tensor, given: Tensor, before: Tensor) -> Tensor:
        states = _walk(keep, given, before)
        ctx.save_for_backward(keep, before, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        keep, before, states = ctx.saved_tensors
        factor = keep.conj().resolve_conj()
        later = factor if keep.dim() == 1 else torch.cat([factor[:, 1:], torch.zeros_like(factor[:, :1])], dim=1)
        total = _walk(later, gradient, torch.zeros_like(before), reverse=True)  # of each state, by all ways
        of_keep = total * torch.cat([before.unsqueeze(1), states[:, :-1]], dim=1).conj()
        if keep.dim() == 1:
            return of_keep.sum((0, 1)), total, factor * total[:, 0]
        return of_keep, total, factor[:, 0] * total[:, 0]


def _walk(keep: Tensor, given: Tensor, before: Tensor, *, reverse: bool = False) -> Tensor:
    """Scan without gradient, from the first step to the last or the other way."""
    steps = given.shape[1]
    width = math.isqrt(steps - 1) + 1  # the root, rounded up
    chunks = -(-steps // width)
    order = range(width - 1, -1, -1) if reverse else range(width)
    states = _laid_out(given, chunks, width)  # (B, chunks, width, N)
    share = _laid_out(keep, chunks, width) if keep.dim() == 3 else keep.expand(width, -1).clone()
    for last, here in pairwise(order):
        factor = share.select(-2, here)
        states[:, :, here].addcmul_(factor, states[:, :, last])
        factor.mul_(share.select(-2, last))
    end, carry, begins = order[-1], before, []
    for chunk in range(chunks - 1, -1, -1) if reverse else range(chunks):
        begins.append(carry)
        factor = share[:, chunk, end] if keep.dim() == 3 else share[end]
        carry = torch.addcmul(states[:, chunk, end], factor, carry)
    carried = torch.stack(begins[::-1] if reverse else begins, dim=1).unsqueeze(2)  # (B, chunks, 1, N)
    return states.addcmul_(share, carried).flatten(1, 2)[:, :steps]


def _laid_out(steps: Tensor, chunks: int, width: int) -> Tensor:
    """Copy (B, T, N) into (B, chunks, width, N), with zeros behind the last step."""
    whole = steps.new_empty(len(steps), chunks * width, steps.shape[2])
    whole[:, : steps.shape[1]] = steps
    whole[:, steps.shape[1] :] = 0
    return whole.unflatten(1, (chunks, width))
