"""Several processes that train together, for the tests: each started from one server, each ended with the test."""

import os
import signal
import socket
from contextlib import contextmanager
from dataclasses import replace

import torch

from auxrnn.core.objectives import Reconstruction
from auxrnn.errors import InputError
from auxrnn.training.checkpoints import Checkpoints
from auxrnn.training.interrupt import InterruptedRun
from auxrnn.training.ranks import LostRankError
from auxrnn.training.step import DivergedError, TrainingStep
from tiny_runs import newest, resume_tiny, start_child, train_tiny

ERRORS = (LostRankError, DivergedError, InterruptedRun, InputError)
PATIENCE = 240  # seconds for anything; on an idle machine each takes a few


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def ranks_at_work(folder, jobs, *, faults=(None, None), **environment):
    """Two processes that do one job after the other; none outlives the block.

    jobs: by name, options of `train_tiny`. faults: what each does in which of its steps.
    """
    port = free_port()
    children = [
        start_child(child_rank, folder, jobs, fault, {**told(rank, len(faults), port), **environment})
        for rank, fault in enumerate(faults)
    ]
    try:
        yield children
    finally:
        for child in children:
            if child.is_alive():
                child.kill()
            child.join()


def told(rank, number, port):
    """What torchrun tells a process, in its environment."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(number),
        "LOCAL_WORLD_SIZE": str(number),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "test",
    }


def train_in_ranks(folder, jobs, **options):
    """What each process found: by rank, then by job."""
    folder.mkdir(parents=True, exist_ok=True)
    with ranks_at_work(folder, jobs, **options) as children:
        for child in children:
            child.join(PATIENCE)
            assert child.exitcode is not None, "a process still runs"
    return [found_by(folder, rank) for rank in range(len(children))]


def found_by(folder, rank):
    """What a process has left; None where it was killed."""
    path = folder / f"found-{rank}.pt"
    return torch.load(path, weights_only=False) if path.exists() else None


def two(training, batch_size=None):
    """The same training in two processes."""
    return replace(training, devices=2, strategy="ddp", batch_size=batch_size or training.batch_size)


# In the processes -----------------------------------------------------------------------------------------------------


def child_rank(folder, jobs, fault, environment):
    """Do the jobs; a job with a folder of that name is resumed where it has a checkpoint."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    seen = {"anchors": [], "seeds": [], "written": 0}
    watch(seen)
    if fault is not None and fault[0] == "size":
        jobs = {name: {**options, "size": fault[1]} for name, options in jobs.items()}
    elif fault is not None:
        go_wrong(*fault)
    found = {}
    for name, options in jobs.items():
        for values in (seen["anchors"], seen["seeds"]):
            values.clear()
        run = folder / name
        try:
            weights, rows, fitted = resume_tiny(run, **options) if newest(run) else train_tiny(run, **options)
            best = (fitted.best_epoch, fitted.best_score)
            found[name] = {
                "weights": weights,
                "rows": rows,
                "best": best,
                **{key: list(seen[key]) for key in ("anchors", "seeds")},
                "written": seen["written"],
            }
        except ERRORS as error:
            found[name] = {"error": type(error).__name__, "message": str(error)}
    torch.save(found, folder / f"found-{os.environ['RANK']}.pt")


def watch(seen):
    """Note anchors, the seed that dropout draws from, and checkpoints written by this process."""
    draw, step, save = Reconstruction.draw, TrainingStep.losses, Checkpoints.save

    def drawing(self, lengths, generator):
        drawn = draw(self, lengths, generator)
        seen["anchors"].append(drawn.segments.anchor.flatten().tolist())
        return drawn

    def stepping(self, batch):
        found = step(self, batch)
        seen["seeds"].append(torch.initial_seed())
        return found

    def saving(self, *given, **named):
        seen["written"] += 1
        return save(self, *given, **named)

    Reconstruction.draw, TrainingStep.losses = drawing, stepping
    Checkpoints.save = saving


def go_wrong(what, at):
    """In the step of that number (from 0): "die", "hang" (SIGSTOP), "stop" (SIGTERM), or "diverge"."""
    step, steps = TrainingStep.losses, iter(range(10**6))

    def stepping(self, batch):
        if next(steps) == at:
            if what == "diverge":
                with torch.no_grad():
                    self.model.encoder.core.bias_ih_l0.fill_(torch.nan)
            else:
                signals = {"die": signal.SIGKILL, "hang": signal.SIGSTOP, "stop": signal.SIGTERM}
                os.kill(os.getpid(), signals[what])
        return step(self, batch)

    TrainingStep.losses = stepping
