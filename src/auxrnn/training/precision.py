"""Which arithmetic a device can really do: tried on a small LSTM before it is promised."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn

from auxrnn.errors import InputError, did_you_mean

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
PRECISIONS = ("32-true", *AUTOCAST)


def usable_precision(precision: str, accelerator: str) -> str:
    """`precision` where the device can train a recurrent net in it, else "32-true" with a warning."""
    if precision not in PRECISIONS:
        raise InputError(
            f"Expected a precision of {', '.join(PRECISIONS)}, got {precision!r}.{did_you_mean(precision, PRECISIONS)}"
        )
    if precision == "32-true":
        return precision
    device = "cuda" if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu"
    if device == "cpu" and precision == "16-mixed":
        reason: str | None = "16-mixed needs a GPU"  # Lightning would take bf16-mixed and say so only in its log
    else:
        reason = _what_fails(device, AUTOCAST[precision])
    if reason is None:
        return precision
    warnings.warn(f"Training in 32-true instead of {precision}: {reason}.", stacklevel=3)
    return "32-true"


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Within it, float32 matrix products on a GPU in `name`, as `torch.set_float32_matmul_precision` has it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def _what_fails(device: str, dtype: torch.dtype) -> str | None:
    """What goes wrong in one step of an LSTM under autocast, None where nothing does."""
    with torch.random.fork_rng(devices=[]):
        core = nn.LSTM(4, 4, batch_first=True).to(device)
    try:
        with torch.autocast(device, dtype=dtype):
            outputs, _ = core(torch.ones(2, 3, 4, device=device))
        outputs.float().sum().backward()
    except RuntimeError as error:
        return f"this {device.upper().replace('CUDA', 'GPU')} has no LSTM in it ({str(error).splitlines()[0]})"
    return None
