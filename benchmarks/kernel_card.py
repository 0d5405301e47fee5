"""Check and time the persistent LSTM kernel on this machine's NVIDIA GPU, unattended: python benchmarks/kernel_card.py

First equality: outputs, states and gradients against torch's LSTM in float64. Then microseconds a step of cuDNN and of
the kernel in alternation within one run, after warm-up: forward alone, and forward with backward. A case that fails is
reported and the rest goes on. Writes CARD.json and CARD.md into --out, and says what to do with them.

--smoke runs the equality part alone, small, on the CPU under Triton's interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.kernels.backend import LARGEST_HIDDEN, TOLERANCE, Measurement
from auxrnn.core.kernels.lstm import PersistentLSTM
from auxrnn.report.tables import markdown_table, text_table
from auxrnn.runs.environment import describe_environment, installed_version
from auxrnn.storage.files import write_atomically

Timing = dict[str, list[float]]  # name -> microseconds a step, one a repeat


def main(words: Sequence[str] | None = None) -> int:
    options = parse(words)
    if options.smoke:
        os.environ["TRITON_INTERPRET"] = "1"  # before the first call loads Triton
        options.hidden, options.equality_rows, options.steps = [16, 20], 9, 4
    elif not torch.cuda.is_available():
        print("kernel_card.py needs an NVIDIA GPU; without one: --smoke", file=sys.stderr)
        return 2
    device = torch.device("cpu" if options.smoke else "cuda")
    card = "CPU, Triton's interpreter" if options.smoke else torch.cuda.get_device_name(device)
    print(f"{card}, torch {torch.__version__}, Triton {installed_version('triton')}\n")

    equality = [
        attempt(check_case, hidden, operands, options, device)
        for hidden in options.hidden
        for operands in options.operands
        if hidden <= LARGEST_HIDDEN[operands]
    ]
    print(text_table(*equality_table(equality)), "\n")
    equal = all("failed" not in row and row["equal"] for row in equality)
    if options.smoke:
        print("equal within the stated tolerance" if equal else "NOT equal within the stated tolerance")
        return 0 if equal else 1

    timings = []
    for hidden in options.hidden:
        for rows in options.rows:
            timings.append(attempt(time_case, hidden, rows, options, device))
            print(json.dumps(summary(timings[-1])), flush=True)

    stem = re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-")
    measured = [asdict(row) for row in measurements(card, equality, timings)]
    environment = {
        **describe_environment(),
        "triton": installed_version("triton"),
        "cudnn": torch.backends.cudnn.version(),
    }
    stored = {
        "environment": environment,
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        "equality": equality,
        "timings": timings,
        "measured": measured,
    }
    page = markdown(card, environment, options, equality, timings)
    for suffix, text in (
        (".json", json.dumps(stored, indent=1)),
        (".md", page),
        (".measured.json", json.dumps(measured, indent=1)),
    ):
        write_atomically(
            options.out / f"{stem}{suffix}", lambda path, text=text: path.write_text(text + "\n", encoding="utf-8")
        )
    print(f"\n{page}\nWritten: {options.out / stem}.json, .md and .measured.json.")
    print(
        'backend="auto" reads src/auxrnn/core/kernels/measured.json: add the entries of .measured.json to that list '
        "(one for all cards), run `python -m pytest tests/core/kernels`, and commit the list with the three files."
    )
    return 0 if equal else 1


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="equality alone, small, on the CPU")
    parser.add_argument("--out", type=Path, default=Path("results/kernel"))
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--rows", type=int, nargs="+", default=[16, 128, 1024])
    parser.add_argument("--operands", nargs="+", choices=list(LARGEST_HIDDEN), default=list(LARGEST_HIDDEN))
    parser.add_argument("--features", type=int, default=1, help="inputs a step (1: a grey pixel, projection folded)")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args(words)
    options.equality_rows = 61  # fills no block
    return options


def attempt(case: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The case's result, or which case failed and why, so that one fault does not end an unattended run."""
    try:
        return case(*arguments)
    except Exception as error:  # whatever a compiler or a driver may raise
        which = [one for one in arguments if isinstance(one, int | str)]
        return {"case": [case.__name__, *which], "failed": f"{type(error).__name__}: {str(error).strip()[:500]}"}


# Equality -------------------------------------------------------------------------------------------------------------


def check_case(hidden: int, operands: str, options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Greatest differences from torch in float64, of the kernel and of torch in float32 as it is set."""
    B, T, F = options.equality_rows, options.steps, options.features
    torch.manual_seed(0)
    kernel = PersistentLSTM(F, hidden, backend="persistent", operands=operands).to(device)
    plain = nn.LSTM(F, hidden, batch_first=True).to(device)
    plain.load_state_dict(kernel.state_dict())
    exact = nn.LSTM(F, hidden, batch_first=True).to(device)
    exact.load_state_dict(kernel.state_dict())
    exact.double()
    inputs = torch.randn(B, T, F, device=device)
    state = (0.5 * torch.randn(1, B, hidden, device=device), torch.randn(1, B, hidden, device=device))
    mixture = [torch.randn(shape, device=device) for shape in ((B, T, hidden), (1, B, hidden), (1, B, hidden))]
    expected = run_all(exact, inputs.double(), [part.double() for part in state], [one.double() for one in mixture])
    row: dict[str, Any] = {"hidden_size": hidden, "operands": operands}
    for name, module in (("kernel", kernel), ("torch", plain)):
        found = run_all(module, inputs, list(state), mixture)
        row[f"{name}_values"] = max(
            float((one - other).abs().max()) for one, other in zip(found[0], expected[0], strict=True)
        )
        row[f"{name}_gradients"] = max(
            float((one - other).abs().max() / other.abs().max())
            for one, other in zip(found[1], expected[1], strict=True)
        )
    values, gradients = TOLERANCE[operands]
    row["equal"] = row["kernel_values"] <= values and row["kernel_gradients"] <= gradients
    return row


def run_all(
    core: nn.Module, inputs: Tensor, state: list[Tensor], mixture: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and states, and the gradients of one sum of them by inputs, state and parameters."""
    leaves = [one.clone().requires_grad_() for one in (inputs, *state)]
    outputs, last = core(leaves[0], (leaves[1], leaves[2]))
    results = [outputs, *last]
    total = torch.stack([(one * other).sum() for one, other in zip(results, mixture, strict=True)]).sum()
    return [one.detach() for one in results], list(torch.autograd.grad(total, [*leaves, *core.parameters()]))


# Time -----------------------------------------------------------------------------------------------------------------


def time_case(hidden: int, rows: int, options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """cuDNN in float32 (its tf32 as torch is set), cuDNN in half, and the kernel with each kind of operands."""
    T, F = options.steps, options.features
    plain = nn.LSTM(F, hidden, batch_first=True).to(device)
    cores: dict[str, nn.Module] = {"cudnn": plain, "cudnn half": nn.LSTM(F, hidden, batch_first=True).to(device).half()}
    for operands in options.operands:
        if hidden <= LARGEST_HIDDEN[operands]:
            cores[operands] = PersistentLSTM(F, hidden, backend="persistent", operands=operands).to(device)
    inputs = torch.randn(rows, T, F, device=device)
    gradient = torch.randn(rows, T, hidden, device=device)

    def forward(core: nn.Module) -> Callable[[], Any]:
        kind = next(core.parameters()).dtype
        given = inputs.to(kind)

        @torch.no_grad()
        def run() -> None:
            core(given)

        return run

    def both(core: nn.Module) -> Callable[[], Any]:
        kind = next(core.parameters()).dtype
        given, back = inputs.to(kind), gradient.to(kind)
        return lambda: torch.autograd.grad(core(given)[0], list(core.parameters()), back)

    return {
        "hidden_size": hidden,
        "rows": rows,
        "forward": alternate({name: forward(core) for name, core in cores.items()}, T, options.repeats),
        "both": alternate({name: both(core) for name, core in cores.items()}, T, options.repeats),
    }


def alternate(functions: dict[str, Callable[[], Any]], steps: int, repeats: int) -> Timing:
    """Microseconds a step of each, one after the other in every repeat, after three runs to warm up."""
    times: Timing = {name: [] for name in functions}
    for turn in range(-3, repeats):
        for name, function in functions.items():
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            function()
            end.record()
            torch.cuda.synchronize()
            if turn >= 0:
                times[name].append(1000 * begin.elapsed_time(end) / steps)
    return times


# What is written ------------------------------------------------------------------------------------------------------


def measurements(card: str, equality: list[dict[str, Any]], timings: list[dict[str, Any]]) -> list[Measurement]:
    """The entries for backend="auto": every case that was both checked and timed."""
    checked = {(row["hidden_size"], row["operands"]): row for row in equality if "failed" not in row}
    found = []
    for timing in timings:
        if "failed" in timing:
            continue
        forward, both = summary(timing["forward"]), summary(timing["both"])
        for operands in LARGEST_HIDDEN:
            row = checked.get((timing["hidden_size"], operands))
            if row is None or operands not in forward:
                continue
            found.append(
                Measurement(
                    device=card,
                    hidden_size=timing["hidden_size"],
                    rows=timing["rows"],
                    operands=operands,
                    torch_forward=forward["cudnn"],
                    torch_both=both["cudnn"],
                    kernel_forward=forward[operands],
                    kernel_both=both[operands],
                    values=row["kernel_values"],
                    gradients=row["kernel_gradients"],
                )
            )
    return found


def summary(value: Any) -> Any:
    """The same with every list of times as its median."""
    if isinstance(value, dict):
        return {name: summary(part) for name, part in value.items()}
    is_times = isinstance(value, list) and bool(value) and all(isinstance(one, float) for one in value)
    return round(statistics.median(value), 4) if is_times else value


def equality_table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    header = ["hidden", "operands", "values", "gradients", "torch fp32: values", "gradients", "equal"]
    return header, [
        [str(row["case"]), "", "", "", "", "", row["failed"]]
        if "failed" in row
        else [
            str(row["hidden_size"]),
            row["operands"],
            *(f"{row[name]:.1e}" for name in ("kernel_values", "kernel_gradients", "torch_values", "torch_gradients")),
            "yes" if row["equal"] else "NO",
        ]
        for row in rows
    ]


def time_table(rows: list[dict[str, Any]], what: str, names: Sequence[str]) -> str:
    """Median and, after it, the range of the middle half, in microseconds a step."""
    body = []
    for row in rows:
        if "failed" in row:
            body.append([str(row["case"]), row["failed"], *[""] * (len(names) - 1)])
            continue
        cells = []
        for name in names:
            times = row[what].get(name)
            quarters = None if times is None else statistics.quantiles(times, n=4)
            cells.append("–" if quarters is None else f"{quarters[1]:.2f} ({quarters[0]:.2f}–{quarters[2]:.2f})")
        body.append([f"{row['hidden_size']}, {row['rows']} rows", *cells])
    return markdown_table(["hidden_size", *names], body)


def markdown(
    card: str,
    environment: dict[str, Any],
    options: argparse.Namespace,
    equality: list[dict[str, Any]],
    timings: list[dict[str, Any]],
) -> str:
    names = ["cudnn", "cudnn half", *options.operands]
    return "\n\n".join(
        [
            f"# The LSTM kernel on {card}",
            f"torch {torch.__version__}, Triton {environment['triton']}, cuDNN {environment['cudnn']}, "
            f"commit {environment['commit']}; {options.steps} steps of {options.features} features, "
            f"{options.repeats} repeats.",
            "Greatest difference from float64 (gradients as a share of the largest):",
            markdown_table(*equality_table(equality)),
            "Microseconds a step, median (middle half), forward without gradient:",
            time_table(timings, "forward", names),
            "Forward and backward:",
            time_table(timings, "both", names),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
