"""Stopping on request: SIGINT and SIGTERM are noted, so that the step at hand can finish and its state be saved."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptedRun(RuntimeError):  # noqa: N818 - it went as asked
    """The run was asked to stop, and its state is saved. `signum`: the signal that asked."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


@contextmanager
def handled_by(handler: Any, signals: Sequence[int] = SIGNALS) -> Iterator[None]:
    """Give signals to `handler` until the end of the block; they reach the main thread alone."""
    is_main = threading.current_thread() is threading.main_thread()
    before = {signum: signal.signal(signum, handler) for signum in signals if is_main}
    try:
        yield
    finally:
        for signum, own in before.items():
            signal.signal(signum, own)


class StopSignals:
    """Notes the first signal; a second one does what it would have done without this. speak: whether to say so."""

    def __init__(self, *, speak: bool = True) -> None:
        self.speak = speak
        self.received = 0
        self._before: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals from here to the end of the block; they reach the main thread only."""
        if threading.current_thread() is threading.main_thread():
            self._before = {signum: signal.signal(signum, self._receive) for signum in SIGNALS}
        try:
            yield
        finally:
            self._give_back()

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self._give_back()
        self.received = signum
        if self.speak:  # past Python's buffers: a print at hand may be what the signal has interrupted
            os.write(2, f"\n{signal.Signals(signum).name}: finishing this step and saving ...\n".encode())

    def _give_back(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
