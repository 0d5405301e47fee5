"""What the benches share: work timed in turn, medians and ratios with their spread, the header, the stored figures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from auxrnn.report.drawing import Drawing
from auxrnn.runs.environment import describe_environment


@dataclass(frozen=True)
class Spread:
    """The median of repeated measurements, and their least and greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def words(self, digits: int = 2) -> list[str]:
        """The three as cells of a table."""
        return [f"{value:,.{digits}f}" for value in (self.median, self.least, self.greatest)]


def in_turn(work: Mapping[str, Callable[[], object]], rounds: int, *, repeats: int = 1) -> dict[str, list[float]]:
    """Seconds of one call of each piece of work, `rounds` values each.

    They take turns, so that whatever else the machine does falls on all of them; a first round warms up and does not
    count. repeats: calls within one value, for work too short for the clock.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for counted in range(rounds + 1):
        for name, call in work.items():
            started = time.perf_counter()
            for _ in range(repeats):
                call()
            if counted:
                seconds[name].append((time.perf_counter() - started) / repeats)
    return seconds


def times_faster(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """How many times faster, round by round: both were measured side by side."""
    return Spread.of([one / other for one, other in zip(slow, fast, strict=True)])


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many CPU threads within an operation, as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def heading(what: str, *, on_gpu: bool = False, **sizes: object) -> str:
    """What is measured and on what; on_gpu: the bench uses a GPU where there is one."""
    found = describe_environment()
    where = (
        on_gpu and ", ".join(found["gpus"])
    ) or f"{found['processor']}, {found['threads']} threads of {found['cores']} cores"
    words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sizes.items())
    return f"{what}; {words}; {where}; torch {found['packages']['torch']}\n"


def store(
    out: Path | None,
    bench: str,
    sizes: Mapping[str, Any],
    figures: list[dict[str, Any]],
    *,
    said: bool = True,
    **drawings: Drawing,
) -> dict[str, Any]:
    """The figures as plain values; with `out` also as a JSON file with a PNG beside it a drawing. said: print where."""
    content = {"bench": bench, "sizes": dict(sizes), "environment": describe_environment(), "figures": figures}
    if out is not None:
        from auxrnn.runs.folder import write_json  # brings the trainer with it

        write_json(out, content)
        for name, drawing in drawings.items():
            drawing.save(out.with_name(f"{out.stem}-{name}.png"))
        if said:
            print(f"\nFigures in {out}.")
    return content
