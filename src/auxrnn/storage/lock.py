"""One process at a time works on a run folder, or makes a set.

A `filelock` on a file of the folder: the system forgets it when its holder ends, however it ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from auxrnn.errors import InputError

NAME = "run.lock"


class TakenRunError(InputError):
    """Another process works on the run, or has made it meanwhile."""


def lock_run(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of a run folder, which is made where it is missing; TakenRunError where another process has it."""
    return lock_file(folder.resolve() / NAME, lambda who: _in_use(folder, who))


@contextmanager
def lock_file(path: Path, in_use: Callable[[str], InputError] | None = None) -> Iterator[None]:
    """Hold a lock; its file is made for it and deleted afterwards.

    in_use: makes the error to raise where somebody else holds it, from who that is; None waits until nobody does.
    """
    path = path.resolve()
    lock = FileLock(path, timeout=-1 if in_use is None else 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        assert in_use is not None
        raise in_use(_holder_of(path)) from None
    except OSError as error:
        raise InputError(f"{path.parent}: expected a folder that can be written to: {error}.") from error
    try:
        with suppress(OSError):  # Windows locks the text too
            path.write_text(_me(), encoding="utf-8")
        yield
    finally:
        with suppress(PermissionError):  # Windows deletes no open file
            path.unlink(missing_ok=True)  # while it is locked: who has opened it meanwhile looks again
        lock.release()


@contextmanager
def own_part(part: Path) -> Iterator[Path]:
    """Hold the file `part` (made where missing, its folder must be there) until the end of the block.

    Another process that wants it waits, and goes on with what it finds. A killed owner lets go by itself. The owner may
    write, truncate, rename or delete it; an empty one is deleted at the end.
    """
    with lock_file(part.with_name(f"{part.name}.lock")):
        part.touch()
        try:
            yield part
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()


def holder(folder: Path) -> str | None:
    """Who is working on a run; None where nobody is, or where that cannot be known."""
    path = folder.resolve() / NAME
    if not path.exists():
        return None
    try:
        with FileLock(path, timeout=0):
            return None
    except Timeout:
        return _holder_of(path)
    except OSError:
        return None


def check_unlocked(folder: Path) -> None:
    """TakenRunError where somebody is working on the run."""
    who = holder(folder)
    if who is not None:
        raise _in_use(folder, who)


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _holder_of(path: Path) -> str:
    try:
        who = path.read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:
        who = ""
    return "this process" if who == _me() else who or "another process"


def _in_use(folder: Path, who: str) -> TakenRunError:
    return TakenRunError(
        f"{folder}: expected a run that nobody is working on, but {who} is. Wait for it, or choose another --out."
    )
