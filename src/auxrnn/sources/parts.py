"""A file being made beside its final name, by one process at a time, so that a killed one leaves no false file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def own_part(part: Path) -> Iterator[Path]:
    """Hold the file `part` (made where missing, its folder must be there) until the end of the block.

    Another process that wants it waits, and goes on with what it finds. A killed owner lets go by itself. The owner may
    write, truncate, rename or delete it; an empty one is deleted at the end.
    """
    while True:
        stream = part.open("ab")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
            same = _is(part, stream)
        except BaseException:
            stream.close()
            raise
        if same:
            break
        stream.close()  # renamed or deleted while we waited
    try:
        yield part
    finally:
        if _is(part, stream) and not part.stat().st_size:
            part.unlink()
        stream.close()


def _is(path: Path, stream: IO[bytes]) -> bool:
    return path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat())
