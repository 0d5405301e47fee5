"""A grid makes every run once, whatever ends it and whoever helps."""

import json
import signal
from contextlib import ExitStack
from dataclasses import replace

import pytest

from auxrnn.errors import InputError
from auxrnn.experiments.grids import grid
from auxrnn.experiments.grids.grid import ATTEMPTS, run_grid
from auxrnn.experiments.grids.task import Report
from auxrnn.runs.folder import RunFolder
from auxrnn.storage.lock import holder, lock_run
from small_grids import grid_process, small_grid, starts, wait_for
from small_runs import SMALL, model_bytes

TINY = replace(SMALL, model="lstm", pretrain_epochs=0, max_epochs=1)


class Script:
    """Workers that train nothing: every task ends as the script says, which is called with its folder."""

    def __init__(self, ends, places=1):
        self.ends, self.places, self.working, self.started, self.closed = ends, places, [], [], False

    def free(self):
        return self.places - len(self.working)

    def start(self, name, task):
        assert holder(task.folder) is None
        self.started.append(name)
        self.working.append((name, task))

    def wait(self, seconds):
        ended, self.working = self.working, []
        return [(name, self.ends(name, RunFolder(task.folder))) for name, task in ended]

    def stop(self):
        self.working = []

    def close(self):
        self.closed = True


def finish(name, folder):
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.result.write_text('{"test_accuracy": 0.5, "seconds": 1}')
    return Report("finished")


@pytest.fixture
def scripted(monkeypatch):
    """Let grids work with scripted workers."""

    def use(ends, places=1):
        script = Script(ends, places)
        monkeypatch.setattr(grid, "_workers", lambda *given: script)
        return script

    return use


def untouched(*given, **named):
    raise AssertionError("trained")


# What was done is not done again --------------------------------------------------------------------------------------


def test_runs_are_made_once_and_told(tmp_path, monkeypatch):
    runs = {"a/seed-0": TINY, "a/seed-1": replace(TINY, seed=1)}
    lines, ended = [], []
    made = run_grid(runs, tmp_path, workers=0, ended=ended.append, say=lines.append)
    assert list(made) == list(runs)
    assert ended == list(made.values())
    assert all(outcome.state == "finished" and outcome.new for outcome in made.values())
    assert made["a/seed-1"].result == json.loads((tmp_path / "a" / "seed-1" / "result.json").read_text())
    assert lines[0].startswith("[1/2] a/seed-")
    assert not any({"floors", "verdict"} & outcome.result.keys() for outcome in made.values())  # a grid pays for none
    left = {path.name for path in (tmp_path / "a" / "seed-0").iterdir()} - {"tensorboard"}
    assert left == {"config.yaml", "env.json", "metrics.csv", "result.json", "model", "log.txt"}

    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    elsewhere = {name: replace(config, data_dir=str(tmp_path), num_threads=2) for name, config in runs.items()}
    lines.clear()
    ended.clear()
    found = run_grid(elsewhere, tmp_path, workers=0, keep="results", ended=ended.append, say=lines.append)
    assert ended == list(found.values())
    assert [outcome.result for outcome in found.values()] == [outcome.result for outcome in made.values()]
    assert not any(outcome.new for outcome in found.values())
    assert lines == ["2 runs: 2 finished before."]
    left = {path.name for path in (tmp_path / "a" / "seed-0").iterdir()}
    assert left == {"config.yaml", "env.json", "metrics.csv", "result.json"}


def test_another_configuration_is_refused_before_anything_starts(tmp_path, finished_run, scripted):
    script = scripted(finish)
    runs = {"new": TINY, finished_run.name: replace(SMALL, lr=0.5, limit_train=None)}
    with pytest.raises(InputError, match=r"finished: .*found limit_train 40 instead of None|lr 0\.01 instead of 0\.5"):
        run_grid(runs, finished_run.parent)
    assert script.started == []


def test_a_failed_run_is_recorded_left_and_tried_again_when_asked(tmp_path, monkeypatch):
    runs = {"bad": replace(TINY, lr=1e30, checkpoint_steps=None), "good": TINY}
    found = run_grid(runs, tmp_path, workers=0)
    assert [outcome.state for outcome in found.values()] == ["failed", "finished"]
    assert "not finite" in found["bad"].error
    record = json.loads((tmp_path / "bad" / "failed.json").read_text())
    assert record["error"] == found["bad"].error
    assert {"time", "commit"} < record.keys()

    with monkeypatch.context() as patched:
        patched.setattr("auxrnn.runs.run.fit", untouched)
        again = run_grid(runs, tmp_path, workers=0)
    assert [(outcome.state, outcome.new) for outcome in again.values()] == [("failed", False), ("finished", False)]

    again = run_grid(runs, tmp_path, workers=0, retry_failed=True)
    assert again["bad"].new
    assert starts(tmp_path / "bad") == 2


def test_what_can_be_put_right_is_not_recorded_as_a_failure(tmp_path, monkeypatch):
    def full(*given, **named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("auxrnn.runs.run.fit", full)
        found = run_grid({"run": TINY, "typo": replace(TINY, data="digitz")}, tmp_path, workers=0)
    assert [outcome.state for outcome in found.values()] == ["stopped", "stopped"]
    assert "No space left" in found["run"].error
    assert "Did you mean 'digits'?" in found["typo"].error
    assert run_grid({"run": TINY}, tmp_path, workers=0)["run"].state == "finished"


@pytest.mark.parametrize(
    "error", [RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 byte"), MemoryError("1 byte")]
)
def test_full_memory_can_be_put_right(tmp_path, monkeypatch, error):
    def full(*given, **named):
        raise error

    monkeypatch.setattr("auxrnn.runs.run.fit", full)
    found = run_grid({"run": TINY}, tmp_path, workers=0)["run"]
    assert found.state == "stopped"
    assert found.error.startswith("The memory does not hold a step of batch_size")


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../../b"])
def test_a_name_that_leads_out_of_the_grid(tmp_path, name):
    with pytest.raises(InputError, match="a folder below that of the grid"):
        run_grid({name: TINY}, tmp_path)


def test_fewer_than_no_workers(tmp_path):
    with pytest.raises(InputError, match="workers of at least 0, got -1"):
        run_grid({"a": TINY}, tmp_path, workers=-1)


# The order of things, without training --------------------------------------------------------------------------------


def test_runs_begin_in_the_order_given(tmp_path, scripted):
    script = scripted(finish)
    runs = {"b": TINY, "a": replace(TINY, max_epochs=9), "c": replace(TINY, max_epochs=3)}
    assert list(run_grid(runs, tmp_path)) == ["b", "a", "c"]
    assert script.started == ["b", "a", "c"]
    assert script.closed


def test_a_run_whose_process_dies_goes_on_but_not_for_ever(tmp_path, scripted):
    script = scripted(lambda name, folder: Report("died", "its process ended with SIGKILL"))
    found = run_grid({"a": TINY}, tmp_path)
    assert script.started == ["a"] * ATTEMPTS
    assert found["a"].state == "failed"
    assert found["a"].error == f"its process ended with SIGKILL, {ATTEMPTS} times"


def test_a_process_that_dies_after_the_result_has_finished(tmp_path, scripted):
    script = scripted(lambda name, folder: finish(name, folder) and Report("died", "too late"))
    assert run_grid({"a": TINY}, tmp_path)["a"].state == "finished"
    assert script.started == ["a"]


def test_the_runs_of_others_are_waited_for(tmp_path, scripted, monkeypatch):
    """Three in other hands: one of them finishes it, one fails, one is killed."""
    others = ("finished", "failed", "killed")
    hands = ExitStack()
    for name in others:
        hands.enter_context(lock_run(tmp_path / name))
    script = scripted(finish)
    plain, looks = script.wait, []

    def wait(seconds):
        looks.append(list(script.started))
        if len(looks) == 3:
            finish("finished", RunFolder(tmp_path / "finished"))
            RunFolder(tmp_path / "failed").failure.write_text('{"error": "no luck"}')
            hands.close()
        return plain(seconds)

    monkeypatch.setattr(script, "wait", wait)
    lines = []
    found = run_grid({"own": TINY, **dict.fromkeys(others, TINY)}, tmp_path, say=lines.append)
    assert looks[:3] == [["own"]] * 3
    assert script.started == ["own", "killed"]
    assert {name: outcome.state for name, outcome in found.items()} == {
        "own": "finished", "finished": "finished", "failed": "failed", "killed": "finished"
    }  # fmt: skip
    assert [line for line in lines if line.startswith("Waiting for 3 runs that other processes have in hand")]


def test_who_comes_second_to_a_run_leaves_it(tmp_path, scripted):
    """The lock is taken between the grid's look and the worker's."""
    answers = iter([Report("elsewhere"), Report("finished")])

    def ends(name, folder):
        answer = next(answers)
        return finish(name, folder) if answer.state == "finished" else answer

    script = scripted(ends)
    assert run_grid({"a": TINY}, tmp_path)["a"].state == "finished"
    assert script.started == ["a", "a"]


# Real processes -------------------------------------------------------------------------------------------------------


def test_ended_by_a_signal_and_by_a_kill_it_goes_on_to_the_same_bits(tmp_path):
    names, epochs = ["a", "b"], 15

    def checkpoints():
        return {path.name for path in tmp_path.glob("grid/*/checkpoints/phase-*.ckpt")}

    with grid_process(tmp_path / "grid", 1, epochs, names) as process:
        wait_for(checkpoints)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[0]
        assert process.returncode == 1, said
        assert "interrupted; 0 of 2 runs" in said
        assert "The same command goes on." in said
    before = checkpoints()
    with grid_process(tmp_path / "grid", 1, epochs, names) as process:
        wait_for(lambda: not checkpoints() <= before)
        process.kill()
        process.wait()
    made = run_grid(small_grid(names, epochs), tmp_path / "grid", workers=2, keep="all")
    assert {outcome.state for outcome in made.values()} == {"finished"}
    assert starts(tmp_path / "grid" / "a") + starts(tmp_path / "grid" / "b") == 4
    run_grid(small_grid(["a"], epochs), tmp_path / "plain", workers=0, keep="all")
    assert model_bytes(tmp_path / "grid" / "a") == model_bytes(tmp_path / "plain" / "a")


def test_two_at_once_make_every_run_once(tmp_path):
    names = [f"run-{index}" for index in range(4)]
    with grid_process(tmp_path, 1, 1, names) as one, grid_process(tmp_path, 1, 1, names) as other:
        said = [process.communicate()[0] for process in (one, other)]
        assert (one.returncode, other.returncode) == (0, 0), said
    assert [starts(tmp_path / name) for name in names] == [1] * 4
    assert all(text.count("test ") == 4 for text in said)
    assert not list(tmp_path.rglob("run.lock"))
