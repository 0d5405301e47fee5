"""A training step against the length of its sequences, seconds and peak memory: python benchmarks/length.py

Prints the tables of what `step_costs` measures: minutes, on a machine that does nothing else. The page of
`auxrnn reproduce dogs` shows the figures of OUT/dogs-costs.json:

    python benchmarks/length.py --lengths 1600 2304 3136 5184 6400 9216 12544 16384 --out results/laptop/dogs-costs.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from measure import Spread, heading
from step_costs import MODELS, measure_steps

from auxrnn.report.figures import draw_lines
from auxrnn.report.tables import text_table


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file, pictures beside it")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--lengths", type=int, nargs="+", help="steps")
    parser.add_argument(
        "--model", action="append", default=[], choices=tuple(MODELS), help="this one alone; repeatable"
    )
    parser.add_argument("--memory", type=float, help="GiB that a case may take (default: 0.6 of what is free)")
    parser.add_argument("--seconds", type=float, default=150, help="longest step that is tried (default: 150)")
    parser.add_argument("--batch_size", type=int, default=32, help="sequences a step (default: 32)")
    options = parser.parse_args(words)
    found = measure_steps(
        options.out,
        options.lengths,
        threads=options.threads,
        memory=options.memory,
        seconds=options.seconds,
        models=options.model,
        batch_size=options.batch_size,
        smoke=options.smoke,
    )
    figures = found["figures"]
    print(heading("\nA training step against the length", on_gpu=True, **found["sizes"]))
    print_tables(figures, sorted({figure["steps"] for figure in figures}))
    if options.out is not None:
        for what, unit in (("seconds", "seconds"), ("memory", "MiB")):
            drawing = draw_lines(_lines(figures, what), title=f"{what} of a training step", xlabel="steps", ylabel=unit)
            drawing.save(options.out.with_name(f"{options.out.stem}-{what}.png"))


def print_tables(figures: list[dict[str, Any]], lengths: Sequence[int]) -> None:
    names = list(dict.fromkeys(figure["model"] for figure in figures))
    at = {(figure["model"], figure["steps"]): figure for figure in figures}
    header = [f"T {steps:,}" for steps in lengths]

    def cells(name: str, of: Callable[[dict[str, Any]], str]) -> list[str]:
        return [of(at[name, steps]) if at.get((name, steps), {}).get("seconds") else "-" for steps in lengths]

    rows = [[name, *cells(name, lambda found: f"{Spread.of(found['seconds']).median:,.3f}")] for name in names]
    print(text_table(["seconds a step (median)", *header], rows), end="\n\n")
    rows = [[name, *cells(name, lambda found: f"{found['mib']:,.1f}")] for name in names]
    for row, name in zip(rows, names, strict=True):
        own = [found["mib"] for found in figures if found["model"] == name and found["mib"]]
        row.append(f"{own[-1] / own[0]:.3f}" if own else "-")
    print(text_table(["peak memory, MiB", *header, "last / first"], rows))
    slow = "LSTM, full BPTT"
    for steps in lengths:
        base = at.get((slow, steps), {}).get("seconds")
        if base:
            ratios = [
                f"{name} {Spread.of(base).median / Spread.of(at[name, steps]['seconds']).median:.1f}"
                for name in names
                if name != slow and at[name, steps]["seconds"]
            ]
            print(f"\nTimes faster than full BPTT at {steps:,}: {', '.join(ratios)}.", end="")
    for found in figures:
        if found["stopped"] and "already" not in found["stopped"]:
            print(f"\n{found['model']} stopped at {found['steps']:,}: {found['stopped']}.", end="")
    print()


def _lines(figures: list[dict[str, Any]], what: str) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for found in figures:
        value = Spread.of(found["seconds"]).median if what == "seconds" and found["seconds"] else found["mib"]
        if found["seconds"] and value:
            lines.setdefault(found["model"], []).append((found["steps"], value))
    return lines


if __name__ == "__main__":
    main()
