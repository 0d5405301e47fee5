"""What a user would pick instead, measured: accuracy, CPU seconds, memory, on sets of several kinds.

    sed 's/^numpy.*/numpy==2.3.5/' constraints.txt > peers.txt
    pip install -c peers.txt -e '.[peers]'    # in an environment of its own: aeon 1.6 needs numpy below 2.4
    python benchmarks/peers.py --fsdd recordings --out results/peers.jsonl
    python benchmarks/peers.py --out results/peers.jsonl --table

Without aeon its models and sets are left out. Every measurement is a process of its own, on one thread, and a line of
OUT; the models take turns on each set. Recorded ones are skipped, so the script may be ended and called again at will;
those that were stopped at a limit are tried again at a higher one. The tables go into the page beside OUT, with its
ending .md, between two marks there. Data sets are in `peer_data.py`, models in `peer_models.py`, tables in
`peer_table.py`.

A measurement loads data and libraries and fits a few short sequences first, so that importing and compiling count as
"start" and not as fit. Peak memory is the process's beyond what it held then, data included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import write_tables
from peer_data import SENSORS, UCR, Split, sets
from peer_models import MODELS, OF_AEON, PUSH, Ours
from peer_table import tables

from auxrnn.errors import did_you_mean
from auxrnn.experiments.own_process import Cost, free_memory, measured
from auxrnn.runs.environment import describe_environment, installed_version
from auxrnn.storage.files import write_atomically

THREADS = ("OMP", "NUMBA", "OPENBLAS", "MKL")
FORKED = get_context("forkserver")
"""Processes that share what one of them has imported, and nothing else."""

OF_TRAINING = 0.9
"""The share of the limit that a plain network trains for."""

STREAMED = 0.5
"""CPU seconds of a stream that is timed: under a limit on CPU time the clock goes by the kernel's ticks of 4 ms."""


def main() -> int:
    options = parse()
    if not options.table:
        os.environ.update({f"{library}_NUM_THREADS": "1" for library in THREADS})
        FORKED.set_forkserver_preload(["peer_models", "auxrnn.training.loop", *["aeon.classification"] * options.aeon])
        records = read(options.out)
        for name in planned(options):
            if due(records.get(name), options):
                records[name] = in_own_process(name, options)
                text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records.values())
                write_atomically(options.out, lambda aside, text=text: aside.write_text(text, encoding="utf-8"))
                print(f"{name}: {records[name].get('stopped') or records[name]['result']}", flush=True)
    page = options.out.with_suffix(".md")
    write_tables(page, "benchmarks/peers.py", tables(list(read(options.out).values())))
    print(f"Tables in {page}.")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the record, lines of JSON")
    parser.add_argument("--fsdd", type=Path, help="the folder of recordings; without it that set is left out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument(
        "--sets", nargs="+", metavar="SET", help=f"some of: {'; '.join((*UCR, *SENSORS))}; spoken digits"
    )
    parser.add_argument("--models", nargs="+", metavar="MODEL", help=f"some of: {'; '.join(MODELS)}")
    parser.add_argument("--limit", type=float, default=600.0, help="CPU seconds of a fit, and of predicting (600)")
    parser.add_argument("--memory", type=float, help="GiB that a measurement may take (0.6 of what is free)")
    parser.add_argument("--table", action="store_true", help="no measurement: the tables of what is there")
    parser.add_argument("--smoke", action="store_true", help="tiny sensor jobs, to see that it works")
    parser.add_argument(
        "--measure", metavar="SET/MODEL/seed-N", help="one measurement in this process, printed as JSON"
    )
    options = parser.parse_args()
    if options.fsdd is not None and not any(options.fsdd.glob("*_*_*.wav")):
        parser.error(f"Expected --fsdd to be a folder of DIGIT_SPEAKER_INDEX.wav, found none in {options.fsdd}.")
    if options.limit <= 0 or (options.memory or 1) <= 0:
        parser.error("Expected --limit and --memory above 0.")
    options.aeon = find_spec("aeon") is not None
    if not (options.aeon or options.table):
        print(
            "aeon is not installed, so its models and sets are left out: pip install 'auxrnn[peers]'", file=sys.stderr
        )
    options.made = sets(options.fsdd, aeon=options.aeon, smoke=options.smoke)
    there = {"sets": list(options.made), "models": [name for name in MODELS if options.aeon or name not in OF_AEON]}
    for kind, names in there.items():
        for word in getattr(options, kind) or ():
            if word not in names:
                parser.error(f"Expected {kind} among {'; '.join(names)}; got {word!r}.{did_you_mean(word, names)}")
        setattr(options, kind, [name for name in names if name in (getattr(options, kind) or names)])
    return options


def planned(options: argparse.Namespace) -> Iterator[str]:
    for seed in options.seeds:
        for own in options.sets:
            for model in options.models:
                yield f"{own}/{model}/seed-{seed}"


def due(record: dict[str, Any] | None, options: argparse.Namespace) -> bool:
    """Whether a measurement is to be made: it is not there, or ended at a lower limit."""
    return record is None or ("stopped" in record and record["limit"] < options.limit)


def read(file: Path) -> dict[str, dict[str, Any]]:
    """The record by name of the measurement."""
    if not file.exists():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {record["run"]: record for record in map(json.loads, lines)}


def in_own_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The record of one measurement; why it "stopped" in place of its result where it did not come to its end."""
    ours, theirs = FORKED.Pipe(duplex=False)
    process = FORKED.Process(target=serve, args=(name, options, theirs), daemon=True)
    began = time.perf_counter()
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        process.join()
        overtime = process.exitcode == -signal.SIGXCPU
        limit = f"took more than {options.limit:,.0f} s of CPU time"
        found = {"stopped": limit if overtime else "ended by the operating system, out of memory"}
    process.join()
    environment = describe_environment()
    environment["threads"] = 1
    environment["packages"] |= {package: installed_version(package) for package in ("aeon", "numba")}
    taken = {"limit": options.limit, "wall_seconds": round(time.perf_counter() - began, 1)}
    return {"run": name, **taken, **found, "environment": environment}


def serve(name: str, options: argparse.Namespace, parent: Connection) -> None:
    """In a process of its own: measure, and send what was found."""
    try:
        parent.send(measure(name, options))
    except Exception as error:  # of whatever library; the others go on
        parent.send({"stopped": why(error)})


def why(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    scarce = isinstance(error, MemoryError) or any(word in text.lower() for word in ("memory", "alloc"))
    return f"out of memory: {text}" if scarce else f"{type(error).__name__}: {text}"


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One measurement in this process: what a record holds."""
    own, kind, seed_of = name.split("/")
    seed = int(seed_of.removeprefix("seed-"))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the models' advice to their users
    split = options.made[own](seed)
    facts = split.facts()
    began = time.process_time()
    warm_up(kind, facts["channels"])
    if kind in OF_AEON:
        split = split.channels_first()
    start = time.process_time() - began
    limit_memory(options)
    model = MODELS[kind](seed, None if options.smoke else OF_TRAINING * options.limit)
    answers: list[Any] = []
    fit = limited(lambda: model.fit(split.X, split.y), options.limit)
    predict = limited(lambda: answers.append(model.predict(split.X_test)), options.limit)
    found = {
        "accuracy": round(float(np.mean(answers[0] == split.y_test)), 4),
        "fit_seconds": round(fit.processor, 3),
        "predict_seconds": round(predict.processor, 3),
        "start_seconds": round(start, 2),
        "fit_mib": mib(fit),
        "predict_mib": mib(predict),
    }
    longest = max(split.X_test, key=len)
    try:
        found["answer_mib"] = mib(limited(lambda: model.answer(longest), options.limit))
        if isinstance(model, Ours):
            found |= streamed(model, longest)
    except Exception as error:  # the rest is measured all the same
        found["answer_stopped"] = why(error)
    return {"data": facts, "settings": model.settings, "result": found}


def warm_up(kind: str, channels: int) -> None:
    """Load what a model needs and let it compile, on a few short sequences."""
    X = np.random.default_rng(0).standard_normal((12, 40, channels), dtype=np.float32)
    y = np.arange(12) % 2
    few = Split(X, y, X[:2], y[:2])
    if kind in OF_AEON:
        few = few.channels_first()
    model = MODELS[kind](0, None)
    model.fit(few.X, few.y)
    model.predict(few.X_test)


def limit_memory(options: argparse.Namespace) -> None:
    """The operating system's limit on this process's data, so that no other is driven out."""
    if sys.platform.startswith("linux"):
        more = int(options.memory * 2**30 if options.memory else 0.6 * free_memory())
        status = Path("/proc/self/status").read_text(encoding="ascii")
        held = 1024 * int(status.split("VmData:", 1)[1].split()[0])
        resource.setrlimit(resource.RLIMIT_DATA, (held + more, resource.RLIM_INFINITY))


def limited(work: Callable[[], object], seconds: float) -> Cost:
    """Do the work; the operating system ends this process after so many seconds of CPU time."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, resource.RLIM_INFINITY))
    return measured(work)


def mib(cost: Cost) -> float:
    assert cost.peak is not None
    return round(cost.peak / 2**20, 2)


def streamed(model: Ours, sequence: Any) -> dict[str, Any]:
    """How far a stream's answer is from that on the whole sequence, and what a step costs where it comes over and over.

    PUSH steps at a time, an answer each.
    """
    chunks = [sequence[start : start + PUSH] for start in range(0, len(sequence), PUSH)]
    stream = model.model.stream()
    for chunk in chunks:
        found = stream.push(chunk)
    apart = float(np.abs(found - model.model.predict_proba(sequence[None])).max())
    before, began = stream.steps, time.process_time()
    while time.process_time() - began < STREAMED:
        for chunk in chunks:
            stream.push(chunk)
    micro = 1e6 * (time.process_time() - began) / (stream.steps - before)
    return {"stream_microseconds_a_step": round(micro, 2), "stream_apart": apart}


if __name__ == "__main__":
    sys.exit(main())
