"""Grids of small runs, in a process of its own: `python small_grids.py ROOT WORKERS EPOCHS NAME...`."""

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from auxrnn.experiments.grids.grid import run_grid
from auxrnn.runs.stopped import StoppedRunError
from small_runs import SMALL


def small_grid(names, epochs):
    """Runs that differ in their seed; a hundred epochs take seconds."""
    return {name: replace(SMALL, seed=seed, max_epochs=epochs) for seed, name in enumerate(names)}


@contextmanager
def grid_process(root, workers, epochs, names):
    """A process that makes the grid, ended with the block."""
    words = [sys.executable, __file__, str(root), str(workers), str(epochs), *names]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(happened, seconds=600.0):
    """Poll until something has happened."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def starts(folder):
    """How often a run was begun or gone on with."""
    return (folder / "log.txt").read_text().count("Task        digits")


if __name__ == "__main__":
    try:
        grid = small_grid(sys.argv[4:], int(sys.argv[3]))
        found = run_grid(grid, Path(sys.argv[1]), workers=int(sys.argv[2]))
    except StoppedRunError as error:
        sys.exit(str(error))
    sys.exit("\n".join(outcome.error for outcome in found.values() if outcome.state != "finished") or None)
