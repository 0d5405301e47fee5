"""The demonstration does what it says it types, once; its tables and pictures follow from what came."""

import contextlib
import csv
import io
import shlex

import numpy as np
import pytest

from auxrnn.cli import main
from auxrnn.errors import InputError
from auxrnn.experiments import demo
from auxrnn.experiments.arguments import parse_given
from auxrnn.experiments.demo import MODELS, run_demo
from auxrnn.experiments.sensors import SensorTask, make_sensors
from auxrnn.runs.folder import RunFolder, read_config, read_json
from auxrnn.runs.use import predict_file
from auxrnn.use.persistence import load_model
from small_runs import KilledError, at_step, kill

TASK = SensorTask(train=24, test=8, steps=90, channels=2, event=12, first=5, last=40)
PEAKS = {"windows": [(50, 20.4), (50_000, 20.6)], "full": [(50, 30.0)]}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    make_tiny(monkeypatch)


def make_tiny(patched):
    """Short recordings, an epoch of a few steps, and no processes to measure memory in."""
    patched.setattr(demo, "TASK", TASK)
    patched.setattr(demo, "EPOCHS", 1)
    patched.setattr(demo, "EVERY", 20)
    patched.setattr(demo, "step_peaks", lambda *given: PEAKS)
    patched.setattr("auxrnn.training.sensible.EPOCH_STEPS", 4)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """(folder, results, what was printed) of a demonstration with one seed."""
    folder, said = tmp_path_factory.mktemp("demo") / "out", io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(said):
        make_tiny(patched)
        return folder, run_demo(folder, 1), said.getvalue()


def typed(said):
    """The words of the commands that were printed."""
    return [shlex.split(line)[2:] for line in said.splitlines() if line.startswith("$ ")]


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def untouched(*given, **named):
    raise AssertionError("trained again")


# Like with like -------------------------------------------------------------------------------------------------------


def test_the_runs_differ_in_their_auxiliary_loss_alone(shown):
    folder, _, _ = shown
    configs = {model: read_config(RunFolder(folder / model)) for model in MODELS}
    assert [config.auxiliaries for config in configs.values()] == [(), ("predict",), ("reconstruct",)]
    plain = configs["lstm"].to_dict()
    assert plain["recipe"] == "modern"
    free = {"model", "out", "segment_length", "num_anchors"}
    steps = {rows_of(folder / model / "metrics.csv")[-1]["step"] for model in MODELS}
    assert len(steps) == 1
    for config in configs.values():
        own = config.to_dict()
        assert {name for name in own if own[name] != plain[name]} <= free


# What it says and what it leaves --------------------------------------------------------------------------------------


def test_what_it_leaves(shown):
    folder, results, said = shown
    names = {*MODELS, "sensors.npz", "recording.csv", "answers.csv", "table.md"}
    assert {path.name for path in folder.iterdir()} == names | {"learning.png", "memory.png", "stream.png"}
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert list(results) == list(MODELS)
    table = (folder / "table.md").read_text()
    for model in MODELS:
        result = read_json(RunFolder(folder / model).result)
        assert results[model] == [result]
        assert f"| {model} | {100 * result['test_accuracy']:.1f} | {100 * result['validation_accuracy']:.1f} |" in table
        assert f"Test accuracy {result['test_accuracy']:.4f}" in said
    assert said.count("Verdict     ") >= len(MODELS)
    assert "| 50,000 | 21 | - |" in table
    assert "one seed, so it may be chance" in table


def test_what_it_types_does_the_same(shown, tmp_path, capsys):
    """The first printed command, typed with another folder, gives the same weights; the last the same answers."""
    folder, _, said = shown
    first, *others, last = typed(said)
    assert [words[0] for words in (first, *others, last)] == ["train", "train", "train", "stream"]
    assert parse_given(first[1:])[1] == {"data", "stride", "max_epochs", "out"}
    assert main([*first[:-1], str(tmp_path / "again")]) == 0
    (own, again) = (
        (path / "model" / "model.safetensors").read_bytes() for path in (folder / "lstm", tmp_path / "again")
    )
    assert own == again
    capsys.readouterr()
    assert main(last) == 0
    assert capsys.readouterr().out == (folder / "answers.csv").read_text()


def test_the_last_answer_of_the_stream_is_that_of_the_whole(shown, tmp_path):
    folder, _, _ = shown
    _, test = make_sensors(TASK)
    np.save(tmp_path / "whole.npy", test.inputs[[np.argmax(test.starts)]])
    whole = next(iter(predict_file(folder / "lstm", tmp_path / "whole.npy")))
    rows = rows_of(folder / "answers.csv")
    assert [int(row["step"]) for row in rows] == [20, 40, 60, 80, 90]
    names = load_model(folder / "lstm" / "model").target.names
    assert [float(rows[-1][f"p({name})"]) for name in names] == pytest.approx(whole.shares, abs=1e-6)


def test_the_span_of_the_event_is_drawn_where_it_lies(shown, monkeypatch):
    folder, _, _ = shown
    drawn = {}

    def keep(lines, **named):
        drawn.update(named, lines=lines)
        return plain(lines, **named)

    plain = demo.draw_points
    monkeypatch.setattr(demo, "draw_points", keep)
    _, test = make_sensors(TASK)
    demo._streamed(folder, test)
    latest = int(np.argmax(test.starts))
    start = int(test.starts[latest])
    assert drawn["span"] == {"the event": (start, start + 12)}
    assert set(drawn["lines"]) == {"up-down", "down-up"}
    assert f"class {test.labels[latest]}" in drawn["title"]


# Again ----------------------------------------------------------------------------------------------------------------


def test_a_second_call_trains_nothing_and_shows_the_same(shown, capsys, monkeypatch):
    folder, results, _ = shown
    before = (folder / "table.md").read_text()
    (folder / "table.md").unlink()
    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    assert run_demo(folder, 1) == results
    assert (folder / "table.md").read_text() == before
    assert capsys.readouterr().out.count("is finished; nothing to do.") == len(MODELS)


def test_a_stopped_one_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "MODELS", ("lstm",))
    with monkeypatch.context() as patched:
        at_step(patched, 2, kill)
        with pytest.raises(KilledError):
            run_demo(tmp_path, 1)
    capsys.readouterr()
    assert list(run_demo(tmp_path, 1)) == ["lstm"]
    said = capsys.readouterr().out
    assert [words[0] for words in typed(said)] == ["resume", "stream"]


def test_runs_of_another_kind_are_refused(shown, monkeypatch):
    folder, _, _ = shown
    monkeypatch.setattr(demo, "EPOCHS", 2)
    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    with pytest.raises(InputError, match=r"lstm: expected a run of this demonstration, found .* max_epochs; choose an"):
        run_demo(folder, 1)


def test_what_another_has_left_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "start_run", untouched)
    (tmp_path / "sensors.npz").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"sensors.npz: expected what this demonstration makes, found another file"):
        run_demo(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["sensors.npz"]
    assert (tmp_path / "sensors.npz").read_bytes() == b"mine"
    with pytest.raises(InputError, match=r"sensors.npz: expected a folder, found a file; choose another --out"):
        run_demo(tmp_path / "sensors.npz", 1)


# Figures from known numbers -------------------------------------------------------------------------------------------


def test_seeds_are_compared_with_their_intervals():
    def runs(*accuracies, seconds):
        return [{"test_accuracy": one, "validation_accuracy": 0.5, "seconds": seconds} for one in accuracies]

    text = demo._compared(
        {
            "lstm": runs(0.2, 0.22, seconds=10),
            "p-lstm": runs(0.9, 0.91, seconds=25),
            "r-lstm": runs(0.1, 0.9, seconds=5),
        }
    )
    # t(0.975, 1) = 12.706; half the difference of two values, times 12.706 / sqrt(2) * sqrt(2): 0.01 -> 12.7 points
    assert "| lstm | 21.0 ± 12.7 | 50.0 ± 0.0 | 10 |" in text
    assert (
        "auxiliary loss of p-lstm adds +69.5 points of test accuracy (intervals apart) and takes 2.5 times the" in text
    )
    assert (
        "auxiliary loss of r-lstm adds +29.0 points of test accuracy (intervals touch) and takes 0.5 times the" in text
    )


def test_further_seeds_have_folders_of_their_own(tmp_path, monkeypatch):
    started = []

    def known(config, *, given):
        started.append((config.model, config.seed, config.out))
        raise KilledError

    monkeypatch.setattr(demo, "start_run", known)
    for seed in (0, 1):
        with pytest.raises(KilledError):
            demo._trained(tmp_path, tmp_path / "sensors.npz", "p-lstm", seed)
    assert started == [("p-lstm", 0, str(tmp_path / "p-lstm")), ("p-lstm", 1, str(tmp_path / "p-lstm-1"))]


def test_where_memory_cannot_be_measured_it_goes_on(shown, capsys, monkeypatch):
    folder, _, _ = shown

    def cannot(*given):
        raise InputError("Expected Linux or a GPU to measure memory on, found neither.")

    monkeypatch.setattr(demo, "step_peaks", cannot)
    assert "Memory is not measured. Expected Linux or a GPU" in demo._memory(folder)
    assert "Memory is not measured. Expected Linux or a GPU" in capsys.readouterr().out


def test_where_no_step_came_to_its_end_nothing_is_drawn(shown, monkeypatch):
    folder, _, _ = shown
    monkeypatch.setattr(demo, "step_peaks", lambda *given: {})
    monkeypatch.setattr(demo, "draw_lines", untouched)
    assert demo._memory(folder) == "Memory is not measured: no step came to its end."


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.5, 0.95, 0.4, 0.9, 0.99], "stands with at least 90% from step 400 on"),
        ([0.95, 0.95, 0.95, 0.95, 0.95], "stands with at least 90% from step 100 on"),
        ([0.95, 0.95, 0.95, 0.95, 0.89], "does not stand with 90%"),
    ],
)
def test_the_answer_stands_from_where_it_stays_sure(shares, expected):
    points = [(100 * index, share) for index, share in enumerate(shares, 1)]
    line = demo._stands({"up-down": points, "down-up": []}, "up-down", 250)
    assert expected in line
    assert "the event ends at step 250" in line


def test_how_sure_it_was_with_nothing_to_know():
    shares = {"up-down": [(100, 0.3), (200, 0.6), (300, 0.0)], "down-up": [(100, 0.7), (200, 0.4), (300, 1.0)]}
    (line,) = demo._guessed(shares, 200)
    assert "it says down-up with 70% at step 100 all the same" in line
    assert demo._guessed(shares, 99) == []
