"""Who works on a folder: a claim that one process at a time can hold, on one machine or on a shared disk.

A claim is a file `claim-N.json` in the folder. It is alive while its owner is: on the owner's machine the process
itself is asked; from elsewhere a file untouched for `STALE` seconds is dead, by the clock of the disk. To take over,
a process announces the next number, which only one can, and withdraws if it then sees any other claim alive: of two
that come at once at least one sees the other. Knows nothing of runs.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

BEAT = 15.0
"""Seconds between two signs of life."""

STALE = 90.0
"""Seconds without one after which the owner on another machine counts as gone."""


@dataclass(frozen=True)
class Owner:
    """A process: where it runs, its number there, when it started (its number may be used again), a random token."""

    host: str
    pid: int
    started: str
    token: str


class Claim:
    """The right to work on a folder, kept alive by a thread until `release`; made by `take_claim`.

    when_lost: called in that thread once another has taken over, as a pause of more than `STALE` seconds allows.
    """

    def __init__(self, path: Path, owner: Owner, when_lost: Callable[[], object]) -> None:
        self.path, self.owner, self.when_lost = path, owner, when_lost
        self._done = threading.Event()
        threading.Thread(target=self._live, daemon=True).start()

    def release(self) -> None:
        self._done.set()
        if self.is_mine():
            self.path.unlink(missing_ok=True)

    def is_mine(self) -> bool:
        return read_owner(self.path) == self.owner

    def _live(self) -> None:
        while not self._done.wait(BEAT):
            try:
                os.utime(self.path)
            except FileNotFoundError:
                if not self._done.is_set():  # it was not released in between
                    self.when_lost()
                return
            except OSError:  # the disk is away for a moment
                continue

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def take_claim(folder: Path, when_lost: Callable[[], object] = lambda: None) -> Claim | None:
    """Claim a folder, or None where another process holds it. OSError where the folder cannot be written to."""
    folder.mkdir(parents=True, exist_ok=True)
    found = _claims(folder)
    if any(is_alive(path) for path in found):
        return None
    path = folder / f"claim-{max(map(_number, found), default=0) + 1}.json"
    owner = Owner(this_host(), os.getpid(), _start_of(os.getpid()) or "", secrets.token_hex(8))
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(asdict(owner), file)
    except FileExistsError:
        return None
    others = [other for other in _claims(folder) if other != path]
    if any(is_alive(other) for other in others):
        path.unlink(missing_ok=True)
        return None
    for other in others:
        other.unlink(missing_ok=True)
    return Claim(path, owner, when_lost)


def is_claimed(folder: Path) -> bool:
    """Whether a living process holds a folder, at this moment."""
    return any(is_alive(path) for path in _claims(folder))


def is_alive(path: Path) -> bool:
    """Whether the owner of a claim still works."""
    owner = read_owner(path)
    if owner is not None and owner.host == this_host() and os.name != "nt":  # Windows cannot be asked without harm
        return _start_of(owner.pid) == owner.started
    try:  # of another machine, or at this moment being written
        touched = path.stat().st_mtime
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".clock-") as now:
            return os.fstat(now.fileno()).st_mtime - touched < STALE
    except FileNotFoundError:
        return False


def read_owner(path: Path) -> Owner | None:
    """The owner that a claim names; None where it is gone or not yet written."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


@cache
def this_host() -> str:
    """This machine since it was started, and the space of its process numbers: a container has its own."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:  # no Linux
        pass
    return " ".join(parts)


def _claims(folder: Path) -> list[Path]:
    return [path for path in folder.glob("claim-*.json") if path.stem[6:].isdecimal()]


def _number(path: Path) -> int:
    return int(path.stem[6:])


def _start_of(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's words; "" where it cannot be told, None if none runs."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]  # dead, and not yet waited for by its parent
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""
