"""Independent pieces of work on the CPU's threads, each piece on one of them. Knows nothing of networks.

Rows of a batch that do not need each other go faster so than when every operation is split over the threads: a step of
a recurrent net is too short to be shared, and where other work runs beside, threads that wait for each other at every
step can slow it a hundredfold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import torch

Result = TypeVar("Result")


def in_threads(pieces: Sequence[Callable[[], Result]]) -> list[Result]:
    """Call every piece, all at the same time and each within one thread of its own; their results, in order.

    The caller's modes (gradient, inference, autocast) hold in each. An exception in one is raised when all have ended.
    """
    if len(pieces) == 1:
        return [pieces[0]()]
    results: dict[int, Result] = {}
    errors: list[BaseException] = []
    gradient, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    casting, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def call(index: int) -> None:
        try:
            torch.set_num_threads(1)
            with (
                torch.inference_mode(inference),
                torch.set_grad_enabled(gradient),
                torch.autocast("cpu", dtype=dtype, enabled=casting, cache_enabled=False),
            ):
                results[index] = pieces[index]()
        except BaseException as error:
            errors.append(error)

    before = torch.get_num_threads()
    others = [threading.Thread(target=call, args=(index,)) for index in range(1, len(pieces))]
    try:
        for other in others:
            other.start()
        call(0)
    finally:
        for other in others:
            other.join()
        torch.set_num_threads(before)
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(pieces))]


def even_parts(count: int, parts: int) -> list[range]:
    """0..count-1 in at most so many stretches of like size, none of them empty."""
    parts = max(min(parts, count), 1)
    ends = [count * index // parts for index in range(parts + 1)]
    return [range(start, stop) for start, stop in pairwise(ends)]


@contextmanager
def cpu_threads(number: int | None) -> Iterator[None]:
    """Compute with `number` CPU threads, torch's own choice for None; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if number is None else number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
