"""The demonstration: what a person would type, typed, and the pictures of what comes.

A long task is learned from raw steps by the recipe `modern`; the same with each auxiliary loss, for as many steps; the
memory of a training step against the length; a stream that answers while its sequence still runs. Runs lie in folders
like any other: finished ones are left as they are, stopped ones go on.
"""

from __future__ import annotations

import csv
import io
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_given
from auxrnn.experiments.sensors import Recordings, SensorTask, make_sensors, sensors_file
from auxrnn.experiments.step_memory import Case, step_peaks
from auxrnn.report.figures import Point, draw_curves, draw_lines, draw_points
from auxrnn.report.statistics import apart, spread
from auxrnn.report.tables import markdown_table, text_table
from auxrnn.runs.folder import FREE, RunFolder, points, read_config, read_curve
from auxrnn.runs.live import Request, follow_sequence
from auxrnn.runs.run import resume_run, start_run
from auxrnn.storage.files import write_atomically
from auxrnn.use.opening import open_model

MODELS = ("lstm", "p-lstm", "r-lstm")
TASK = SensorTask()
EPOCHS = 6
STRIDE = 8  # half the default here, so that answers of the stream follow the event closely
LENGTHS = {"windows": (1_000, 10_000, 100_000), "full": (1_000, 10_000, 100_000)}
EVERY = 100  # steps between two answers of the stream
SURE = 0.9  # probability from which an answer counts

Results = dict[str, list[dict[str, Any]]]
"""The result of each seed, by model."""


def run_demo(out: Path, seeds: int) -> Results:
    """Train what is not trained yet, write tables and pictures into `out`, and return the results."""
    started = time.monotonic()
    train, test = make_sensors(TASK)
    data = out / "sensors.npz"
    _write_once(data, sensors_file(train, test))
    print(
        f"{data}: {TASK.train} recordings to train, {TASK.test} to test, {TASK.steps:,} steps of {TASK.channels} "
        f"channels each.\nOf these {TASK.event} steps, somewhere between steps {TASK.first} and {TASK.last}, decide "
        "the class; all else is noise."
    )
    results = {model: [_trained(out, data, model, seed) for seed in range(seeds)] for model in MODELS}
    parts = {"Learning": _compared(results), "Memory": _memory(out), "A stream": _streamed(out, test)}
    curves = {model: [points(read_curve(_folder(out, model, seed))) for seed in range(seeds)] for model in MODELS}
    title = f"{TASK.steps:,} raw steps, {TASK.train} sequences"
    draw_curves(curves, title=title, xlabel="epoch").save(out / "learning.png")
    text = f"# A demonstration, {seeds} seed{'s' * (seeds > 1)}\n"
    text += "".join(f"\n## {head}\n\n{part}\n" for head, part in parts.items())
    write_atomically(out / "table.md", lambda aside: aside.write_text(text, encoding="utf-8"))
    pictures = ", ".join(str(path) for path in sorted(out.glob("*.png")))
    print(f"\nPictures: {pictures}. Tables: {out / 'table.md'}. Took {time.monotonic() - started:.0f} s.")
    return results


def _write_once(path: Path, content: bytes) -> None:
    """Write a file where there is none; InputError where another is there."""
    if path.parent.is_file():
        raise InputError(f"{path.parent}: expected a folder, found a file; choose another --out.")
    if path.exists():
        if path.read_bytes() != content:
            raise InputError(
                f"{path}: expected what this demonstration makes, found another file; choose another --out."
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda aside: aside.write_bytes(content))


def _folder(out: Path, model: str, seed: int) -> RunFolder:
    return RunFolder(out / (f"{model}-{seed}" if seed else model))


def _trained(out: Path, data: Path, model: str, seed: int) -> dict[str, Any]:
    """The result of `auxrnn train`; of a finished run as it stands, of a stopped one after it has gone on."""
    folder = _folder(out, model, seed)
    words = [str(data), "--stride", str(STRIDE), "--max_epochs", str(EPOCHS)]
    words += ["--model", model] if model != MODELS[0] else []
    words += ["--seed", str(seed)] if seed else []
    words += ["--out", str(folder.path)]
    config, given = parse_given(words)
    if not folder.config.exists():
        _tell("train", *words)
        return start_run(config, given=given)
    found = read_config(folder)
    said = {name: getattr(config, name) for name in given}
    changes = [name for name, value in said.items() if name not in FREE and getattr(found, name) != value]
    if changes:
        raise InputError(
            f"{folder.path}: expected a run of this demonstration, found one with another {', '.join(changes)}; "
            "choose another --out."
        )
    _tell("resume", folder.path)
    return resume_run(folder.path)


def _tell(*words: object) -> None:
    print(f"\n$ {shlex.join(['auxrnn', *map(str, words)])}", flush=True)


def _shown(header: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]) -> str:
    """Print a table and what follows from it; the same as Markdown."""
    print(f"\n{text_table(header, rows)}\n")
    print("\n".join(lines), flush=True)
    return "\n".join([markdown_table(header, rows), "", *lines])


# What the auxiliary losses add ----------------------------------------------------------------------------------------


def _compared(results: Results) -> str:
    """Accuracy and cost of each model, and what each auxiliary loss adds to them."""
    accuracy = {model: spread([found["test_accuracy"] for found in own]) for model, own in results.items()}
    seconds = {model: spread([found["seconds"] for found in own]).mean for model, own in results.items()}
    rows = [
        [
            model,
            str(accuracy[model]),
            str(spread([found["validation_accuracy"] for found in own])),
            f"{seconds[model]:.0f}",
        ]
        for model, own in results.items()
    ]
    base, *others = results
    lines = []
    for model in others:
        separate = apart(accuracy[model], accuracy[base])
        chance = {None: "one seed, so it may be chance", True: "intervals apart", False: "intervals touch"}[separate]
        points = 100 * (accuracy[model].mean - accuracy[base].mean)
        cost = seconds[model] / seconds[base] if seconds[base] else float("nan")
        lines.append(
            f"The auxiliary loss of {model} adds {points:+.1f} points of test accuracy ({chance}) "
            f"and takes {cost:.1f} times the time by the clock."
        )
    return _shown(["model", "test accuracy, %", "validation, %", "seconds by the clock"], rows, lines)


# Memory ---------------------------------------------------------------------------------------------------------------


def _memory(out: Path) -> str:
    """The peak of a training step against the length, where it can be measured."""
    saved = open_model(_folder(out, MODELS[0], 0).path)
    config = read_config(_folder(out, MODELS[0], 0))
    case = Case(config.model_config(), saved.spec, len(saved.classes), config.batch_size, TASK.steps)
    print("\nPeak memory of a training step, each in a process of its own:", flush=True)
    try:
        peaks = step_peaks(case, LENGTHS, print)
    except InputError as error:
        line = f"Memory is not measured. {error}"
        print(line)
        return line
    if not peaks:
        return "Memory is not measured: no step came to its end."
    names = {"windows": f"gradient in windows of {config.bptt} tokens", "full": "full back-propagation"}
    lines = {names[name]: points for name, points in peaks.items()}
    draw_lines(lines, title="Peak memory of a training step", xlabel="raw steps", ylabel="MiB").save(out / "memory.png")
    found = {name: dict(points) for name, points in lines.items()}
    rows = [
        [f"{steps:,}", *(f"{own[steps]:,.0f}" if steps in own else "-" for own in found.values())]
        for steps in sorted({steps for own in found.values() for steps in own})
    ]
    return _shown(["raw steps", *(f"MiB, {name}" for name in found)], rows, [])


# A stream -------------------------------------------------------------------------------------------------------------


def _streamed(out: Path, test: Recordings) -> str:
    """The test recording with the latest event through `auxrnn stream`, and when its answer stands."""
    chosen = int(np.argmax(test.starts))
    folder, recording, answers = _folder(out, MODELS[0], 0).path, out / "recording.csv", out / "answers.csv"
    sequence, label, start = test.inputs[chosen], str(test.labels[chosen]), int(test.starts[chosen])
    write_atomically(recording, lambda aside: _write_csv(aside, sequence))
    _tell("stream", folder, recording, "--every", EVERY)
    said = io.StringIO()
    follow_sequence(open_model(folder), Request(recording, EVERY), io.BytesIO(), said)
    write_atomically(answers, lambda aside: aside.write_text(said.getvalue(), encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO(said.getvalue())))
    shares = {
        name[2:-1]: [(int(row["step"]), float(row[name])) for row in rows] for name in rows[0] if name.startswith("p(")
    }
    end = start + TASK.event
    draw_points(
        {name: [Point(step, share) for step, share in points] for name, points in shares.items()},
        title=f"A stream of class {label}, answered every {EVERY} steps",
        xlabel="raw steps read",
        ylabel="probability",
        span={"the event": (start, end)},
    ).save(out / "stream.png")
    lines = [_stands(shares, label, end), *_guessed(shares, start)]
    print("\n".join(lines), flush=True)
    return "\n".join(lines)


def _write_csv(path: Path, sequence: npt.NDArray[np.float32]) -> None:
    np.savetxt(path, sequence, fmt="%.9g", delimiter=",")


def _stands(shares: Mapping[str, Sequence[tuple[int, float]]], label: str, end: int) -> str:
    """From which step on the true class has a probability of at least SURE, to the end."""
    last = None
    for step, share in reversed(shares[label]):
        if share < SURE:
            break
        last = step
    event = f"the event ends at step {end:,} of {TASK.steps:,}"
    if last is None:
        return f"The answer {label} does not stand with {SURE:.0%} at the end; {event}."
    return f"The answer {label} stands with at least {SURE:.0%} from step {last:,} on; {event}."


def _guessed(shares: Mapping[str, Sequence[tuple[int, float]]], start: int) -> list[str]:
    """How sure the stream was while there was nothing to know."""
    before = [(share, name, step) for name, points in shares.items() for step, share in points if step <= start]
    if not before:
        return []
    share, name, step = max(before)
    return [
        f"Before the event there is nothing to know; it says {name} with {share:.0%} at step {step:,} all the same."
    ]
