"""What the tests let other processes do: functions that a fresh process must find by their module."""

import multiprocessing
import os
import signal
import time

import torch

from auxrnn.storage.processes import end_with_parent

FORKED = multiprocessing.get_context("forkserver")
"""Fresh processes that never ran a network: the server they are forked from has imported everything already."""
FORKED.set_forkserver_preload(["auxrnn.training.loop", "auxrnn.runs.run"])


def allocate(mebibytes):
    """Work that holds so much memory at its height."""
    return lambda: torch.ones(mebibytes * 2**18).sum()


def wait(seconds):
    """Work that takes so long."""
    return lambda: time.sleep(seconds)


def make_once(folder, made):
    """What two processes do at the same time: whoever finds no file makes it."""
    from auxrnn.storage.lock import own_part

    path = folder / "file"
    with own_part(folder / ".file.part") as part:
        if path.exists():
            return
        made.put(os.getpid())
        part.write_text("whole")
        part.replace(path)


def add_ten_records(file, letter):
    """What several processes do at the same time."""
    from auxrnn.config import RunConfig
    from auxrnn.experiments.grids.records import Record, add_records

    for index in range(10):
        add_records(file, [Record(f"{letter}/{index}", RunConfig(), {}, {}, error="")])


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


def end_as_told(how):
    """One of two ranks: raises what it is given, kills itself, or sleeps so many seconds."""
    mine = how[int(os.environ["RANK"])]
    if isinstance(mine, Exception):
        raise mine
    if mine == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(mine)


def end_after_the_other(mark):
    """The second of two ranks is killed, and the first has noticed it before the launcher can."""
    from auxrnn.runs.stopped import StoppedRunError
    from auxrnn.training.ranks import LostRankError

    if os.environ["RANK"] == "0":
        while not mark.exists():
            time.sleep(0.01)
        raise StoppedRunError("gone") from LostRankError("gone")
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
