"""The processes ("ranks") of one training: which one this is, what they tell each other, what one does when another is
gone. Knows nothing of models, and of data only how much there is.

`auxrnn train`, torchrun or SLURM start them; each says so in its own environment variables.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from auxrnn.config import TrainingConfig
from auxrnn.errors import InputError

GATHERING = timedelta(minutes=10)
"""How long the first process waits for the last one to come."""

SILENCE = "AUXRNN_RANK_TIMEOUT"
"""The environment variable for how many seconds a process waits in a step for another that says nothing."""

SILENCE_SECONDS = 50.0

_SIGNS = (
    "gloo",
    "Connection closed by peer",
    "Connection reset by peer",
    "Timed out waiting",
    "Application timeout",
    "NCCL",
)

_LOOPBACK = (
    "On several machines: the host name of one stands for 127.*, which no other reaches; set $GLOO_SOCKET_IFNAME on "
    "each to its network interface."
)


class LostRankError(RuntimeError):
    """Another process of this training has ended or stopped answering; this one cannot go on."""


@dataclass(frozen=True)
class Ranks:
    """This process among `number`. started: whether all of them have been started already."""

    number: int = 1
    rank: int = 0
    started: bool = True

    @property
    def is_first(self) -> bool:
        """The one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the ranks; the same bits on all of them."""
        if self.number == 1:
            return list(values)
        return self._reduced(values, distributed.ReduceOp.SUM)

    def highest(self, value: int) -> int:
        """The highest value of any rank."""
        return value if self.number == 1 else int(self._reduced([value], distributed.ReduceOp.MAX)[0])

    def _reduced(self, values: Sequence[float], operation: Any) -> list[float]:
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        tensor = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(tensor, operation)
        return tensor.tolist()


ALONE = Ranks()


def find_ranks(training: TrainingConfig, environment: Mapping[str, str] = os.environ) -> Ranks:
    """Which process this is; InputError where what was started is not what the settings ask for."""
    number = training.devices * training.num_nodes
    if "RANK" in environment and "WORLD_SIZE" in environment:
        return _checked(training, int(environment["WORLD_SIZE"]), int(environment["RANK"]), "torchrun")
    if number == 1:
        return ALONE
    if training.strategy not in ("auto", "ddp"):
        raise InputError(f"Expected strategy ddp for {number} processes, got {training.strategy!r}.")
    if _in_slurm(environment):
        return _checked(training, int(environment["SLURM_NTASKS"]), int(environment["SLURM_PROCID"]), "SLURM")
    if training.num_nodes > 1:
        raise InputError(
            f"Expected torchrun or srun to start the processes on each of {training.num_nodes} machines, found "
            "neither; docs/scaling.md has the commands."
        )
    return Ranks(number, 0, started=False)


def _checked(training: TrainingConfig, started: int, rank: int, by: str) -> Ranks:
    number = training.devices * training.num_nodes
    if started != number:
        raise InputError(
            f"Expected --devices (on each machine) times --num_nodes to be the {started} processes that {by} has "
            f"started, got {training.devices} times {training.num_nodes}."
        )
    return Ranks(number, rank)


def _in_slurm(environment: Mapping[str, str]) -> bool:
    """Whether srun started this, as Lightning finds out."""
    return "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive")


def strategy_of(training: TrainingConfig, ranks: Ranks) -> str | Strategy:
    """Lightning's strategy.

    A weight that no loss reaches (bptt 0) must not stop the others, so unused ones are looked for; that also keeps the
    order in which gradients are summed the same before and after a resume. No buffer ever changes.
    """
    if ranks.number == 1:
        return training.strategy
    newer = "forward_sync_buffers" in signature(DistributedDataParallel).parameters  # torch 2.13 has renamed it
    constant = {"forward_sync_buffers" if newer else "broadcast_buffers": False}
    return DDPStrategy(timeout=GATHERING, find_unused_parameters=True, **constant)  # type: ignore[arg-type]


def plugins_of(ranks: Ranks) -> list[Any]:
    """In SLURM the run saves where it always does when asked to stop; Lightning would save elsewhere and requeue."""
    in_slurm = ranks.number > 1 and "RANK" not in os.environ and _in_slurm(os.environ)
    return [SLURMEnvironment(auto_requeue=False)] if in_slurm else []


def silence() -> timedelta:
    """How long a process waits in a step for another."""
    given = os.environ.get(SILENCE, "")
    try:
        seconds = float(given or SILENCE_SECONDS)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InputError(f"Expected ${SILENCE} to be seconds above 0, got {given!r}.")
    return timedelta(seconds=seconds)


class RankCheck(Callback):
    """When all have come: shortens their patience, and compares the `facts` on which equal steps depend."""

    def __init__(self, ranks: Ranks, facts: dict[str, Any]) -> None:
        self.ranks, self.facts = ranks, facts
        self.silence = silence()

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.ranks.number == 1:
            return
        distributed.distributed_c10d._set_pg_timeout(self.silence, None)
        found: list[Any] = [None] * self.ranks.number
        distributed.all_gather_object(found, self.facts)
        for name, value in found[0].items():
            for rank, other in enumerate(found):
                if other[name] != value:
                    raise InputError(
                        f"Expected the same {name} in all {self.ranks.number} processes, got {value} in the first and "
                        f"{other[name]} in process {rank + 1}."
                    )


@contextmanager
def noticing_losses(ranks: Ranks) -> Iterator[None]:
    """What an error of the exchange between ranks means: that another is gone."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).strip()
        told = isinstance(error, distributed.DistError) or any(sign in text for sign in _SIGNS)
        if ranks.number == 1 or not told:
            raise
        said = text.splitlines()[0].partition(". This is typically")[0] if text else type(error).__name__
        hint = f" {_LOOPBACK}" if "timed out connecting" in said and "remote=[127." in said else ""
        raise LostRankError(
            f"Process {ranks.rank + 1} of {ranks.number} cannot go on: another has ended or not answered "
            f"({said}).{hint}"
        ) from error
