"""What the benches share: medians and ratios with their spread, the header, stored figures, tables of a page."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from auxrnn.report.drawing import Drawing
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.folder import write_json
from auxrnn.storage.files import write_atomically

END = "<!-- end of tables -->"


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
    **drawings: Drawing,
) -> dict[str, Any]:
    """The figures as plain values; with `out` also as a JSON file with a PNG beside it a drawing."""
    content = {"bench": bench, "sizes": dict(sizes), "environment": describe_environment(), "figures": figures}
    if out is not None:
        write_json(out, content)
        for name, drawing in drawings.items():
            drawing.save(out.with_name(f"{out.stem}-{name}.png"))
        print(f"\nFigures in {out}.")
    return content


def write_tables(page: Path, script: str, tables: str) -> None:
    """Put a script's tables between its marks of a page; the words around them stay. A page without marks gets them
    below.
    """
    begin = f"<!-- tables by {script} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    before, _, rest = text.partition(begin)
    after = rest.partition(END)[2] or "\n"
    content = f"{before.rstrip()}\n\n{begin}\n\n{tables}\n\n{END}{after}".lstrip("\n")
    write_atomically(page, lambda aside: aside.write_text(content, encoding="utf-8"))
