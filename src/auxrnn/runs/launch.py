"""Starts one process a device on this machine, watches over them, and ends the rest when one is gone.

They are told who they are as torchrun tells it. Each leaves the terminal's group, so that Ctrl-C reaches this process,
which passes it on once; and each stops by itself when this process is gone (`runs.rank`).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.training.interrupt import SIGNALS
from auxrnn.training.ranks import LostRankError

GRACE = 10.0
"""Seconds that the others have to end by themselves once one has failed."""


@dataclass
class Rank:
    """One started process. ended: by us, because another had failed."""

    number: int
    process: subprocess.Popen[bytes]
    last_words: Path
    ended: bool = False

    def words(self) -> tuple[str, str]:
        """The kind of error that it ended with and its message, both empty where it left none."""
        if not self.last_words.is_file():
            return "", ""
        kind, message = json.loads(self.last_words.read_text(encoding="utf-8"))
        return kind, message


def launch(folder: Path, config: RunConfig, checkpoint: Path | None, judged: bool) -> None:
    """Train in `config.devices` processes, from `checkpoint` or from the beginning, judged: with a verdict.

    Raises InputError, LostRankError where one was killed or hung, and RuntimeError with what one of them said.
    """
    ranks: list[Rank] = []
    with TemporaryDirectory() as words, _passing_on(ranks):
        try:
            port = _free_port()
            for number in range(config.devices):
                last_words = Path(words) / f"{number}.json"
                command = [sys.executable, "-m", "auxrnn.runs.rank", str(folder), str(checkpoint or "")]
                process = subprocess.Popen(
                    [*command, config.data_dir or "", "judged" if judged else "", str(last_words)],
                    env=_environment(config, number, port),
                    start_new_session=True,
                )
                ranks.append(Rank(number, process, last_words))
            _wait(ranks)
            _judge(ranks)
        finally:
            for rank in ranks:
                if rank.process.poll() is None:
                    rank.process.kill()
                rank.process.wait()


def _environment(config: RunConfig, number: int, port: int) -> dict[str, str]:
    found = {
        **os.environ,
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(config.devices),
        "LOCAL_WORLD_SIZE": str(config.devices),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "auxrnn",  # how Lightning knows torchrun
    }
    found.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a warning that all weights are used, in every process
    if config.num_threads is not None:
        found.setdefault("OMP_NUM_THREADS", str(config.num_threads))
    return found


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _passing_on(ranks: list[Rank]) -> Iterator[None]:
    """Signals to this process reach all of them instead."""

    def receive(signum: int, frame: Any) -> None:
        for rank in ranks:
            rank.process.send_signal(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, receive) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _wait(ranks: list[Rank]) -> None:
    """Until all have ended; once one has failed, the rest in `GRACE` seconds."""
    failed_at: float | None = None
    while None in (codes := [rank.process.poll() for rank in ranks]):
        if failed_at is None and any(codes):
            failed_at = time.monotonic()
        if failed_at is not None and time.monotonic() - failed_at > GRACE:
            for rank in ranks:
                if rank.process.poll() is None:
                    rank.ended = True
                    rank.process.kill()
                    rank.process.wait()
        time.sleep(0.05)


def _judge(ranks: list[Rank]) -> None:
    """Say what went wrong: what a process said itself, before that another was gone."""
    said = [rank.words() for rank in ranks]
    for wanted in ("input", "stopped"):
        for kind, message in said:
            if kind == wanted:
                raise InputError(message) if kind == "input" else RuntimeError(message)
    number = len(ranks)
    for rank in ranks:
        code = rank.process.returncode
        if code < 0 and not rank.ended:
            raise LostRankError(
                f"Process {rank.number + 1} of {number} was ended by {signal.Signals(-code).name}, and the others with "
                "it."
            )
    for rank, (kind, _) in zip(ranks, said, strict=True):
        if rank.process.returncode > 0 and kind != "lost":
            raise LostRankError(f"Process {rank.number + 1} of {number} failed, and the others with it; see above.")
    for rank in ranks:
        if rank.ended:
            raise LostRankError(f"Process {rank.number + 1} of {number} stopped answering; all were ended.")
    if any(rank.process.returncode for rank in ranks):
        raise LostRankError(f"The {number} processes lost touch with each other; all have ended.")
