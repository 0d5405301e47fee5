"""One process at a time works on a run folder, or makes a set.

The kernel forgets the lock when its holder ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from auxrnn.errors import InputError

NAME = "run.lock"
TAKEN = (errno.EACCES, errno.EAGAIN)
_held: set[Path] = set()  # the kernel tells processes apart, not two threads of one


def lock_run(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of a run folder, which is made where it is missing; InputError where another process has it."""
    return lock_file(folder.resolve() / NAME, lambda who: _in_use(folder, who))


@contextmanager
def lock_file(path: Path, in_use: Callable[[str], InputError]) -> Iterator[None]:
    """Hold a lock whose file is made for it and deleted afterwards.

    in_use: what to raise where somebody else has it, from who that is.
    """
    path = path.resolve()
    if path in _held:
        raise in_use("this process")
    try:
        descriptor = _locked(path, in_use)
    except OSError as error:
        raise InputError(f"{path.parent}: expected a folder that can be written to: {error}.") from error
    _held.add(path)
    try:
        yield
    finally:
        _held.discard(path)
        path.unlink(missing_ok=True)  # while it is locked: see `_locked`
        os.close(descriptor)


def holder(folder: Path) -> str | None:
    """Who is working on a run; None where nobody is, or where that cannot be known."""
    path = folder.resolve() / NAME
    if path in _held:
        return "this process"  # opening the file here would set its lock free
    try:
        with open(path, "rb") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                return _name_in(file.fileno()) if error.errno in TAKEN else None
    except OSError:
        pass
    return None


def check_unlocked(folder: Path) -> None:
    """InputError where somebody is working on the run."""
    who = holder(folder)
    if who is not None:
        raise _in_use(folder, who)


def _locked(path: Path, in_use: Callable[[str], InputError]) -> int:
    """The file, open and locked, holding who has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = _name_in(descriptor)
            os.close(descriptor)
            if error.errno in TAKEN:
                raise in_use(who) from error
            raise
        try:
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                break
        except FileNotFoundError:
            pass
        os.close(descriptor)  # its last holder has deleted it between our two calls
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return descriptor


def _name_in(descriptor: int) -> str:
    return os.read(descriptor, 200).decode(errors="replace") or "another process"


def _in_use(folder: Path, who: str) -> InputError:
    return InputError(
        f"{folder}: expected a run that nobody is working on, but {who} is. Wait for it, or choose another --out."
    )
