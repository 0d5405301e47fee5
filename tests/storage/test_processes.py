"""A process that ends with the one that started it."""

import os
import time
from pathlib import Path

from spawned import FORKED, be_killed


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"  # ended, not yet buried


def test_a_child_ends_when_its_parent_is_killed():
    ready = FORKED.Queue()
    parent = FORKED.Process(target=be_killed, args=(ready,))
    parent.start()
    child = ready.get(timeout=300)
    assert is_alive(child)
    parent.kill()
    parent.join(300)
    end = time.monotonic() + 300
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(child)
