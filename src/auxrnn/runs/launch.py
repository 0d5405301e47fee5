"""Starts one process a device on this machine by torch's elastic launcher, and says what went wrong in one of them."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from auxrnn.config import TrainingConfig
from auxrnn.errors import InputError
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.training.interrupt import SIGNALS, InterruptedRun
from auxrnn.training.ranks import LostRankError

HEARSAY = 5.0
"""Seconds that a process which has only noticed another's end waits, so that the launcher sees that one first."""

ASKED = "asked to stop by SIGINT"

SAVING = 600
"""Seconds that the processes have to finish a step and to save, once asked to stop."""


def launch(training: TrainingConfig, work: Callable[..., None], *arguments: Any) -> None:
    """Call `work(*arguments)` in `training.devices` processes; when one fails the others are ended.

    Raises the InputError or StoppedRunError of one of them, InterruptedRun on a signal, and LostRankError where a
    process was killed or failed. A script that calls this has to be importable, as for `multiprocessing`.
    """
    number = training.devices
    with TemporaryDirectory() as logs, _as_before():
        os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(SAVING))
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        if training.num_threads is not None:
            os.environ.setdefault("OMP_NUM_THREADS", str(training.num_threads))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=number,
            run_id="auxrnn",
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            monitor_interval=0.1,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )
        config.signals_to_handle = "SIGTERM"  # SIGINT is passed on as SIGTERM, see `_interrupted`
        try:
            elastic_launch(config, _rank)(work, arguments, logs)
        except SignalException as stop:
            raise InterruptedRun(signal.SIGINT if str(stop) == ASKED else stop.sigval) from None
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            raise _reason(rank, number, failure, Path(logs)) from None


def _interrupted(signum: int, frame: FrameType | None) -> None:
    """End the processes by SIGTERM: one that is still importing would answer SIGINT with a traceback."""
    raise SignalException(ASKED, signal.SIGTERM)


def _rank(work: Callable[..., None], arguments: tuple[Any, ...], logs: str) -> None:
    """The life of one process. It leaves the terminal's group, so that Ctrl-C reaches the launcher alone.

    What it raises for a person to read lies in `logs`: torch hands on the words of an exception alone.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    try:
        work(*arguments)
    except (InputError, StoppedRunError) as error:
        if isinstance(error.__cause__, LostRankError):
            time.sleep(HEARSAY)
        _said(Path(logs), int(os.environ["RANK"])).write_bytes(pickle.dumps(error))
        raise


def _said(logs: Path, rank: int) -> Path:
    return logs / f"rank-{rank}.pickle"


def _reason(rank: int, number: int, failure: ProcessFailure, logs: Path) -> Exception:
    if _said(logs, rank).exists():
        error: Exception = pickle.loads(_said(logs, rank).read_bytes())
        return error
    told: Any = failure.message
    if isinstance(told, dict):  # an exception, in torch's words
        print(told["extraInfo"]["py_callstack"], file=sys.stderr)
    if failure.exitcode < 0:
        return LostRankError(
            f"Process {rank + 1} of {number} was ended by {failure.signal_name()}, and the others with it."
        )
    return LostRankError(f"Process {rank + 1} of {number} failed, and the others with it; see above.")


@contextmanager
def _as_before() -> Iterator[None]:
    """Silence, and what the launcher leaves changed put back: signals and the environment."""
    environment, silent = dict(os.environ), logging.root.manager.disable
    main = threading.current_thread() is threading.main_thread()
    handlers = {signum: signal.getsignal(signum) for signum in SIGNALS} if main else {}
    if main:
        signal.signal(signal.SIGINT, _interrupted)
    logging.disable(logging.CRITICAL)  # torch tells each thing several times
    try:
        yield
    finally:
        logging.disable(silent)
        os.environ.clear()
        os.environ.update(environment)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
