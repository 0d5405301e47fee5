"""The page of a run while it is trained, on 127.0.0.1: `auxrnn train DATA --watch`. Draws in a thread of its own."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.experiments.arms import gather_arms, read_run
from auxrnn.experiments.run_report import page_of
from auxrnn.report.page import Page, render_page
from auxrnn.runs.folder import RunFolder
from auxrnn.training.history import History
from auxrnn.training.progress import Pace
from auxrnn.training.ranks import find_ranks
from auxrnn.training.step import TrainingStep
from auxrnn.training.watcher import Watcher

HOST = "127.0.0.1"
SHARE = 0.2
"""Of the time that goes into drawing at most, so that training keeps its pace."""

LOOKING, LAST_LOOK = 5.0, 10.0
"""Seconds since its last question in which a browser counts as looking on; and for which the end waits for it."""

LOG = logging.getLogger(__name__)


def show_while(work: Callable[..., object], config: RunConfig, folder: Path, port: int) -> None:
    """Call `work(say=..., watchers=...)`, which trains the run in `folder`, beside a page of it.

    Of several processes that torchrun or SLURM has started the first alone has a page.
    """
    if not find_ranks(config).is_first:
        work()
        return
    with LivePage(folder, port) as page:
        page.say(f"Watch       {page.address}")
        work(say=page.say, watchers=[page])


class LivePage(Watcher):
    """Serves the page of the run in `folder` within a `with` block, as its files and the training say.

    Nothing of the training is touched: it ends with the same bits. port: 0 takes any that is free. InputError where the
    port cannot be had.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = RunFolder(folder)
        try:
            self._server = _Server((HOST, port), self)
        except OSError as error:
            raise InputError(
                f"{HOST}:{port}: expected a port that is free, found: {error.strerror}. Choose another, or say --watch "
                "alone."
            ) from error
        self.address = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._drawing = threading.Lock()
        self._words, self._told = "", 0.0
        self._pace: Pace | None = None
        self._version, self._body, self._next = "", "", 0.0
        self._asked, self._ended, self._seen = 0.0, False, threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._words, self._ended = "The run is finished.", True
            if time.monotonic() - self._asked < LOOKING:
                self._seen.wait(LAST_LOOK)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def say(self, line: str) -> None:
        """Print a line of the run, and show it until the next."""
        self._words = line
        print(line, flush=True)

    def phase_begins(self, step: TrainingStep, history: History, steps: int) -> None:
        self._pace = Pace(step, steps)

    def step_ends(self, step: TrainingStep, history: History) -> None:
        if time.monotonic() - self._told >= 1.0:
            self._tell(step, history.running())

    def epoch_ends(self, step: TrainingStep, history: History) -> None:
        shown = (f"train_{history.target.score}", f"validation_{history.target.score}")
        self._tell(step, {name: history.rows[-1][name] for name in shown if name in history.rows[-1]})

    def _tell(self, step: TrainingStep, values: dict[str, float]) -> None:
        assert self._pace is not None
        self._told = time.monotonic()
        self._words = self._pace.line(step, f"step {step.number}/{self._pace.steps}", values)

    def answer(self, path: str) -> tuple[str, str] | None:
        """The kind and the text of what lies at `path`; None for nothing."""
        self._asked = time.monotonic()
        if path == "/now":
            now = {"words": self._words, "version": self._current(), "ended": self._ended}
            return "application/json", json.dumps(now)
        if path not in ("/", "/body"):
            return None
        with self._drawing:
            if path == "/":
                return "text/html", render_page(self._page(), None)
            version, since = self._current(), time.monotonic()
            if version != self._version:
                self._body = render_page(self._page(), None, template="body")
                self._version = version
                self._next = time.monotonic() + (time.monotonic() - since) * (1 / SHARE - 1)
            return "text/html", self._body

    def seen(self, path: str) -> None:
        """Note that a browser has got what lies at `path`."""
        if path == "/body" and self._version.endswith("ended"):
            self._seen.set()

    def _current(self) -> str:
        """Names what the page would show; the version that is shown, while another drawing would take too much time."""
        if self._ended:
            return "ended"
        if time.monotonic() < self._next:
            return self._version
        metrics = self.folder.metrics
        return f"{self.folder.config.exists()} {metrics.stat().st_mtime_ns if metrics.exists() else ''}"

    def _page(self) -> Page:
        if not self.folder.config.exists():
            return Page(str(self.folder.path), "The run has not begun: data are read and settings are chosen.")
        page = page_of(gather_arms([read_run(self.folder.path)]), None)
        return page if self.folder.result.exists() else replace(page, box=None)


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], page: LivePage) -> None:
        super().__init__(address, _Handler)
        self.page = page

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.debug("a question to the live page failed", exc_info=True)  # as a rule a browser that has left


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):  # a page of another name's
            self.send_error(403)
            return
        found = self.server.page.answer(self.path)
        if found is None:
            self.send_error(404)
            return
        content = found[1].encode("utf-8", "backslashreplace")
        self.send_response(200)
        self.send_header("Content-Type", f"{found[0]}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)
        self.server.page.seen(self.path)

    def log_message(self, format: str, *values: Any) -> None:
        """Say nothing: standard error is for the training."""
