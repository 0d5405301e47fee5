"""Every verb as a person types it: exit codes, messages, and no traceback."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from auxrnn import cli
from auxrnn.cli import main
from auxrnn.cli.options import build_parser
from auxrnn.cli.parsing import with_underscores
from auxrnn.config import RunConfig
from auxrnn.experiments import doctor
from auxrnn.experiments.grids.records import read_records
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.sources.published import load
from auxrnn.verdict.judge import lines_of
from own_files import write_csv, write_texts
from small_runs import SMALL, as_words, model_bytes

VERBS = (
    "demo",
    "train",
    "resume",
    "tune",
    "baseline",
    "evaluate",
    "diagnose",
    "predict",
    "stream",
    "export",
    "serve",
    "reproduce",
    "record",
    "report",
    "data",
    "doctor",
    "completion",
)


@pytest.fixture
def run(capsys):
    """(exit code, standard output, standard error) of a command; an exception fails the test."""

    def call(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code or 0
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def refused(run):
    """The one message of a command that cannot be used."""

    def call(*words):
        code, out, err = run(*words)
        assert code == 2
        assert out == ""
        assert err.startswith("auxrnn")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return call


@pytest.fixture(scope="module")
def digits():
    """(images (5, 8, 8) uint8, labels) of the test set."""
    test = load("digits").test
    return test.inputs[:5].reshape(5, 8, 8).numpy(), test.labels[:5]


# Help and misspellings ------------------------------------------------------------------------------------------------


def test_help_lists_every_verb(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("    ") and line[4] != " "]
    assert listed == list(VERBS)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("evaluate", "Scores of a trained model"),
        ("diagnose", "How true a run's gradient was"),
        ("predict", "values or tags"),
        ("predict", "tables (CSV, Parquet: of texts, or a step a row)"),
        ("stream", "what it looks like so far"),
        ("train", "the validation score has not risen"),
    ],
)
def test_help_speaks_of_every_target_and_form(run, verb, words):
    assert words in " ".join(run(verb, "--help")[1].split())


def test_finished_runs_are_kept_in_one_file(run, finished_run, tmp_path):
    file = tmp_path / "kept.jsonl"
    assert run("record", finished_run, "--out", file) == (0, f"{file}#finished\n", "")
    code, out, error = run("record", tmp_path, "--out", file)
    assert (code, out) == (2, "")
    assert "expected a finished run or a folder of such, found none" in error
    code, out, error = run("train", "--config", f"{file}#finnished")
    assert (code, out) == (2, "")
    assert "Did you mean 'finished'?" in error


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run, verb):
    code, out, err = run(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: auxrnn {verb}")


def test_version(run):
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("auxrnn ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "required: COMMAND"),
        ("trian digits", "Did you mean 'train'"),
        ("rseume x", "Did you mean 'resume'"),
        ("--versoin", "Did you mean '--version'"),
        ("demo --sedes 3", "Did you mean '--seeds'"),
        ("demo --sedes=3", "Did you mean '--seeds'"),
        ("demo --data digits", "unrecognized"),
        ("demo --seeds 1 --seeds 1", "--seeds: was given twice"),
        ("tune digits --trials 1 --trials 2", "--trials: was given twice"),
        ("stream x --every 2 y --every 2", "--every: was given twice"),
        ("data verify x --label a --label b", "--label: was given twice"),
        ("demo --seeds 0", "a whole number above 0, got '0'"),
        ("demo --seeds two", "a whole number above 0, got 'two'"),
        ("evaluate", "required: run"),
        ("evaluate x --dta y", "Did you mean '--data'"),
        ("predict x", "required: file"),
        ("predict x y --fromat csv", "Did you mean '--format'"),
        ("predict x y --format cvs", "Did you mean 'csv'"),
        ("tune digits", "required: --trials"),
        ("tune digits --trials 0", "above 0, got '0'"),
        ("tune digits --trials 1 --modle lstm", "Did you mean '--model'"),
        ("stream", "required: run"),
        ("stream x --every 0", "above 0, got '0'"),
        ("stream x --folow", "Did you mean '--follow'"),
        ("export", "required: run"),
        ("export x --format onxn", "Did you mean 'onnx'"),
        ("reproduce", "required: experiment"),
        ("reproduce tabel2", "table2"),
        ("reproduce table2 --scale labtop", "laptop"),
        ("report", "required: run"),
        ("report x --uot y", "Did you mean '--out'"),
        ("report x", "x: expected a run folder, found nothing"),
        ("resume", "required: run"),
        ("resume a b", "unrecognized arguments: b"),
        ("data lst", "Did you mean 'list'"),
        ("data verify mnits", "Did you mean 'mnist'"),
        ("data fetch mnits", "Did you mean 'mnist'"),
        ("data verify", "a data set to verify, got none"),
        ("data show", "a data set to show, got none"),
        ("train mnist --max_length 5", "no max_length"),
        ("data fetch", "a data set to fetch, got none"),
        ("doctor --data-dri x", "Did you mean '--data_dir'"),
        ("train digitz", "Did you mean 'digits'"),
        ("train digits --modle lstm", "Did you mean '--model'"),
        ("train digits --bpt 30", "got --bpt. Did you mean '--bptt'"),
        ("train digits --aux.wei 2", "Did you mean '--aux.weight'"),
        ("train digits --print_confi", "Did you mean '--print_config'"),
        ("--vers", "Did you mean '--version'"),
        ("train digits --model lstn", "Did you mean 'lstm'"),
        ("train digits --hidden_size 0", "hidden_size of at least 1"),
        ("train digits --config none.yaml", "none.yaml"),
        ("train digits mnist", "one data set"),
        ("train digits --limit_train 5", "--limit_train of at least 10"),
        ("train digits --limit_train 20 --limit_test 5", "--limit_test of at least 10"),
        ("train digits --accelerator gpuu", "Did you mean 'gpu'"),
    ],
)
def test_bad_use(refused, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(*words.split())
    assert list(tmp_path.iterdir()) == []


def test_hyphens_are_underscores_in_names_alone():
    words = ["--data-dir=a-b", "--limit-train", "4-0", "x-y", "--aux.truth-end=1", "--", "--my-file"]
    expected = ["--data_dir=a-b", "--limit_train", "4-0", "x-y", "--aux.truth_end=1", "--", "--my-file"]
    assert with_underscores(words) == expected


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("stream RUN --follow FILE", {"run": "RUN", "file": "FILE", "follow": True}),  # as README has it
        ("stream RUN FILE --follow", {"run": "RUN", "file": "FILE", "follow": True}),
        ("data import --out SET FILE", {"action": "import", "name": "FILE", "out": "SET"}),
        ("record A --out FILE B", {"folder": ["A", "B"], "out": "FILE"}),
        ("predict -- RUN -odd", {"run": "RUN", "file": "-odd"}),
    ],
)
def test_options_may_stand_anywhere(words, found):
    options, unknown = build_parser().parse_known_args(words.split())
    assert unknown == []
    assert {name: getattr(options, name) for name in found} == found


# train and resume -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--data-dir", "--data_dir"])
def test_print_config(run, option):
    code, out, err = run("train", option, "some-where", "mnist", "--limit-train=40", "--print_config")
    assert (code, err) == (0, "")
    assert yaml.safe_load(out) == RunConfig(data="mnist", data_dir="some-where", limit_train=40).to_dict()


def test_train_and_what_follows(run, refused, tmp_path):
    folder = tmp_path / "run"
    code, out, err = run("train", *as_words(SMALL, folder))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("Task ")
    assert sum("epoch" in line for line in lines if line.startswith(("pretrain", "train"))) == 3
    told = next(index for index, line in enumerate(lines) if line.startswith("Test accuracy"))
    assert lines[told + 1].startswith("Compared    test accuracy")
    assert f"Next        auxrnn baseline --config {folder / 'config.yaml'}" in lines
    assert f"Go on with `auxrnn resume {folder}`" in refused("train", *as_words(SMALL, folder))
    code, out, err = run("resume", folder)
    assert (code, err) == (0, "")
    assert "is finished" in out


def test_resume_of_nothing(refused, tmp_path):
    assert "expected a run folder" in refused("resume", tmp_path / "none")


# evaluate -------------------------------------------------------------------------------------------------------------


def test_evaluate_a_run_and_its_model(run, finished_run):
    expected = json.loads((finished_run / "result.json").read_text())["test_accuracy"]
    for folder in (finished_run, finished_run / "model"):
        code, out, err = run("evaluate", folder)
        assert (code, err) == (0, "")
        found = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert found["data"] == "digits"
        assert found["sequences"] == "400"
        assert float(found["accuracy"]) == pytest.approx(expected)
        assert lines_of(json.loads((finished_run / "result.json").read_text())["verdict"])[0] in out.splitlines()


def test_what_cannot_be_evaluated(refused, finished_run, tmp_path):
    assert "found nothing" in refused("evaluate", tmp_path / "none")
    assert "a run folder or a model folder" in refused("evaluate", tmp_path)
    shutil.copy(finished_run / "config.yaml", tmp_path)
    assert f"auxrnn resume {tmp_path} says which, and goes on" in refused("evaluate", tmp_path)
    assert "Did you mean 'digits'" in refused("evaluate", finished_run, "--data", "digitz")


def test_a_damaged_model_is_named(refused, finished_run, tmp_path):
    shutil.copytree(finished_run / "model", tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    for words in (["evaluate", tmp_path], ["predict", tmp_path, finished_run / "metrics.csv"]):
        assert f"{weights}: expected weights in safetensors form" in refused(*words)


# predict --------------------------------------------------------------------------------------------------------------


def write_inputs(folder, images):
    """The same images as a file of each kind."""
    from PIL import Image

    np.save(folder / "a.npy", images)
    np.save(folder / "flat.npy", images.reshape(len(images), 64).astype(np.float64))
    np.savez(folder / "a.npz", X=images, y=np.zeros(5))
    Image.fromarray(images[3]).save(folder / "three.png")
    return ["a.npy", "flat.npy", "a.npz"]


def test_predict_files_of_every_kind_in_both_forms(run, finished_run, tmp_path, digits):
    pytest.importorskip("PIL")
    images, _ = digits
    answers = {}
    for name in [*write_inputs(tmp_path, images), "three.png"]:
        code, out, err = run("predict", finished_run, tmp_path / name)
        assert (code, err) == (0, "")
        rows = list(csv.DictReader(io.StringIO(out)))
        code, out, err = run("predict", finished_run, tmp_path / name, "--format=jsonl")
        assert (code, err) == (0, "")
        lines = [json.loads(line) for line in out.splitlines()]
        assert [row["name"] for row in rows] == [line["name"] for line in lines]
        for row, line in zip(rows, lines, strict=True):
            shares = [float(row[f"p({digit})"]) for digit in range(10)]
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            assert row["class"] == line["class"] == str(int(np.argmax(shares)))
            assert float(row["probability"]) == line["probability"] == max(shares)
            assert list(line["probabilities"].values()) == shares
        answers[name] = [list(line["probabilities"].values()) for line in lines]
        expected = ["three.png"] if name == "three.png" else [f"{name}[{index}]" for index in range(5)]
        assert [line["name"] for line in lines] == expected
    assert answers["a.npy"] == answers["flat.npy"] == answers["a.npz"]
    assert answers["three.png"] == [answers["a.npy"][3]]


def test_files_that_cannot_be_predicted(refused, finished_run, tmp_path):
    pytest.importorskip("PIL")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    np.savez(tmp_path / "empty.npz")
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "wide.npy", np.zeros((2, 64, 3), dtype=np.uint8))
    np.save(tmp_path / "levels.npy", np.full((2, 64), 200, dtype=np.uint8))
    np.save(tmp_path / "none.npy", np.zeros((0, 64), dtype=np.uint8))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "levels.npy").read_bytes()[:200])
    (tmp_path / "words.txt").write_text("seven")
    for name, message in {
        "broken.png": "an image that can be read",
        "empty.npz": "found none",
        "pickled.npy": "expected plain numbers or texts",
        "wide.npy": "expected 1 channels as in training, found 3",
        "levels.npy": "from 0 to 16",
        "none.npy": "expected at least one sequence",
        "cut.npy": "the file ends at 1",
        "words.txt": "expected numbers as in training, found a text",
        "missing.png": "found nothing",
    }.items():
        error = refused("predict", finished_run, tmp_path / name)
        assert name in error
        assert message in error
    assert "a folder" in refused("predict", finished_run, tmp_path)


# data, doctor, demo ---------------------------------------------------------------------------------------------------


def test_data_list(run):
    code, out, err = run("data", "list")
    assert (code, err) == (0, "")
    expected = ["digits", "mnist", "pmnist", "cifar10", "stanford-dogs", "dbpedia", "latching"]
    assert [line.split()[0] for line in out.splitlines()] == expected


def test_data_verify(run, tmp_path):
    code, out, err = run("data", "verify", "digits")
    assert (code, err) == (0, "")
    assert out.count("per class") == 2
    code, out, err = run("data", "verify", "mnist", "--data-dir", tmp_path)
    assert (code, err) == (1, "")
    assert out.startswith("missing    mnist")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"<html>")
    code, out, err = run("data", "verify", "mnist", "--data_dir", tmp_path)
    assert (code, err) == (1, "")
    assert f"different  t10k-labels-idx1-ubyte.gz  {tmp_path}" in out  # items are of sets, not of files


def test_data_verify_of_own_files_and_an_imported_set(run, tmp_path):
    table = write_csv(tmp_path / "a.csv", "text,label", *(f"{'ab'[i % 2] * 9},{'xy'[i % 2]}" for i in range(20)))
    assert run("data", "import", table, "--out", tmp_path / "set")[0] == 0
    for path in (table, tmp_path / "set"):
        code, out, err = run("data", "verify", path)
        assert (code, err) == (0, "")
        assert "x: 10, y: 10" in out
    table.write_text("text,label\na,x\nb,y,z\n")
    code, out, err = run("data", "verify", table)
    assert (code, out) == (2, "")
    assert "row 3" in err


def test_data_show(run, tmp_path):
    code, out, err = run("data", "show", "digits", "--count", "3", "--out", tmp_path / "a.png")
    assert (code, out, err) == (0, f"{tmp_path / 'a.png'}\n", "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_data_show_of_own_files_and_an_imported_set(run, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = write_csv(tmp_path / "a.csv", "text,label", *(f"{'ab'[i % 2] * 9},{'xy'[i % 2]}" for i in range(20)))
    assert run("data", "import", table, "--out", tmp_path / "set")[0] == 0
    for path, out in ((table, "a.png"), (tmp_path / "set", "set.png")):
        assert run("data", "show", path) == (0, f"{out}\n", "")
        assert (tmp_path / out).read_bytes().startswith(b"\x89PNG")
    assert "choose another --out" in refused("data", "show", table, "--out", table)
    assert "row 2" in refused("data", "show", write_csv(tmp_path / "b.csv", "text,label", "a,x,y"))


def test_a_download_says_where_it_comes_from(run, tmp_path, monkeypatch):
    from auxrnn.sources import downloads

    def failing(*_):
        raise OSError("no network")

    monkeypatch.setattr(downloads, "_complete", failing)
    code, out, err = run("data", "fetch", "cifar10", "--data_dir", tmp_path / "new")
    assert (code, out) == (2, "")
    assert "Downloading cifar-10-binary.tar.gz (170.1 MB) from https://" in err
    assert not (tmp_path / "new").exists()


def test_data_fetch_of_an_embedded_set_has_nothing_to_do(run):
    assert run("data", "fetch", "digits") == (0, "", "")


def test_data_fetch_shows_where_the_files_lie(run, tmp_path):
    from auxrnn.sources.presets import MNIST_FILES

    (tmp_path / "mnist").mkdir()
    for file in MNIST_FILES:
        (tmp_path / "mnist" / file.name).write_bytes(b"laid by hand")
    code, out, err = run("data", "fetch", "mnist", "--data-dir", tmp_path)
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(tmp_path / "mnist" / file.name) for file in MNIST_FILES]


def test_doctor(run, tmp_path):
    code, out, err = run("doctor", "--data-dir", tmp_path)
    assert (code, err) == (0, "")
    assert f"data folder  {tmp_path}" in out


def test_doctor_tells_of_every_extra(run, tmp_path, monkeypatch):
    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"]
    assert list(extras) == list(doctor.EXTRAS)
    there = [f"{wanted}; extra == '{extra}'" for extra, packages in extras.items() for wanted in packages]
    monkeypatch.setattr(doctor, "requires", lambda name: there)
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name in ("onnx", "onnxruntime") else "1.0")
    lines = {line.split()[1]: line for line in run("doctor", "--data-dir", tmp_path)[1].splitlines() if "extra" in line}
    assert list(lines) == list(extras)
    assert lines.pop("export").endswith("ONNX: onnx, onnxruntime missing: pip install 'auxrnn[export]'")
    assert all(line.endswith(": installed") for line in lines.values())


def test_a_demo_that_stops_says_so_without_a_traceback(run, monkeypatch):
    from auxrnn.experiments import demo

    def stopped(*given, **named):
        raise StoppedRunError("interrupted; go on")

    monkeypatch.setattr(demo, "run_demo", stopped)
    assert run("demo") == (1, "", "auxrnn: interrupted; go on\n")


@pytest.mark.parametrize(
    ("error", "message", "expected"),
    [
        (KeyboardInterrupt(), "interrupted", 1),
        (OSError(28, "full"), "standard output, or a file at work: [Errno 28] full", 2),
        (OSError(28, "full", "a.csv"), "auxrnn: [Errno 28] full: 'a.csv'", 2),
        (
            MemoryError("Unable to allocate 8 GiB"),
            "the memory does not suffice for doctor: Unable to allocate 8 GiB",
            1,
        ),
        (MemoryError(), "the memory does not suffice for doctor: no more to be had", 1),
        (
            RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you tried"),
            "does not suffice for doctor",
            1,
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"),
            "suffice for doctor: CUDA out of memory. Tried\n",
            1,
        ),
    ],
)
def test_what_may_happen_at_any_moment(run, monkeypatch, error, message, expected):
    def raising(*given):
        raise error

    monkeypatch.setattr(cli, "_run", raising)
    code, out, err = run("doctor")
    assert (code, out) == (expected, "")
    assert message in err


# Using a model --------------------------------------------------------------------------------------------------------


def test_stream_says_what_predict_says(run, finished_run, digits, tmp_path):
    images, _ = digits
    np.save(tmp_path / "a.npy", images[:1].reshape(1, 64, 1))
    (tmp_path / "a.csv").write_text("\n".join(map(str, images[0].flatten())))
    code, out, err = run("stream", finished_run, tmp_path / "a.csv", "--every", "40", "--state", tmp_path / "state")
    assert (code, err) == (0, "")
    steps = list(csv.DictReader(io.StringIO(out)))
    assert [row["step"] for row in steps] == ["40", "64"]
    (whole,) = csv.DictReader(io.StringIO(run("predict", finished_run, tmp_path / "a.npy")[1]))
    for name, value in whole.items():
        if name.startswith("p("):
            assert float(steps[-1][name]) == pytest.approx(float(value), abs=1e-6)


def test_stream_of_a_broken_file(refused, finished_run, tmp_path):
    (tmp_path / "a.csv").write_text("1\nfour\n")
    assert "a.csv, line 2: expected 1 number, found 'four'" in refused("stream", finished_run, tmp_path / "a.csv")


def test_export(run, finished_run, tmp_path):
    pytest.importorskip("onnxruntime")
    code, out, err = run("export", finished_run, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert [line.rpartition("/")[2] for line in out.splitlines()[:3]] == ["model.onnx", "example.py", "README.md"]
    assert float(out.split()[-1]) < 1e-5


# As a process ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="pipes differ")
def test_a_reader_that_has_seen_enough():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        finished = subprocess.run(
            [sys.executable, "-m", "auxrnn", "data", "list"],
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=300,
            check=False,
        )
    assert finished.stderr == b""
    assert finished.returncode == 1


# Files of one's own ---------------------------------------------------------------------------------------------------


def test_data_import_then_train_and_predict(run, tmp_path):
    path, out = write_texts(tmp_path, 30), tmp_path / "set"
    _, told, _ = run("data", "import", path, "--out", out)
    assert "30 sequences" in told
    assert f"train with: auxrnn train {out}" in told
    small = ["--max_epochs", "1", "--pretrain_epochs", "0", "--hidden_size", "4", "--projection_size", "null"]
    _, told, _ = run("train", out, *small, "--bptt", "3", "--out", tmp_path / "run")
    assert "Chosen      --batch_size" in told
    assert "Chosen      --bptt" not in told
    assert run("predict", tmp_path / "run", path)[1].startswith("name,class,probability,p(down),p(up)")


def test_what_import_needs_and_refuses(refused, tmp_path):
    path = write_texts(tmp_path, 30)
    assert "data import PATH --out SET" in refused("data", "import", path)
    assert "data import PATH --out SET" in refused("data", "import", "", "--out", tmp_path / "set")
    assert "--label to be one of its columns (text, label)" in refused(
        "data", "import", path, "--out", tmp_path / "set", "--label", "mood"
    )
    assert not (tmp_path / "set").exists()


# Interruptions --------------------------------------------------------------------------------------------------------


def terminated(*given, **named):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
    raise AssertionError("went on")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("auxrnn.runs.run.load_data", "interrupted; nothing was written; the same command begins anew."),
        ("auxrnn.runs.run.measure", "interrupted; go on with: auxrnn resume {run}"),
        ("auxrnn.use.persistence.safetensors.torch.save_file", "interrupted; go on with: auxrnn resume {run}"),
        ("auxrnn.runs.run.write_json", "interrupted; nothing was written; the same command begins anew."),
    ],
)
def test_sigterm_outside_of_the_training_says_how_to_go_on(run, tmp_path, monkeypatch, finished_run, place, told):
    words = as_words(SMALL, tmp_path / "run")
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        patched.setattr(place, terminated)
        code, _, err = run("train", *words)
    assert code == 1
    assert err.splitlines()[-1] == f"auxrnn: {told.format(run=tmp_path / 'run')}"
    assert not list(tmp_path.rglob("*.part"))
    assert signal.getsignal(signal.SIGTERM) is before
    again = ("resume", str(tmp_path / "run")) if "resume" in told else ("train", *words)
    assert run(*again)[0] == 0
    assert model_bytes(tmp_path / "run") == model_bytes(finished_run)


@pytest.mark.parametrize("module", ["argparse", "yaml", "torch"])
def test_ctrl_c_while_the_command_loads(tmp_path, module):
    code = f"""
        import os, runpy, signal, sys
        class Finder:
            def find_spec(self, name, *others):
                if name == {module!r}:
                    os.kill(os.getpid(), signal.SIGINT)
        for name in ("argparse", "yaml"):
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, Finder())
        sys.argv = ["auxrnn", "doctor"]
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
        runpy.run_module("auxrnn", run_name="__main__", alter_sys=True)
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "auxrnn: interrupted\n")


def test_sigterm_while_a_resumed_run_loads(run, tmp_path, monkeypatch, finished_run):
    shutil.copytree(finished_run, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    with monkeypatch.context() as patched:
        patched.setattr("auxrnn.runs.run.load_data", terminated)
        code, _, err = run("resume", str(tmp_path / "run"))
    assert (code, err) == (1, f"auxrnn: interrupted; go on with: auxrnn resume {tmp_path / 'run'}\n")


@pytest.mark.parametrize("place", ["predict", "evaluate", "export", "report"])
def test_memory_that_does_not_suffice_to_use_a_model(run, finished_run, tmp_path, monkeypatch, place):
    def full(*given, **named):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nmore")

    names = {
        "evaluate": "runs.use.measure",
        "predict": "runs.use.open_model",
        "export": "use.opening.load_model",
        "report": "experiments.run_report.probe_sections",
    }
    monkeypatch.setattr(f"auxrnn.{names[place]}", full)
    more = [str(tmp_path / "a.npy")] if place == "predict" else []
    code, _, err = run(
        place, str(finished_run), *more, *(["--out", str(tmp_path / "r.html")] if place == "report" else [])
    )
    assert code == 1
    assert (
        err == f"auxrnn: the memory does not suffice for {place}: DefaultCPUAllocator: can't allocate memory: you "
        "tried to allocate 9 bytes.\n"
    )


def test_names_of_any_bytes_are_printed(tmp_path):
    """A file's name need not be UTF-8; standard output is, and strictly, in most places."""
    folder = tmp_path / os.fsdecode(b"in\xff")
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for number in range(3):
            (folder / name / os.fsdecode(b"%d\xfe.txt" % number)).write_text("some text")
    words = [sys.executable, "-m", "auxrnn", "data", "verify", str(folder)]
    finished = subprocess.run(
        words, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"}, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(os.fsencode(folder) + b": folder with one subfolder a class")


def silently(*words):
    """Exit code and standard error of a command whose output is no text."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
        return main([str(word) for word in words]), told.getvalue()


def test_names_of_any_bytes_are_read_and_written(finished_run, tmp_path, digits):
    """Of runs, states, pages and records, though the libraries below take names in UTF-8 alone."""
    folder = tmp_path / os.fsdecode(b"in\xff")
    shutil.copytree(finished_run, folder / "run")
    (folder / "a.csv").write_text("\n".join(map(str, digits[0][0].flatten())))
    for words in (
        ("evaluate", folder / "run"),
        ("stream", folder / "run", folder / "a.csv", "--state", folder / "state"),
        ("stream", folder / "run", folder / "a.csv", "--state", folder / "state"),
        ("report", folder / "run", "--quick", "--out", folder / os.fsdecode(b"page\xff.html")),
        ("record", folder, "--out", folder / "runs.jsonl"),
        ("record", folder, "--out", folder / "runs.jsonl"),
    ):
        code, told = silently(*words)
        if code or (told and words[0] != "report"):  # whose progress is told where it is slow
            pytest.fail(ascii((words[0], code, told)), pytrace=False)  # no name that a report cannot hold
    assert list(read_records(folder / "runs.jsonl")) == ["run"]
    (folder / "run").rename(folder / os.fsdecode(b"run\xfe"))
    assert silently("record", folder, "--out", folder / "runs.jsonl") == (0, "")
    assert list(read_records(folder / "runs.jsonl")) == ["run", r"run\udcfe"]


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_stream_says_where_it_stands(run, finished_run, tmp_path, monkeypatch, there):
    state = tmp_path / "state"

    def interrupted(*given):
        if there:
            state.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("auxrnn.runs.live.follow_sequence", interrupted)
    told = f"; {state} holds where it stands, the same command goes on" if there else ""
    assert run("stream", str(finished_run), "--state", str(state)) == (1, "", f"auxrnn: interrupted{told}\n")


@pytest.mark.parametrize("value", ["0.2_5", "half", "1__0"])
def test_a_share_that_is_no_number(tmp_path, value):
    said = io.StringIO()
    with redirect_stderr(said):
        assert main(["data", "verify", str(tmp_path), "--test_fraction", value]) == 2
    assert f"Expected --test_fraction to be a number, got '{value}'" in said.getvalue()
    assert said.getvalue().count("\n") == 1
