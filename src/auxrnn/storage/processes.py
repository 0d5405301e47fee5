"""What a process started by another owes to it. Knows nothing of what either does."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """From now on this process ends when the one that started it is gone, however that went. Not in a main process."""
    parent = parent_process()
    assert parent is not None, "this process was not started by multiprocessing"

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
