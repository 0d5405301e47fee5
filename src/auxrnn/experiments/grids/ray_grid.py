"""The tasks of a grid on a Ray cluster: each with its share of CPU or GPU, on whatever machine has one free.

The machines share the folder of the grid and the data. Knows no grid: whether a run whose process died is made again
is the grid's to say, so that Ray repeats nothing by itself. Needs the extra `ray`, which loads when asked for.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import auxrnn.experiments.grids.task as carried
from auxrnn.errors import InputError
from auxrnn.experiments.grids.task import Report, Task, carry_out
from auxrnn.experiments.grids.workers import RUNS_PER_GPU

ANSWER = 5.0
"""Seconds in which a cluster's address has to take a connection."""


class RayWorkers:
    """All tasks at once; Ray lets them wait for a place.

    address: of a cluster (host:port, ray://host:port, "auto"), or "local" for one in this machine. per_gpu: runs that
    share a GPU, RUNS_PER_GPU when None. Where this process is in a cluster already, that one is used. InputError where
    Ray is not installed or the cluster does not answer.
    """

    def __init__(self, address: str, per_gpu: int | None = None) -> None:
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise InputError("Expected Ray for a grid on a cluster: pip install 'auxrnn[ray]'.") from error
        self._ray, self._per_gpu = ray, per_gpu or RUNS_PER_GPU
        self._own = not ray.is_initialized()
        if self._own:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
            if address == "local":
                quiet["include_dashboard"] = False
            try:
                _check_answers(address)  # Ray itself asks for two minutes
                ray.init(address, **quiet)
            except (OSError, RuntimeError, ValueError) as error:
                raise InputError(f"Expected a Ray cluster at {address!r}, found none: {error}") from error
        self._gpus = bool(ray.cluster_resources().get("GPU"))
        self._remote = ray.remote(max_retries=0, max_calls=1)(_carry_out_there)  # a process a run, as on one machine
        self._working: dict[Any, str] = {}

    def free(self) -> int:
        return sys.maxsize

    def start(self, name: str, task: Task) -> None:
        there = replace(task, folder=task.folder.resolve())
        on_gpu = self._gpus and task.config.accelerator in ("auto", "gpu", "cuda")
        share = {"num_gpus": 1 / self._per_gpu} if on_gpu else {}
        options = {"num_cpus": 1, "name": name, "runtime_env": {"env_vars": _environment()}, **share}
        self._working[self._remote.options(**options).remote(there, sys.argv)] = name

    def wait(self, seconds: float) -> list[tuple[str, Report]]:
        if not self._working:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(self._working), timeout=seconds)
        return [(self._working.pop(reference), self._report(reference)) for reference in ready]

    def _report(self, reference: Any) -> Report:
        try:
            report = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # the process or its machine is gone
            return Report("died", str(error).strip().splitlines()[0])
        assert isinstance(report, Report)
        return report

    def stop(self) -> None:
        for reference in self._working:
            self._ray.cancel(reference, force=True)
        self._working.clear()

    def close(self) -> None:
        if self._own:
            self._ray.shutdown()


def _check_answers(address: str) -> None:
    """OSError where an address with a host and a port has nobody who listens."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=ANSWER).close()


def _environment() -> dict[str, str]:
    """What a process needs to see these sources and data, with one thread."""
    sources = str(Path(carried.__file__).resolve().parents[3])
    path = os.pathsep.join([sources, *filter(None, [os.environ.get("PYTHONPATH")])])
    shared = {name: os.environ[name] for name in ("AUXRNN_DATA_DIR",) if name in os.environ}
    return {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", **shared}


def _carry_out_there(task: Task, command: list[str]) -> Report:
    sys.argv = command  # env.json tells what was called, not Ray's own
    return carry_out(task)
