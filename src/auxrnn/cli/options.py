"""Every verb with its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from auxrnn.cli import verbs
from auxrnn.cli.completion import SHELLS
from auxrnn.cli.parsing import Parser, port, positive
from auxrnn.experiments.arguments import reading_settings
from auxrnn.experiments.catalogue import EXPERIMENTS
from auxrnn.experiments.scales import SCALES
from auxrnn.sources.presets import PRESETS

AddVerb = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
"""(name, what it does, help) -> the parser of the verb."""

READ_ANEW = ("id", "time", "missing", "header", "skip", "encoding", "delimiter", "decimal")
"""What may be said of a file to predict from where it is written otherwise than those of training."""


def build_parser() -> argparse.ArgumentParser:
    about = "Recurrent networks on sequences too long to back-propagate through."
    parser = Parser(prog="auxrnn", description=about, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"auxrnn {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def verb(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", allow_abbrev=False)
        made.set_defaults(verb=function, parser=made)
        return made

    _add_training(verb)
    _add_use(verb)
    _add_experiments(verb)
    _add_data(verb)
    doctor = verb("doctor", verbs.doctor, "versions, devices, threads, data folder, missing extras")
    doctor.add_argument("--data_dir", help="folder of the data")
    completion = verb(
        "completion", verbs.completion, "print a script that completes commands by Tab (extra: completion)"
    )
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(commands=parser)
    return parser


def _add_training(verb: AddVerb) -> None:
    demo = verb("demo", verbs.demo, "learn a long made task, with and without auxiliary losses; measure memory; stream")
    demo.add_argument("--seeds", type=positive, default=1, help="runs of each model (default: 1)")
    demo.add_argument("--out", default="runs/demo", help="where data, runs and pictures go (default: runs/demo)")

    verb("train", lambda _: verbs.train([]), "train a model: auxrnn train DATA [options]; see auxrnn train --help")
    resume = verb("resume", verbs.resume, "go on with a run that was stopped or killed, exactly")
    resume.add_argument("run", help="a run folder")
    resume.add_argument("--watch", metavar="PORT", nargs="?", const=0, type=port, help="as of auxrnn train")

    verb(
        "tune",
        lambda _: verbs.tune([]),
        "search for settings on validation data: auxrnn tune DATA --trials N [options]",
    )

    verb(
        "baseline",
        lambda _: verbs.baseline([]),
        "what costs a second on the same data: the scores that a trained network must beat",
    )


def _add_use(verb: AddVerb) -> None:
    evaluate = verb("evaluate", verbs.evaluate, "scores of a trained model on a test set, as its target has them")
    evaluate.add_argument("run", help="a run folder or a model folder")
    evaluate.add_argument("--data", help="a data set, a file or a folder; the model's own when left out")
    evaluate.add_argument("--data_dir", help="folder of the data")
    evaluate.add_argument("--early", action="store_true", help="also by the share of each sequence that was read")

    diagnose = verb("diagnose", verbs.diagnose, "how true a run's gradient was, and which steps its answers rest on")
    diagnose.add_argument("run", help="a run folder or a model folder")
    diagnose.add_argument("--data_dir", help="folder of the data")

    predict = verb("predict", verbs.predict, "classes and probabilities, values or tags for files of your own")
    predict.add_argument("run", help="a run folder or a model folder")
    predict.add_argument(
        "file",
        help="a file or folder in a form that training reads, without labels: images, sound, tables (CSV, Parquet: of "
        "texts, or a step a row), TS, NPY or NPZ, TXT; for a model of a preset images, NPY, NPZ, "
        "TXT or CSV",
    )
    predict.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: csv")
    reading = predict.add_argument_group("how the file is read", "as the files of training were, but for what is said")
    for setting in reading_settings():
        if setting.field.name in READ_ANEW:
            reading.add_argument(setting.option, choices=setting.choices or None, help=setting.help)

    stream = verb("stream", verbs.stream, "follow one endless sequence: what it looks like so far, at constant memory")
    stream.add_argument("run", help="a run folder or a model folder")
    stream.add_argument("file", nargs="?", help="lines of numbers (CSV), or a text in UTF-8 (default: standard input)")
    stream.add_argument("--every", type=positive, default=100, help="steps between two answers (default: 100)")
    stream.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: csv")
    stream.add_argument("--follow", action="store_true", help="at the end of the file wait for more")
    stream.add_argument("--state", help="file that keeps where the stream stands; it goes on from there")
    stream.add_argument("--binary", action="store_true", help="raw uint8 pixels or little-endian float32 values")

    export = verb(
        "export", verbs.export, "write a trained model for other programs, checked against it, with an example"
    )
    export.add_argument("run", help="a run folder or a model folder")
    export.add_argument(
        "--format",
        choices=("onnx", "web"),
        default="onnx",
        help="web: a page for browsers; default: onnx (extra: export)",
    )
    export.add_argument("--out", help="folder of the files (default: RUN/FORMAT)")
    export.add_argument(
        "--runtime", help="web: the npm package onnxruntime-web, unpacked or its .tgz (default: by npm)"
    )

    serve = verb("serve", verbs.serve, "answer over HTTP: whole sequences, and streams by id (extra: serve)")
    serve.add_argument("run", help="a run folder or a model folder; a web export in RUN/web is shown at /")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    serve.add_argument("--port", type=port, default=8000, help="default: 8000; 0 takes a free one")
    serve.add_argument("--streams", type=positive, default=100, help="streams at once (default: 100)")
    serve.add_argument("--idle", type=positive, default=600, help="seconds until an unused stream ends (default: 600)")
    serve.add_argument("--body", type=positive, default=2**24, help="bytes of a request at most (default: 16777216)")


def _add_experiments(verb: AddVerb) -> None:
    reproduce = verb("reproduce", verbs.reproduce, "make a table or figure of the paper: its runs, then its page")
    reproduce.add_argument("experiment", choices=tuple(EXPERIMENTS), help="which table or figure")
    reproduce.add_argument("--scale", choices=tuple(SCALES), default="laptop", help="default: laptop")
    reproduce.add_argument("--seeds", type=positive, help="runs of each arm; the scale's own number when left out")
    reproduce.add_argument("--out", help="folder of the results (default: results/SCALE)")
    reproduce.add_argument("--data_dir", help="folder of the data")
    reproduce.add_argument("--task", action="append", default=[], help="this data set alone; may be repeated")
    reproduce.add_argument("--arm", action="append", default=[], help="this model alone; may be repeated")
    reproduce.add_argument("--workers", type=positive, help="runs at once (default: one a core, four a GPU)")
    reproduce.add_argument("--ray", metavar="ADDRESS", help="a Ray cluster that does the work; local starts one")
    reproduce.add_argument("--retry_failed", action="store_true", help="make failed runs again")
    reproduce.add_argument("--page_only", action="store_true", help="no training: the page of what is there")

    record = verb("record", verbs.record, "keep finished runs as lines of one file that needs no other")
    record.add_argument("folder", nargs="+", help="run folders, or folders of run folders")
    record.add_argument("--out", required=True, help="the file (JSON lines); what it holds already stays")

    report = verb("report", verbs.report, "write an HTML page of one or several runs, with figures")
    report.add_argument("run", nargs="+", help="run folders; the first model is what the others are compared with")
    report.add_argument("--out", help="the page (default: report.html in the run's folder; of several, in this folder)")
    report.add_argument("--data_dir", help="folder of the data")
    report.add_argument("--quick", action="store_true", help="open no model and no data: what the run folders say")


def _add_data(verb: AddVerb) -> None:
    data = verb("data", verbs.data, "list, fetch, verify and show data sets; import files of your own")
    data.add_argument("action", choices=("list", "fetch", "verify", "show", "import"))
    data.add_argument("name", nargs="?", help=f"one of {', '.join(PRESETS)}; verify, show, import: files of your own")
    data.add_argument("--data_dir", help="folder of the data")
    data.add_argument(
        "--out", help="show: the PNG file to draw samples into (default: NAME.png); import: the new folder of the set"
    )
    data.add_argument("--count", type=positive, default=20, help="show: how many samples (default: 20)")
    reading = data.add_argument_group(
        "verify, show, import", "how the files are read; the same options as of auxrnn train"
    )
    for setting in reading_settings():
        reading.add_argument(setting.option, help=setting.help)


def _version() -> Any:
    try:
        return version("auxrnn")
    except PackageNotFoundError:
        return "(not installed)"
