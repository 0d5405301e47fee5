"""What libraries keep: the C library of freed memory, oneDNN of kernels. Knows nothing of tensors.

A training step allocates and frees the same blocks of some megabytes over and over. By default glibc gives such blocks
back to the operating system, which has to clear every page before it hands it out again: on a CPU that takes longer
than the forward pass of an LSTM itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # glibc's names for its settings, from malloc.h
KEPT = 512 * 2**20
"""Bytes of freed memory that a process keeps at most."""

KERNELS = 128
"""oneDNN's kernels that a process keeps at most: with fewer, making them anew takes more than 3 % of training."""


def prepare_process() -> None:
    """Settle both for this process: called where a command or a training starts, and nowhere else."""
    limit_kernel_cache()
    keep_freed_memory()


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep up to KEPT bytes of freed memory for the next step; whether it does now. Once a process.

    It holds for everything in the process. Nothing is done without glibc, or where the environment says what glibc
    shall do (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, MALLOC_ARENA_MAX, GLIBC_TUNABLES): that is the switch.
    """
    own = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
    if not sys.platform.startswith("linux") or any(name in os.environ for name in own):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # another C library has none
    return mallopt is not None and all(
        mallopt(name, value) for name, value in ((MMAP_THRESHOLD, KEPT), (TRIM_THRESHOLD, KEPT), (ARENA_MAX, 1))
    )


def limit_kernel_cache() -> None:
    """Let oneDNN keep KERNELS of the kernels that it makes for each shape of input, instead of 1,024.

    Sequences of random lengths lead to new shapes for a long time, and with them memory would grow. Read when the first
    kernel is made and without effect after that; nothing is changed where the environment says how many.
    """
    if "DNNL_PRIMITIVE_CACHE_CAPACITY" not in os.environ:
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS))


def give_back_memory() -> None:
    """Give all freed memory back to the operating system at once, where the C library can."""
    if sys.platform.startswith("linux"):
        getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
