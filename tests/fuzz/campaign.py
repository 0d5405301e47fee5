"""Spoilt files fed to their parsers, one after the other, and what became of each.

A spoilt file is a function of (format, seed, number), so that each can be made again. A result or an InputError of one
line are right answers; another exception or warning, a wait of seconds, memory out of proportion or the end of the
process are findings.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from auxrnn.errors import InputError
from fuzz.formats import FORMATS, Files, Format, write
from fuzz.mutations import spoil

SLOW = 20.0  # seconds that reading a file of some kilobytes may take
STUCK = 60.0  # seconds of the processor after which the process is ended from outside Python
ROOM = 2**30  # bytes of addresses that reading may ask for
GROWTH = 600 * 2**20  # bytes that the process may grow by at one file
LONGEST_MESSAGE = 2000  # characters
KEPT = 3  # files kept of each finding


READ, REFUSED = "read", "refused"


@dataclass
class Outcome:
    """Of one format: how many files gave a result, were refused, or led to each finding."""

    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        return self.verdicts.total()

    @property
    def findings(self) -> dict[str, int]:
        return {what: count for what, count in self.verdicts.items() if what not in (READ, REFUSED)}


class SlowError(BaseException):
    """Nothing of ours catches it."""


def spoilt_files(form: Format, sources: list[Files], random: Random) -> Files:
    """One of the valid sources with one file changed."""
    place = random.randrange(len(sources))
    files = dict(sources[place])
    name = random.choice([name for name in sorted(files) if name.endswith(form.spoilt)])
    others = [content for source in sources for other, content in source.items() if other.endswith(name[-4:])]
    files[name] = spoil(files[name], random, random.choice(others), form.wrapping)
    return files


def campaign(name: str, inputs: int, seed: int = 0, *, kept: Path | None = None) -> Outcome:
    """Feed `inputs` spoilt files of a format to its parsers; findings are laid into `kept`, KEPT of each."""
    began = time.perf_counter()
    outcome = Outcome(Counter(verdicts(name, range(inputs), seed, kept)))
    outcome.seconds = time.perf_counter() - began
    return outcome


def verdicts(name: str, numbers: Iterable[int], seed: int, kept: Path | None) -> Iterator[str]:
    """What became of each file: READ, REFUSED, or a finding."""
    form = FORMATS[name]
    sources, seen = form.files(), Counter[str]()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        folder = Path(place, "in")
        with laid(folder, sources[0]):
            form.valid(folder)  # what is valid is read, or nothing is tested
        for number in numbers:
            files = spoilt_files(form, sources, Random(f"{name} {seed} {number}"))
            with laid(folder, files):
                verdict, told = judged(form, folder)
            seen[verdict] += 1
            if told and kept is not None and seen[verdict] <= KEPT:
                keep(kept / f"{name}-{seed}-{number}", files, told)
            yield verdict


@contextmanager
def laid(folder: Path, files: Files) -> Iterator[None]:
    try:
        write(folder, files)
        yield
    finally:
        shutil.rmtree(folder)


def judged(form: Format, folder: Path) -> tuple[str, str]:
    """The verdict, and the whole story of a finding."""
    before, verdict = peak(), READ
    try:
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("error")
            form.read(folder)
    except InputError as error:
        message, verdict = str(error), REFUSED
        if not message or "\n" in message or len(message) > LONGEST_MESSAGE:
            return f"message {place_of(error)}", message
    except (Exception, SlowError) as error:
        return f"{type(error).__name__} {place_of(error)}", "".join(traceback.format_exception(error))
    if peak() - before > GROWTH:
        return "memory", f"{peak() - before:,} bytes"
    return verdict, ""


def place_of(error: BaseException) -> str:
    """The innermost line of ours."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "auxrnn" in frame.filename]
    frame = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


@contextmanager
def bounded() -> Iterator[None]:
    """Seconds and addresses are limited inside; the addresses where the system can."""

    def late(*_: Any) -> None:
        raise SlowError

    previous = signal.signal(signal.SIGALRM, late)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_REAL, SLOW)
    signal.setitimer(signal.ITIMER_PROF, STUCK)
    resource.setrlimit(resource.RLIMIT_AS, (addresses() + ROOM, limits[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, previous)


def addresses() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def keep(folder: Path, files: Files, told: str) -> None:
    write(folder, files)
    (folder / "finding.txt").write_text(told, encoding="utf-8", errors="backslashreplace")


# In a process of its own, so that its end is a finding too ------------------------------------------------------------


def campaign_alone(name: str, inputs: int, seed: int = 0, *, kept: Path | None = None) -> Outcome:
    """`campaign` in processes of their own: after one that ends by itself another goes on behind that file."""
    began, outcome = time.perf_counter(), Outcome()
    context = multiprocessing.get_context("fork")
    while outcome.inputs < inputs:
        first = outcome.inputs
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_send, args=(sender, name, range(first, inputs), seed, kept))
        child.start()
        sender.close()
        try:
            while True:
                outcome.verdicts[receiver.recv()] += 1
        except EOFError:
            child.join()
        if child.exitcode == 1:
            raise RuntimeError(f"{name}: the campaign itself failed; see above")
        if child.exitcode:
            number, what = outcome.inputs, f"ended with {child.exitcode}"
            outcome.verdicts[what] += 1
            if kept is not None:
                form = FORMATS[name]
                files = spoilt_files(form, form.files(), Random(f"{name} {seed} {number}"))
                keep(kept / f"{name}-{seed}-{number}", files, what)
    outcome.seconds = time.perf_counter() - began
    return outcome


def _send(sender: Any, name: str, numbers: range, seed: int, kept: Path | None) -> None:
    for verdict in verdicts(name, numbers, seed, kept):
        sender.send(verdict)
