"""A file being made beside its final name, by one process at a time, so that a killed one leaves no false file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auxrnn.storage.lock import lock_file


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
