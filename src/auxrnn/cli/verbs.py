"""What each verb does with its options: a call of the library, and its messages. Heavy libraries load inside."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from auxrnn.cli.parsing import BAD_USE, FAILED, Parser, positive, take_watch
from auxrnn.errors import InputError
from auxrnn.sources.presets import PRESETS


def train(arguments: list[str]) -> int:
    from auxrnn.experiments.arguments import parse_given

    watch, words = take_watch(arguments)
    config, given = parse_given(words)

    from auxrnn.runs.datasets import run_name

    folder = Path(config.out or run_name(config))

    def work() -> None:
        from auxrnn.runs.run import start_run

        _watched(partial(start_run, config, given=given), config, folder, watch)

    return _completed(work, folder)


def tune(arguments: list[str]) -> int:
    own = Parser(
        prog="auxrnn tune",
        usage="auxrnn tune DATA --trials N [--study FILE] [options of auxrnn train]",
        description="Search for settings on validation data and print the best as YAML, for auxrnn train --config.",
        allow_abbrev=False,
    )
    own.add_argument("--trials", type=positive, required=True, help="finished trials that the study shall hold")
    own.add_argument("--study", help="file of the study, to go on with it or share it between processes")
    options, others = own.parse_known_args(arguments)

    from auxrnn.experiments.arguments import parse_given

    config, given = parse_given(others)

    from auxrnn.experiments.tune import as_yaml, tune

    try:
        best = tune(config, options.trials, options.study and Path(options.study), given=given)
    except KeyboardInterrupt:
        kept = (
            f"finished trials are in {options.study}, the same command goes on" if options.study else "nothing is kept"
        )
        raise KeyboardInterrupt(f"interrupted; {kept}") from None
    print(as_yaml(best), end="")
    return 0


def baseline(arguments: list[str]) -> int:
    own = Parser(
        prog="auxrnn baseline",
        usage="auxrnn baseline DATA [options of auxrnn train]",
        description="Train what costs about a second on the data of a run, split as the run does, and print how well "
        "it does: the scores that a trained network must beat. --config RUN/config.yaml takes the data of a run. "
        "MiniRocket too, where aeon is installed (extra: peers).",
        allow_abbrev=False,
    )
    _, others = own.parse_known_args(arguments)

    from auxrnn.experiments.arguments import parse_given

    config, _ = parse_given(others)

    from auxrnn.experiments.baseline import print_floors

    print_floors(config)
    return 0


def resume(options: argparse.Namespace) -> int:
    def work() -> None:
        from auxrnn.runs.folder import RunFolder, read_config
        from auxrnn.runs.run import resume_run

        run = Path(options.run)
        _watched(partial(resume_run, run), read_config(RunFolder(run)), run, options.watch)

    return _completed(work, Path(options.run))


def _watched(work: Callable[..., object], config: Any, folder: Path, port: int | None) -> None:
    """Train, beside a page of the run at `port` unless that is None."""
    if port is None:
        work()
        return
    from auxrnn.experiments.live_page import show_while

    show_while(work, config, folder, port)


def _completed(work: Callable[[], object], run: Path | None = None) -> int:
    """Train; say how to go on where it stops. run: the folder, where it is one run that is made."""
    from auxrnn.runs.run import how_to_go_on
    from auxrnn.runs.stopped import StoppedRunError, UnwritableRunError

    try:
        work()
    except KeyboardInterrupt:
        if run is None:
            raise KeyboardInterrupt("interrupted; the same command goes on") from None
        raise KeyboardInterrupt(f"interrupted; {how_to_go_on(run)}") from None
    except StoppedRunError as error:
        print(f"auxrnn: {error}", file=sys.stderr)
        return BAD_USE if isinstance(error, UnwritableRunError) else FAILED
    return 0


def demo(options: argparse.Namespace) -> int:
    from auxrnn.experiments.demo import run_demo

    return _completed(lambda: run_demo(Path(options.out), options.seeds))


def reproduce(options: argparse.Namespace) -> int:
    from auxrnn.experiments.reproduce import Request, reproduce

    request = Request(
        options.experiment,
        options.scale,
        options.seeds,
        out=options.out and Path(options.out),
        data_dir=options.data_dir,
        tasks=tuple(options.task),
        arms=tuple(options.arm),
        workers=options.workers,
        ray=options.ray,
        retry_failed=options.retry_failed,
        page_only=options.page_only,
    )
    return _completed(lambda: reproduce(request))


def evaluate(options: argparse.Namespace) -> int:
    from auxrnn.runs.use import evaluate

    found = evaluate(Path(options.run), options.data, options.data_dir, early=options.early)
    for name, value in found.items():
        if name not in ("verdict", "early"):
            print(f"{name:<13} {value}")
    for share, score in found.get("early", {}).items():
        print(f"{'read ' + format(share, '.0%'):<13} {score:.6g}")
    for line in found["verdict"]:
        print(line)
    return 0


def diagnose(options: argparse.Namespace) -> int:
    from auxrnn.experiments.diagnosis import diagnose

    for line in diagnose(Path(options.run), options.data_dir):
        print(line)
    return 0


def predict(options: argparse.Namespace) -> int:
    from auxrnn.experiments.arguments import said_of_reading
    from auxrnn.runs.use import predict_file, write_predictions

    answers = predict_file(Path(options.run), Path(options.file), said_of_reading(options))
    write_predictions(answers, options.format, sys.stdout)
    return 0


def stream(options: argparse.Namespace) -> int:
    from auxrnn.runs.live import Request, follow_sequence
    from auxrnn.use.opening import open_model

    request = Request(
        options.file and Path(options.file),
        options.every,
        options.format,
        follow=options.follow,
        state=options.state and Path(options.state),
        binary=options.binary,
    )
    try:
        follow_sequence(open_model(Path(options.run)), request, sys.stdin.buffer, sys.stdout)
    except KeyboardInterrupt:
        kept = (
            f"; {request.state} holds where it stands, the same command goes on"
            if request.state and request.state.exists()
            else ""
        )
        raise KeyboardInterrupt(f"interrupted{kept}") from None
    return 0


def export(options: argparse.Namespace) -> int:
    from auxrnn.runs.datasets import source_of
    from auxrnn.use.export.files import export_model
    from auxrnn.use.export.web import export_web
    from auxrnn.use.opening import open_model

    if options.runtime and options.format != "web":
        raise InputError("Expected --format web with --runtime, which is for pages; leave it out.")
    saved = open_model(Path(options.run))
    folder = Path(options.out or Path(options.run) / options.format)
    if options.format == "web":
        exported = export_web(saved, folder, options.runtime and Path(options.runtime), source_of(saved.facts))
    else:
        exported = export_model(saved, folder)
    for path in exported.files:
        print(path)
    print(f"largest difference from the model on random input: {exported.difference:.2g}")
    if options.format == "web":
        print(f"open it with: python -m http.server --bind 127.0.0.1 --directory {folder}")
    return 0


def serve(options: argparse.Namespace) -> int:
    from auxrnn.runs.service import Limits, Service, check_installed
    from auxrnn.use.opening import open_model

    check_installed()
    run = Path(options.run)
    service = Service(open_model(run), Limits(options.streams, options.idle, options.body))
    page = run / "web"

    from auxrnn.runs.http import serve_model

    serve_model(
        service,
        options.host,
        options.port,
        page if (page / "index.html").is_file() else None,
        partial(print, flush=True),
    )
    return 0


def record(options: argparse.Namespace) -> int:
    from auxrnn.experiments.grids.records import keep_runs

    for line in keep_runs([Path(folder) for folder in options.folder], Path(options.out)):
        print(line)
    return 0


def report(options: argparse.Namespace) -> int:
    from auxrnn.experiments.run_report import report_runs

    runs, out = [Path(run) for run in options.run], options.out and Path(options.out)
    report_runs(runs, out, options.data_dir, quick=options.quick)
    return 0


def data(options: argparse.Namespace) -> int:
    if options.action == "list":
        for preset in PRESETS.values():
            size = f"{preset.train:>7,} + {preset.test:>6,}  {preset.steps:>6,} steps  {preset.classes:>3} classes"
            print(f"{preset.name:<13} {size}  {preset.description}")
        return 0
    if options.action == "import":
        return _import(options)
    from auxrnn.sources.presets import path_of
    from auxrnn.sources.published import fetch_files, verify

    if options.name is None:
        raise InputError(f"Expected a data set to {options.action}, got none; choose from {', '.join(PRESETS)}.")
    path = path_of(options.name)
    if options.action in ("verify", "show") and path is not None:
        return _verify_files(path, options) if options.action == "verify" else _show_files(path, options)
    if options.action == "fetch":
        for path in fetch_files(options.name, options.data_dir):
            print(path)
        return 0
    if options.action == "show":
        from auxrnn.experiments.samples import show_samples

        out = Path(options.out or f"{options.name}.png")
        show_samples(options.name, out, options.data_dir, options.count)
        print(out)
        return 0
    checks = verify(options.name, options.data_dir)
    for check in checks:
        count = f"{check.count:,} items  " if check.count else ""
        print(f"{check.state:<10} {check.name}  {count}{check.message}")
        if check.per_class:
            print(f"{'':<10} per class: {' '.join(map(str, check.per_class))}")
    return 0 if all(check.state == "ok" for check in checks) else FAILED


def _verify_files(path: Path, options: argparse.Namespace) -> int:
    """Read all of a person's own files or imported set, and say what is there."""
    from auxrnn.experiments.arguments import reading_of
    from auxrnn.sources.loading import verify_files

    for line in verify_files(path, reading_of(options)):
        print(line)
    return 0


def _show_files(path: Path, options: argparse.Namespace) -> int:
    from auxrnn.experiments.arguments import reading_of
    from auxrnn.experiments.samples import show_files

    out = Path(options.out or f"{path.resolve().stem}.png")
    show_files(path, out, reading_of(options), options.count)
    print(out)
    return 0


def _import(options: argparse.Namespace) -> int:
    from auxrnn.experiments.arguments import reading_of
    from auxrnn.sources.findings import describe_findings
    from auxrnn.sources.importing import import_source

    if not options.name or not options.out:
        raise InputError("Expected auxrnn data import PATH --out SET, the files to read and the folder to write.")
    for line in describe_findings(import_source(Path(options.name), Path(options.out), reading_of(options))):
        print(line)
    print(f"Stored in {options.out}; train with: auxrnn train {options.out}")
    return 0


def doctor(options: argparse.Namespace) -> int:
    from auxrnn.experiments.doctor import examine

    for line in examine(options.data_dir):
        print(line)
    return 0


def completion(options: argparse.Namespace) -> int:
    from auxrnn.cli.completion import script

    print(script(options.commands, options.shell))
    return 0
