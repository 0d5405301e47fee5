"""What the tests let other processes do: functions that a fresh process must find by their module."""

import os
import time

import torch

from auxrnn.data.parts import own_part


def allocate(mebibytes):
    """Work that holds so much memory at its height."""
    return lambda: torch.ones(mebibytes * 2**18).sum()


def wait(seconds):
    """Work that takes so long."""
    return lambda: time.sleep(seconds)


def make_once(folder, made):
    """What two processes do at the same time: whoever finds no file makes it."""
    path = folder / "file"
    with own_part(folder / ".file.part") as part:
        if path.exists():
            return
        made.put(os.getpid())
        part.write_text("whole")
        part.replace(path)
