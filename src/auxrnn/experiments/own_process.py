"""A piece of work in a process of its own: its seconds, its peak memory, and a limit on it.

Peak memory is that of the whole process beyond what it held before the call: on the CPU as the operating system counts
it, on a GPU as torch's allocator does. The limit is the operating system's on the process's data, so a machine is never
driven out of its memory: a call that wants more ends, and so does the process if it cannot be told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import torch

from auxrnn.core.allocation import give_back_memory
from auxrnn.errors import InputError
from auxrnn.storage.processes import end_with_parent

STATUS = Path("/proc/self/status")
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # read by glibc when a process starts


@dataclass(frozen=True)
class Cost:
    """Of one call: seconds, and bytes at its height beyond those before it (None where they cannot be told).

    processor: seconds of the CPU, over all threads; beside other work they say more than the clock.
    """

    seconds: float
    peak: float | None
    processor: float = 0.0


class StoppedWorkError(RuntimeError):
    """Work that did not come to its end, and why."""


class OwnProcess:
    """A process that makes work, `make(argument)`, and then does it whenever it is asked to.

    memory: bytes that it may take beyond what it holds when the work is made. threads: CPU threads. give_back: freed
    blocks go back to the operating system at once, so that a peak is of live memory; that costs time.
    """

    def __init__(
        self,
        make: Callable[[Any], Callable[[], object]],
        argument: object,
        *,
        threads: int,
        memory: int,
        give_back: bool = False,
    ) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        before = os.environ.copy()
        os.environ.update(OMP_NUM_THREADS=str(threads), **(GIVE_BACK if give_back else {}))
        try:
            self._process = context.Process(target=_serve, args=(theirs, make, argument, threads, memory), daemon=True)
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()

    def call(self, limit: float) -> Cost:
        """Do the work once; StoppedWorkError where it wants too much memory, fails, or takes `limit` seconds."""
        try:
            self._connection.send("call")
            if not self._connection.poll(limit):
                self.close()
                raise StoppedWorkError(f"took more than {limit:.0f} s")
            found = self._connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            raise StoppedWorkError("ended by the operating system, out of memory") from error
        if isinstance(found, str):
            self.close()
            raise StoppedWorkError(found)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.close()


def free_memory() -> int:
    """Bytes that a new process may take without driving others out."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    raise InputError("Expected Linux or a GPU to measure memory on, found neither.")


def measured(work: Callable[[], object]) -> Cost:
    """Do the work in this process and say what it cost."""
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    else:
        give_back_memory()  # what calls before have left
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        before = _status("VmRSS")
    started, processor = time.perf_counter(), time.process_time()
    work()
    if gpu:
        torch.cuda.synchronize()
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    peak = torch.cuda.max_memory_allocated() if gpu else _status("VmHWM")
    return Cost(seconds, float(peak - before), processor)


def _serve(
    connection: Connection, make: Callable[[Any], Callable[[], object]], argument: object, threads: int, memory: int
) -> None:
    import resource  # not on Windows, where memory could not be measured either

    end_with_parent()
    torch.set_num_threads(threads)
    try:
        work = make(argument)
        if not torch.cuda.is_available():
            limit = _status("VmData") + memory
            resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        with suppress(EOFError):
            while connection.recv():
                connection.send(measured(work))
    except (RuntimeError, MemoryError) as error:
        text = str(error).splitlines()[0] if str(error) else "out of memory"
        scarce = isinstance(error, MemoryError) or any(word in text.lower() for word in ("memory", "alloc"))
        connection.send(f"out of memory at {memory / 2**30:.1f} GiB" if scarce else text)


def _status(name: str) -> int:
    """A figure of this process in bytes, as Linux counts it."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} has no line {name}")
