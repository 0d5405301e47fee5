"""The processes ("ranks") of one training: which one this is, what they tell each other, what one does when another is
gone. Knows nothing of models, and of data only how much there is.

`auxrnn train`, torchrun or SLURM start them; each says so in its own environment variables.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn

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
    """This process among `number`.

    local: its number on this machine. started: whether all of them have been started already.
    """

    number: int = 1
    rank: int = 0
    started: bool = True
    local: int = field(default=0, compare=False)

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

    def meet(self, device: torch.device, facts: Mapping[str, Any]) -> None:
        """Wait for all, then no longer than `silence()` for any; compare the `facts` on which equal steps depend."""
        if self.number == 1:
            return
        patience = silence()
        if device.type == "cuda":
            torch.cuda.set_device(device)
        if not distributed.is_initialized():
            _name_first_machine()
            backend = "nccl" if device.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=GATHERING, rank=self.rank, world_size=self.number)
        distributed.distributed_c10d._set_pg_timeout(patience, None)
        found: list[Any] = [None] * self.number
        distributed.all_gather_object(found, facts)
        for name, value in found[0].items():
            for rank, other in enumerate(found):
                if other[name] != value:
                    raise InputError(
                        f"Expected the same {name} in all {self.number} processes, got {value} in the first and "
                        f"{other[name]} in process {rank + 1}."
                    )

    def share(self, model: nn.Module) -> None:
        """Give all of them the first one's weights and buffers."""
        if self.number > 1:
            for tensor in model.state_dict().values():
                distributed.broadcast(tensor, 0)

    def average_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """The mean gradient over the ranks, in one exchange; a weight that no loss of any rank reaches keeps none.

        A rank without a gradient for a weight counts as zeros.
        """
        if self.number == 1:
            return
        reached = torch.tensor([float(weight.grad is not None) for weight in weights], device=weights[0].device)
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        flat = torch.cat([reached, *(gradient.flatten() for gradient in gradients)]) / self.number
        distributed.all_reduce(flat)
        pieces = flat[len(weights) :].split([weight.numel() for weight in weights])
        for weight, anywhere, piece in zip(weights, flat[: len(weights)].tolist(), pieces, strict=True):
            weight.grad = piece.view_as(weight) if anywhere else None

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
        local = int(environment.get("LOCAL_RANK", "0"))
        return _checked(training, int(environment["WORLD_SIZE"]), int(environment["RANK"]), local, "torchrun")
    if number == 1:
        return ALONE
    if _in_slurm(environment):
        local = int(environment.get("SLURM_LOCALID", "0"))
        return _checked(training, int(environment["SLURM_NTASKS"]), int(environment["SLURM_PROCID"]), local, "SLURM")
    if training.num_nodes > 1:
        raise InputError(
            f"Expected torchrun or srun to start the processes on each of {training.num_nodes} machines, found "
            "neither; docs/scaling.md has the commands."
        )
    return Ranks(number, 0, started=False)


def _checked(training: TrainingConfig, started: int, rank: int, local: int, by: str) -> Ranks:
    number = training.devices * training.num_nodes
    if started != number:
        raise InputError(
            f"Expected --devices (on each machine) times --num_nodes to be the {started} processes that {by} has "
            f"started, got {training.devices} times {training.num_nodes}."
        )
    return Ranks(number, rank, local=local)


def _in_slurm(environment: Mapping[str, str]) -> bool:
    """Whether srun started this; a job called bash or interactive is a person's shell."""
    return "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive")


def _name_first_machine() -> None:
    """Say where the first process is, as torchrun does; in SLURM by the nodes and the number of the job."""
    nodes = re.sub(r"\[(.*?)[],-].*", r"\1", os.environ.get("SLURM_NODELIST", "127.0.0.1"))  # of a[3-5],b the first
    os.environ.setdefault("MASTER_ADDR", re.split("[ ,]", nodes)[0])
    os.environ.setdefault("MASTER_PORT", str(15000 + int(os.environ.get("SLURM_JOB_ID", "0")[-4:])))


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
