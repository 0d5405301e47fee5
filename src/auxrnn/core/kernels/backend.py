"""Which code runs an LSTM: torch's own (cuDNN on a GPU) or the persistent kernel. The one place that decides.

Loads no Triton. `measured.json` beside this holds what was measured on real cards; while it is empty, "auto" is torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import torch

from auxrnn.config.choices import Backend
from auxrnn.errors import InputError, did_you_mean

LARGEST_HIDDEN = {"fp16": 128, "bf16": 128, "tf32": 64, "fp32": 64}
"""Operands of the recurrent product, and the largest hidden size whose weights in them fit one multiprocessor."""

TOLERANCE = {"fp16": (2e-3, 1e-2), "bf16": (1e-2, 5e-2), "tf32": (2e-3, 1e-2), "fp32": (1e-5, 1e-4)}
"""Greatest difference from float64 for "equal": of outputs and states, and of gradients as a share of their largest."""

TABLE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Measurement:
    """One case on one card, microseconds a step of torch (cuDNN) and of the kernel; medians of one alternating run.

    values, gradients: the kernel's greatest differences from float64, as in `TOLERANCE`.
    """

    device: str
    hidden_size: int
    rows: int
    operands: str
    torch_forward: float
    torch_both: float
    kernel_forward: float
    kernel_both: float
    values: float
    gradients: float


def choose_backend(
    backend: str,
    *,
    device: torch.device,
    dtype: torch.dtype,
    hidden_size: int,
    rows: int,
    operands: str,
    training: bool,
    table: Sequence[Measurement] | None = None,
) -> str:
    """ "cudnn" or "persistent" for `rows` sequences of an LSTM of `hidden_size` cells, with gradient or without.

    "auto" takes the kernel where `table` (default: measured.json) says that on this very card it was equal within
    `TOLERANCE` and faster at the measured numbers of rows on both sides of `rows`. Raises InputError for a backend or
    operands of another name, and for "persistent" where it cannot run.
    """
    check_names(backend, operands)
    if backend == "cudnn" or (backend == "auto" and device.type != "cuda"):
        return "cudnn"
    reason = why_not(device, dtype, hidden_size, operands)
    if backend == "persistent":
        if reason is not None:
            raise InputError(f"Expected a case for backend 'persistent', got {reason}; use backend 'cudnn' or 'auto'.")
        return "persistent"
    if reason is not None:
        return "cudnn"
    known = read_table(TABLE) if table is None else table
    name = torch.cuda.get_device_name(device)
    mine = [row for row in known if (row.device, row.hidden_size, row.operands) == (name, hidden_size, operands)]
    return "persistent" if is_worth_it(mine, rows, training) else "cudnn"


def check_names(backend: str, operands: str) -> None:
    """InputError for a backend or operands of another name."""
    for what, name, choices in (
        ("a backend", backend, get_args(Backend)),
        ("operands", operands, tuple(LARGEST_HIDDEN)),
    ):
        if name not in choices:
            near = did_you_mean(str(name), choices)
            raise InputError(f"Expected {what} of {', '.join(choices)}, got {name!r}.{near}")


def is_worth_it(measurements: Sequence[Measurement], rows: int, training: bool) -> bool:
    """Whether the kernel was equal and faster at the nearest measured numbers of rows, below and above.

    Beyond the largest number that alone decides: torch's time grows with the rows, the kernel's later and less.
    """
    below = [row for row in measurements if row.rows <= rows]
    above = [row for row in measurements if row.rows >= rows]
    if not below:
        return False
    neighbours = [max(below, key=lambda row: row.rows), *([min(above, key=lambda row: row.rows)] if above else [])]
    return all(_is_equal(row) and _is_faster(row, training) for row in neighbours)


def why_not(device: torch.device, dtype: torch.dtype, hidden_size: int, operands: str) -> str | None:
    """What keeps the persistent kernel from running this case, None where nothing does."""
    largest = LARGEST_HIDDEN[operands]
    if hidden_size > largest:
        wider = " (128 with fp16, which keeps as many digits as tf32)" if largest < 128 else ""
        return f"hidden size {hidden_size}, where {operands} weights of at most {largest} fit one multiprocessor{wider}"
    if not _has_triton():
        return "no Triton (Linux: pip install 'auxrnn[triton]')"
    if _interpreted():
        return None if device.type == "cpu" else f"a tensor on {device} under Triton's interpreter, which reads the CPU"
    if device.type != "cuda" or torch.version.hip is not None:
        return f"device {device} (it needs an NVIDIA GPU, or TRITON_INTERPRET=1 to try it slowly on the CPU)"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return f"{torch.cuda.get_device_name(device)}, older than compute capability 8.0"
    if dtype == torch.float64:
        return "float64, which only the interpreter runs"
    return None


@cache
def read_table(path: Path) -> tuple[Measurement, ...]:
    """The measurements stored in a file; InputError where it does not hold any such list."""
    try:
        return tuple(Measurement(**row) for row in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: expected what benchmarks/kernel_card.py writes, found: {error}.") from error


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def _interpreted() -> bool:
    """Whether Triton's interpreter is asked for; Triton itself reads the variable when it is imported."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes", "y")


def _is_equal(row: Measurement) -> bool:
    values, gradients = TOLERANCE[row.operands]
    return row.values <= values and row.gradients <= gradients


def _is_faster(row: Measurement, training: bool) -> bool:
    return row.kernel_both < row.torch_both if training else row.kernel_forward < row.torch_forward
