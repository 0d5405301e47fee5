"""torch's modes and defaults as this package computes with them, whatever the caller has set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


class _DefaultType:
    """float32 while anybody is within. It is the whole process's: the first thread to come sets it, the last to leave
    sets it back.
    """

    def __init__(self) -> None:
        self.lock, self.within, self.before = threading.Lock(), 0, torch.float32

    def __enter__(self) -> None:
        with self.lock:
            if self.within == 0:
                self.before = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            self.within += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.within -= 1
            if self.within == 0:
                torch.set_default_dtype(self.before)


_float32 = _DefaultType()


@contextmanager
def plain_torch() -> Iterator[None]:
    """Within it new tensors are float32 on the CPU, carry gradient as they ask for it, and nothing is cast or inferred.

    As before afterwards.
    """
    with ExitStack() as around:
        around.enter_context(_float32)
        around.enter_context(torch.inference_mode(False))
        around.enter_context(torch.enable_grad())
        around.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":
            around.enter_context(torch.device("cpu"))
        yield
