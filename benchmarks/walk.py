"""Follow a command call by call through the modules of the package: `python benchmarks/walk.py train digits --out RUN`.

Prints the modules in the order in which they are entered first, how many there are, and the returns: pairs of modules
of which one calls into the other, where the other had been entered before. Imports do not count. Works on any commit:
`PYTHONPATH=src` says which.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import auxrnn
from auxrnn.cli import main

PACKAGE = Path(auxrnn.__file__).resolve().parent


class Walk:
    """Which modules call which, in the order of the first time."""

    def __init__(self, package: Path) -> None:
        self.package, self.rooms, self.pairs, self.returns = package, {"": 0}, set[tuple[str, str]](), 0
        self._names: dict[str, str | None] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call":
            return
        room = self.room_of(frame)
        if room is None or frame.f_code.co_name == "<module>":
            return
        caller = frame.f_back
        while caller is not None and self.room_of(caller) is None:
            caller = caller.f_back
        pair = (self.room_of(caller) or "" if caller is not None else "", room)
        if pair[0] == room or pair in self.pairs:
            return
        self.pairs.add(pair)
        self.returns += room in self.rooms
        self.rooms.setdefault(room, len(self.rooms))

    def room_of(self, frame: FrameType) -> str | None:
        file = frame.f_code.co_filename
        if file not in self._names:
            path = Path(file)
            inside = path.is_relative_to(self.package)
            self._names[file] = str(path.relative_to(self.package).with_suffix("")) if inside else None
        return self._names[file]


def follow(work: Callable[[], Any], package: Path = PACKAGE) -> Walk:
    """The walk of a call, in this thread."""
    walk = Walk(package)
    sys.setprofile(walk)
    try:
        work()
    finally:
        sys.setprofile(None)
    return walk


if __name__ == "__main__":
    found = follow(lambda: main(sys.argv[1:]))
    print(*list(found.rooms)[1:], sep="\n", file=sys.stderr)
    print(f"{len(found.rooms) - 1} modules, {found.returns} returns")
