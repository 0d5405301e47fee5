"""A file of runs holds everything of each: it comes from their folders, and is enough without them."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.experiments.grids.records import (
    Record,
    add_records,
    find_record,
    keep_runs,
    read_records,
    record_folder,
    score_told,
)
from small_runs import SMALL, run_small
from spawned import FORKED, add_ten_records

RUN = Record(
    "a/seed-3", SMALL, {"commit": "abc"}, {"phase": ["train", "train"], "validation_accuracy": [None, 0.5]},
    {"test_accuracy": 0.25, "parameters": 10, "seconds": 1.5},
)  # fmt: skip
FAILED = replace(RUN, name="b/seed-3", curve={}, result=None, error="not finite")


@pytest.fixture
def root(tmp_path, finished_run):
    """A finished run, one that has failed, one that has not ended, and somebody else's file."""
    small = shutil.ignore_patterns("checkpoints", "model", "tensorboard")
    root = tmp_path / "runs"
    for name in ("mnist/lstm/seed-3", "failed", "unfinished"):
        shutil.copytree(finished_run, root / name, ignore=small)
    for name in ("failed", "unfinished"):
        (root / name / "result.json").unlink()
    (root / "failed" / "failed.json").write_text('{"error": "not finite", "time": "then", "commit": "abc"}')
    (root / "notes").mkdir()
    (root / "notes" / "result.json").write_text("[]")
    return root


def test_folders_become_lines_that_say_all(root, finished_run, tmp_path):
    file = tmp_path / "kept.jsonl"
    assert keep_runs([root], file) == [f"{file}#failed", f"{file}#mnist/lstm/seed-3"]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    shutil.rmtree(root)
    failed, run = read_records(file).values()
    assert run.name == "mnist/lstm/seed-3"
    assert run.config == SMALL
    assert run.result == json.loads((finished_run / "result.json").read_text())
    environment = json.loads((finished_run / "env.json").read_text())
    assert environment.pop("started_with")["model"] == "rp-lstm"
    assert run.environment == environment
    header, *rows = [line.split(",") for line in (finished_run / "metrics.csv").read_text().splitlines()]
    assert list(run.curve) == header
    for index, row in enumerate(rows):
        told = ["" if column[index] is None else str(column[index]) for column in run.curve.values()]
        assert told == row
    assert (failed.name, failed.result, failed.error) == ("failed", None, "not finite")


def test_a_line_trains_the_run_again(finished_run, tmp_path):
    keep_runs([finished_run], tmp_path / "kept.jsonl")
    config = parse_run_config(["--config", f"{tmp_path / 'kept.jsonl'}#finished", "--out", str(tmp_path / "again")])
    assert config == replace(SMALL, out=str(tmp_path / "again"))
    again = run_small(tmp_path / "again")
    assert again["test_loss"] == find_record(f"{tmp_path / 'kept.jsonl'}#finished").result["test_loss"]


def test_what_is_there_stays_as_it_was_written(tmp_path):
    file = tmp_path / "kept.jsonl"
    add_records(file, [RUN])
    older = json.loads(file.read_text())
    del older["config"]["recipe"], older["config"]["lr_warmup"]  # settings that a newer version has
    file.write_text(json.dumps(older) + "\n")
    before = file.read_text()
    add_records(file, [FAILED])
    assert file.read_text() == before + FAILED.line() + "\n"
    retried = replace(RUN, name=FAILED.name)
    add_records(file, [retried])
    assert file.read_text() == before + retried.line() + "\n"
    with pytest.raises(InputError, match=r"kept\.jsonl: expected a/seed-3 .*lr 0\.01 instead of 0\.5"):
        add_records(file, [replace(FAILED, name="c"), replace(RUN, config=replace(SMALL, lr=0.5))])
    assert list(read_records(file)) == [RUN.name, FAILED.name]


def test_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "kept.jsonl"
    add_records(file, [RUN])
    before = file.read_bytes()

    def full(*given, **named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("auxrnn.storage.files.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            add_records(file, [FAILED])
    assert file.read_bytes() == before
    add_records(file, [FAILED])
    assert list(read_records(file)) == [RUN.name, FAILED.name]


def test_several_processes_may_write_at_a_time(tmp_path):
    file = tmp_path / "kept.jsonl"
    writers = [FORKED.Process(target=add_ten_records, args=(file, letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
        assert writer.exitcode == 0
    assert list(tmp_path.iterdir()) == [file]  # no lock stays
    assert set(read_records(file)) == {f"{letter}/{index}" for letter in "abc" for index in range(10)}


def test_a_run_that_has_not_ended_is_no_record(root):
    assert record_folder(root / "unfinished", "unfinished") is None
    assert record_folder(root / "nothing", "nothing", SMALL) is None


def test_a_run_that_failed_before_it_began(tmp_path):
    (tmp_path / "failed.json").write_text('{"error": "its process ended with SIGKILL, 3 times"}')
    found = record_folder(tmp_path, "early", replace(SMALL, data_dir="there", out="here"))
    assert found == Record("early", SMALL, {}, {}, error="its process ended with SIGKILL, 3 times")


def test_no_runs(tmp_path, root):
    assert read_records(tmp_path / "nothing.jsonl") == {}
    with pytest.raises(InputError, match="notes: expected a finished run or a folder of such, found none"):
        keep_runs([root / "notes"], tmp_path / "kept.jsonl")
    with pytest.raises(InputError, match="seed-3 twice"):
        keep_runs([root / "mnist" / "lstm", root / "mnist" / "lstm"], tmp_path / "kept.jsonl")
    assert not (tmp_path / "kept.jsonl").exists()


def test_a_run_of_an_older_version_lacks_figures(root):
    path = root / "mnist" / "lstm" / "seed-3" / "result.json"
    result = json.loads(path.read_text())
    del result["peak_memory_bytes"]
    path.write_text(json.dumps(result))
    assert record_folder(path.parent, "older").result == result


@pytest.mark.parametrize(
    ("target", "scores", "told"),
    [
        ("value", {"r2": -0.5, "rmse": 3.25, "mae": 2.0}, "R2 -0.5"),
        ("tags", {"step_accuracy": 0.75}, "step accuracy 75.00 %"),
        ("classes", {"micro_f1": 0.5, "exact_match": 0.25}, "micro-F1 50.00 %"),
        ("class", {"accuracy": 0.5}, "50.0 %"),
    ],
)
def test_every_target_has_its_own_score(root, target, scores, told):
    path = root / "mnist" / "lstm" / "seed-3" / "result.json"
    result = {name: value for name, value in json.loads(path.read_text()).items() if not name.startswith("test_")}
    result |= {"target": target, **{f"test_{name}": value for name, value in scores.items()}}
    path.write_text(json.dumps(result))
    record = record_folder(path.parent, "one")
    assert {name: record.result[f"test_{name}"] for name in scores} == scores
    assert score_told(result) == told
    score = next(iter(scores))
    path.write_text(json.dumps({**result, f"test_{score}": "none"}))
    with pytest.raises(InputError, match=rf"found test_{score} 'none'"):
        record_folder(path.parent, "one")


@pytest.mark.parametrize("content", ["{}", "[", "[]"])
def test_a_damaged_result_is_named_and_the_others_are_kept(root, tmp_path, caplog, content):
    path, file = root / "mnist" / "lstm" / "seed-3" / "result.json", tmp_path / "kept.jsonl"
    path.write_text(content)
    assert keep_runs([root], file) == [f"{file}#failed"]
    assert re.fullmatch(r"Left out: .*seed-3/result\.json: expected .*", caplog.messages[0])
    with pytest.raises(InputError, match=r"seed-3/result\.json: expected"):
        keep_runs([path.parent], file)


@pytest.mark.parametrize(
    "content", ["", "phase,epoch\ntrain,1,2\n", "phase,epoch\ntrain,one\n", "phase,epoch\ntrain\n"]
)
def test_a_damaged_curve_is_named(root, content):
    path = root / "mnist" / "lstm" / "seed-3" / "metrics.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=r"metrics\.csv: expected a learning curve"):
        record_folder(path.parent, "damaged")


def test_a_curve_that_is_larger_than_any(root, monkeypatch):
    path = root / "mnist" / "lstm" / "seed-3" / "metrics.csv"
    path.write_bytes(path.read_bytes() * 1000)
    monkeypatch.setattr("auxrnn.storage.files.LARGEST_DESCRIPTION", path.stat().st_size - 1)
    with pytest.raises(InputError, match=r"metrics\.csv: expected a learning curve, .* the most that such a file has"):
        record_folder(path.parent, "large")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{"run"', '"run"', "line 2: expected the record of a run"),
        ('"run"', '"name"', "line 2: expected the record of a run, found: 'run'"),
        ('"hidden_size":4', '"hidden_size":-4', "line 2: expected the record of a run, found: .*hidden_size"),
        ('"hidden_size":4', '"hidden_sighs":4', "line 2: expected the record of a run, found: .*hidden_sighs"),
        ('"test_accuracy":0.25', '"test_accuracy":17', "line 2: .* found test_accuracy 17"),
        ('"test_accuracy":0.25', '"test_accuracy":NaN', "line 2: .* found test_accuracy nan"),
        ('"test_accuracy":0.25', '"tested":1', "line 2: .* found test_accuracy None"),
        ('"result":', '"results":', "line 2: expected a run with a result or an error"),
        ("[null,0.5]", "[0.5]", "line 2: expected a learning curve of columns of one length"),
        ("[null,0.5]", "0.5", "line 2: expected a learning curve of columns of one length"),
        ('{"commit":"abc"}', "7", "line 2: expected the environment of a run, found 7"),
        ("a/seed-3", "b/seed-3", "line 2: expected another run, found b/seed-3 again"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, old, new, message):
    file = tmp_path / "kept.jsonl"
    add_records(file, [FAILED, RUN])
    first, second = file.read_text().splitlines()
    assert old in second
    file.write_text(f"{first}\n{second.replace(old, new)}\n")
    with pytest.raises(InputError, match=rf"kept\.jsonl, {message}"):
        read_records(file)
    with pytest.raises(InputError, match=r"kept\.jsonl, line 2"):
        add_records(file, [replace(FAILED, name="c")])


def test_a_record_that_is_none(tmp_path):
    add_records(tmp_path / "kept.jsonl", [RUN])
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff")
    for place, message in (
        ("kept.jsonl#a/seed-4", r"the name of a run in it, got 'a/seed-4'. Did you mean 'a/seed-3'\?"),
        ("nothing.jsonl#a", "expected a record of runs, found nothing"),
        ("bytes.jsonl#a", "expected a record of runs, a line of JSON each"),
    ):
        with pytest.raises(InputError, match=message):
            parse_run_config(["--config", str(tmp_path / place)])
