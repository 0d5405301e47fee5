"""The command line: parsing and messages only. Heavy libraries load when a verb has been understood.

Exit codes: 0, 1 (the run failed or was interrupted), 2 (bad use: a missing file, a wrong value, a misspelt option).
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from auxrnn.data.presets import PRESETS
from auxrnn.errors import InputError, did_you_mean
from auxrnn.experiments.catalogue import EXPERIMENTS
from auxrnn.experiments.scales import SCALES
from auxrnn.reading import ReadingOptions, option_help

FAILED, BAD_USE = 1, 2
BENCHES = {
    "length": "seconds and peak memory of a training step against the length of the sequence",
    "step": "one r-LSTM training step against the same step in plain PyTorch",
    "prefix": "the pass without gradient against nn.LSTM on projected input",
    "stream": "a step pushed into a stream against one bare call of nn.LSTM",
    "limit": "the machine's own limits, and the share of them that each bench's cases reach",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = _with_underscores(sys.argv[1:] if arguments is None else arguments)
    log, voice = logging.getLogger("auxrnn"), logging.StreamHandler(sys.stderr)  # downloads and decoding take a while
    log.addHandler(voice)
    log.setLevel(logging.INFO)
    try:
        code = _run(given)
        sys.stdout.flush()  # a closed pipe is found out here, not when Python ends
        return code
    except InputError as error:
        print(f"auxrnn: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        print("auxrnn: interrupted", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # a reader like `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # a full disk, a folder without the right to write
        print(f"auxrnn: {error}", file=sys.stderr)
        return FAILED
    finally:
        log.removeHandler(voice)


def _run(given: list[str]) -> int:
    if given[:1] == ["train"]:  # its many options come from the dataclasses of a run
        return _train(given[1:])
    if given[:1] == ["tune"]:
        return _tune(given[1:])
    parser = _parser()
    options, unknown = parser.parse_known_args(given)
    if unknown:  # told by the parser of the verb, which knows what was meant
        getattr(options, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if "verb" not in options:
        parser.error("the following arguments are required: COMMAND")
    return int(options.verb(options))


class _Parser(argparse.ArgumentParser):
    """Names the nearest right option or command beside a misspelt one."""

    def error(self, message: str) -> NoReturn:
        words = re.findall(r"unrecognized arguments: (\S+)|invalid choice: '([^']*)'", message)
        word = "".join(words[0]).split("=")[0] if words else ""
        choices = self._option_string_actions if word.startswith("-") else self._choices()
        self.exit(BAD_USE, f"{self.prog}: {message}.{did_you_mean(word, choices)} See {self.prog} --help.\n")

    def _choices(self) -> list[str]:
        return [str(choice) for action in self._actions for choice in action.choices or ()]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="auxrnn", description="Recurrent networks on sequences too long to back-propagate through.")
    parser.add_argument("--version", action="version", version=f"auxrnn {_version()}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    def verb(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", allow_abbrev=False)
        made.set_defaults(verb=function, parser=made)
        return made

    demo = verb("demo", _demo, "train LSTM, r-LSTM and p-LSTM on embedded data and show the difference")
    demo.add_argument("--all", action="store_true", help="also LSTM with full back-propagation, and rp-LSTM")
    demo.add_argument("--data", default="digits", choices=("digits", "mnist"), help="default: digits, embedded")
    demo.add_argument("--data_dir", help="folder of the data, for mnist")
    demo.add_argument("--seeds", type=_positive, default=3, help="runs of each model (default: 3)")
    demo.add_argument("--out", default="runs/demo", help="where runs, table and pictures go (default: runs/demo)")

    verb("train", lambda _: _train([]), "train a model: auxrnn train DATA [options]; see auxrnn train --help")
    resume = verb("resume", _resume, "go on with a run that was stopped or killed, exactly")
    resume.add_argument("run", help="a run folder")

    verb("tune", lambda _: _tune([]), "search for settings on validation data: auxrnn tune DATA --trials N [options]")

    evaluate = verb("evaluate", _evaluate, "accuracy of a trained model on a test set")
    evaluate.add_argument("run", help="a run folder or a model folder")
    evaluate.add_argument("--data", help="a data set; the model's own when left out")
    evaluate.add_argument("--data_dir", help="folder of the data")

    predict = verb("predict", _predict, "classes and probabilities for a file of your own")
    predict.add_argument("run", help="a run folder or a model folder")
    predict.add_argument("file", help="PNG, JPEG (extra: image), IDX, NPY or NPZ; TXT or CSV for texts")
    predict.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: csv")

    stream = verb("stream", _stream, "follow one endless sequence: the probabilities so far, at constant memory")
    stream.add_argument("run", help="a run folder or a model folder")
    stream.add_argument("file", nargs="?", help="lines of numbers (CSV), or a text in UTF-8 (default: standard input)")
    stream.add_argument("--every", type=_positive, default=100, help="steps between two answers (default: 100)")
    stream.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: csv")
    stream.add_argument("--follow", action="store_true", help="at the end of the file wait for more")
    stream.add_argument("--state", help="file that keeps where the stream stands; it goes on from there")
    stream.add_argument("--binary", action="store_true", help="raw uint8 pixels or little-endian float32 values")

    export = verb("export", _export, "write a trained model for other programs, checked against it, with an example")
    export.add_argument("run", help="a run folder or a model folder")
    export.add_argument("--format", choices=("onnx", "pt2"), default="onnx", help="default: onnx (extra: export)")
    export.add_argument("--out", help="folder of the files (default: RUN/onnx or RUN/pt2)")

    reproduce = verb("reproduce", _reproduce, "make a table or figure of the paper: its runs, then its page")
    reproduce.add_argument("experiment", choices=tuple(EXPERIMENTS), help="which table or figure")
    reproduce.add_argument("--scale", choices=tuple(SCALES), default="laptop", help="default: laptop")
    reproduce.add_argument("--seeds", type=_positive, help="runs of each arm; the scale's own number when left out")
    reproduce.add_argument("--out", help="folder of the results (default: results/SCALE)")
    reproduce.add_argument("--data_dir", help="folder of the data")
    reproduce.add_argument("--task", action="append", default=[], help="this data set alone; may be repeated")
    reproduce.add_argument("--arm", action="append", default=[], help="this model alone; may be repeated")
    reproduce.add_argument("--workers", type=_positive, help="runs at once (default: one a core, four a GPU)")
    reproduce.add_argument("--ray", metavar="ADDRESS", help="a Ray cluster that does the work; local starts one")
    reproduce.add_argument("--retry_failed", action="store_true", help="make failed runs again")
    reproduce.add_argument("--page_only", action="store_true", help="no training: the page of what is there")

    report = verb("report", _report, "write an HTML page of one or several runs, with figures")
    report.add_argument("run", nargs="+", help="run folders; the first model is what the others are compared with")
    report.add_argument("--out", help="the page (default: report.html in the run's folder; of several, in this folder)")
    report.add_argument("--data_dir", help="folder of the data")

    data = verb("data", _data, "list, fetch, verify and show data sets; import files of your own")
    data.add_argument("action", choices=("list", "fetch", "verify", "show", "import"))
    data.add_argument("name", nargs="?", help=f"one of {', '.join(PRESETS)}; import: a file or folder")
    data.add_argument("--data_dir", help="folder of the data")
    data.add_argument(
        "--out", help="show: the PNG file to draw samples into (default: NAME.png); import: the new folder of the set"
    )
    data.add_argument("--count", type=_positive, default=20, help="show: how many samples (default: 20)")
    reading = data.add_argument_group("import", "how the files are read; the same options as of auxrnn train")
    for item in fields(ReadingOptions):
        kind = type(item.default) if isinstance(item.default, float) else str
        reading.add_argument(f"--{item.name}", type=kind, default=item.default, help=option_help(item.name))

    bench = verb("bench", _bench, "measure speed and memory against other ways to do the same, on this machine")
    benches = bench.add_subparsers(title="benches", metavar="BENCH", parser_class=_Parser, dest="what", required=True)
    for name, text in BENCHES.items():
        made = benches.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", allow_abbrev=False)
        made.set_defaults(parser=made)
        made.add_argument("--out", help="write the figures to this JSON file, pictures beside it")
        made.add_argument("--threads", type=_positive, help="CPU threads (default: torch's own choice; stream: 1)")
        made.add_argument("--smoke", action="store_true", help="tiny sizes, to see that it works")
        if name == "length":
            made.add_argument("--lengths", type=_lengths, help="steps, separated by commas")
            made.add_argument(
                "--memory", type=_positive, help="GiB that a case may take (default: 0.6 of what is free)"
            )
            made.add_argument(
                "--seconds", type=_positive, default=150, help="longest step that is tried (default: 150)"
            )

    doctor = verb("doctor", _doctor, "versions, devices, threads, data folder, missing extras")
    doctor.add_argument("--data_dir", help="folder of the data")
    return parser


def _train(arguments: list[str]) -> int:
    from auxrnn.arguments import parse_given

    config, given = parse_given(arguments)

    def work() -> None:
        from auxrnn.runs.run import start_run

        start_run(config, given=given)

    return _completed(work)


def _tune(arguments: list[str]) -> int:
    own = _Parser(
        prog="auxrnn tune",
        usage="auxrnn tune DATA --trials N [--study FILE] [options of auxrnn train]",
        description="Search for settings on validation data and print the best as YAML, for auxrnn train --config.",
        allow_abbrev=False,
    )
    own.add_argument("--trials", type=_positive, required=True, help="finished trials that the study shall hold")
    own.add_argument("--study", help="file of the study, to go on with it or share it between processes")
    options, others = own.parse_known_args(arguments)

    from auxrnn.arguments import parse_given

    config, given = parse_given(others)

    from auxrnn.experiments.tune import as_yaml, tune

    best = tune(config, options.trials, options.study and Path(options.study), given=given)
    print(as_yaml(best), end="")
    return 0


def _resume(options: argparse.Namespace) -> int:
    def work() -> None:
        from auxrnn.runs.run import resume_run

        resume_run(Path(options.run))

    return _completed(work)


def _completed(work: Callable[[], object]) -> int:
    """Train; say how to go on where it stops."""
    from auxrnn.runs.run import StoppedRunError

    try:
        work()
    except StoppedRunError as error:
        print(f"auxrnn: {error}", file=sys.stderr)
        return FAILED
    return 0


def _demo(options: argparse.Namespace) -> int:
    from auxrnn.experiments.demo import run_demo

    out = Path(options.out)
    return _completed(lambda: run_demo(out, options.data, options.data_dir, options.seeds, everything=options.all))


def _reproduce(options: argparse.Namespace) -> int:
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


def _evaluate(options: argparse.Namespace) -> int:
    from auxrnn.runs.use import evaluate

    for name, value in evaluate(Path(options.run), options.data, options.data_dir).items():
        print(f"{name:<10} {value}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from auxrnn.runs.use import predict_file, write_predictions

    write_predictions(predict_file(Path(options.run), Path(options.file)), options.format, sys.stdout)
    return 0


def _stream(options: argparse.Namespace) -> int:
    from auxrnn.runs.live import Request, follow_sequence
    from auxrnn.runs.use import open_model

    request = Request(
        options.file and Path(options.file),
        options.every,
        options.format,
        follow=options.follow,
        state=options.state and Path(options.state),
        binary=options.binary,
    )
    follow_sequence(open_model(Path(options.run)), request, sys.stdin.buffer, sys.stdout)
    return 0


def _export(options: argparse.Namespace) -> int:
    from auxrnn.export.files import export_model
    from auxrnn.runs.use import open_model

    saved = open_model(Path(options.run))
    exported = export_model(saved, Path(options.out or Path(options.run) / options.format), options.format)
    for path in exported.files:
        print(path)
    print(f"largest difference from the model on random input: {exported.difference:.2g}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from auxrnn.experiments.run_report import report_runs

    report_runs([Path(run) for run in options.run], options.out and Path(options.out), options.data_dir)
    return 0


def _data(options: argparse.Namespace) -> int:
    if options.action == "list":
        for preset in PRESETS.values():
            size = f"{preset.train:>7,} + {preset.test:>6,}  {preset.steps:>6,} steps  {preset.classes:>3} classes"
            print(f"{preset.name:<13} {size}  {preset.description}")
        return 0
    if options.action == "import":
        return _import(options)
    from auxrnn.data.catalogue import fetch_files, verify

    if options.name is None:
        raise InputError(f"Expected a data set to {options.action}, got none; choose from {', '.join(PRESETS)}.")
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
        print(f"{check.state:<10} {check.name}  {check.count:,} items  {check.message}")
        if check.per_class:
            print(f"{'':<10} per class: {' '.join(map(str, check.per_class))}")
    return 0 if all(check.state == "ok" for check in checks) else FAILED


def _import(options: argparse.Namespace) -> int:
    from auxrnn.own.findings import describe_findings
    from auxrnn.own.importing import import_source

    if options.name is None or options.out is None:
        raise InputError("Expected auxrnn data import PATH --out SET, the files to read and the folder to write.")
    reading = ReadingOptions(**{item.name: getattr(options, item.name) for item in fields(ReadingOptions)})
    for line in describe_findings(import_source(Path(options.name), Path(options.out), reading)):
        print(line)
    print(f"Stored in {options.out}; train with: auxrnn train {options.out}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    out, count, smoke = options.out and Path(options.out), options.threads, options.smoke
    if options.what == "length":
        from auxrnn.bench.length import bench_length

        bench_length(options.lengths, out, threads=count, memory=options.memory, seconds=options.seconds, smoke=smoke)
    elif options.what == "step":
        from auxrnn.bench.step import bench_step

        bench_step(out, thread_count=count, smoke=smoke)
    elif options.what == "prefix":
        from auxrnn.bench.prefix import bench_prefix

        bench_prefix(out, thread_counts=(count,) if count else (), smoke=smoke)
    elif options.what == "stream":
        from auxrnn.bench.stream import bench_stream

        bench_stream(out, thread_count=count or 1, smoke=smoke)
    else:
        from auxrnn.bench.limit import bench_limit

        bench_limit(out, thread_count=count, smoke=smoke)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from auxrnn.experiments.doctor import diagnose

    for line in diagnose(options.data_dir):
        print(line)
    return 0


def _with_underscores(words: Sequence[str]) -> list[str]:
    """`--data-dir` is `--data_dir`; a value after `=` and all that follows a lone `--` stay as they are."""
    options = list(words)[: words.index("--")] if "--" in words else list(words)
    for index, word in enumerate(options):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            options[index] = name[:2] + name[2:].replace("-", "_") + equals + value
    return [*options, *words[len(options) :]]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def _lengths(text: str) -> list[int]:
    return [_positive(part.replace("_", "")) for part in text.split(",")]


def _version() -> Any:
    try:
        return version("auxrnn")
    except PackageNotFoundError:
        return "(not installed)"
