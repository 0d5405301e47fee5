"""On which device a network is trained, and in which arithmetic: tried on a small LSTM before it is promised."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, TypeVar

import torch
from torch import nn

from auxrnn.errors import InputError

T = TypeVar("T")

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def find_device(accelerator: str, local: int = 0) -> torch.device:
    """The device of the process of number `local` on this machine; InputError where there is none.

    accelerator: "auto" is a CUDA GPU where there is one, else the CPU; "gpu" is CUDA or Apple's.
    """
    gpus = torch.cuda.device_count() if accelerator in ("auto", "gpu", "cuda") else 0
    if accelerator == "cpu" or (accelerator == "auto" and not gpus):
        return torch.device("cpu")
    if local < gpus:
        return torch.device("cuda", local)
    if gpus:
        raise InputError(f"Expected at most {gpus} devices, for this machine has as many GPUs, got {local + 1}.")
    if accelerator in ("gpu", "mps") and local == 0 and torch.backends.mps.is_available():
        return torch.device("mps")
    raise InputError(f"Expected an accelerator that this machine has, got {accelerator!r} and found none.")


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Forward passes in `precision`."""
    if precision not in AUTOCAST:
        return nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision], cache_enabled=False)


def in_autocast(computed: Iterator[T], device: torch.device, precision: str) -> Iterator[T]:
    """Yield what an iterator computes in `precision`; what is done with each item between is not in it."""
    while True:
        with autocast(device, precision):
            try:
                item = next(computed)
            except StopIteration:
                return
        yield item


def usable_precision(precision: str, device: torch.device) -> str:
    """`precision` where the device can train a recurrent net in it, else "32-true" with a warning."""
    if precision == "32-true":
        return precision
    if device.type == "cpu" and precision == "16-mixed":
        reason: str | None = "16-mixed needs a GPU"
    else:
        reason = _what_fails(device.type, AUTOCAST[precision])
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
