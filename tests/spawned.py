"""What the tests let other processes do: functions that a fresh process must find by their module."""

import multiprocessing
import os
import time

import torch

from auxrnn.processes import end_with_parent
from auxrnn.sources.parts import own_part


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


def outlive(ready):
    """Tell one's number, then stay for minutes unless one's parent ends."""
    end_with_parent()
    ready.put(os.getpid())
    time.sleep(600)


def be_killed(ready):
    """Start a process that would stay for minutes, and wait for it."""
    child = multiprocessing.get_context("spawn").Process(target=outlive, args=(ready,))
    child.start()
    child.join()
