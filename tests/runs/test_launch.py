"""A command that trains in two processes: printed once, killed, told, resumed, with the same bits."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from auxrnn.errors import InputError
from auxrnn.runs import launch as launching
from auxrnn.runs.launch import launch
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.training.ranks import LostRankError
from small_runs import SMALL, as_words, model_bytes
from spawned import FORKED, end_after_the_other, end_as_told

PATIENCE = 240  # seconds for a command that takes ten on an idle machine
TWO = replace(SMALL, devices=2, strategy="ddp", batch_size=8)


def run(words, *, program=(sys.executable, "-m", "auxrnn"), **options):
    """A finished command."""
    return subprocess.run(
        [*program, *words], capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment(), **options
    )


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def workers_of(process):
    """Process numbers of the ranks that a command has started, by rank: in the order of their start."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == process.pid and "spawn_main" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return dict(enumerate(sorted(found)))


def struck(words, folder, strike):
    """The output of a command of which `strike` is called once it has written a checkpoint."""
    before = set(folder.glob("checkpoints/*.ckpt"))
    command = [sys.executable, "-m", "auxrnn", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        until = time.monotonic() + PATIENCE
        while not set(folder.glob("checkpoints/*.ckpt")) - before:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        workers = workers_of(process)
        strike(process, workers)
        began = time.monotonic()
        out, err = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        return process.returncode, out, err
    finally:
        for worker in workers_of(process).values():
            os.kill(worker, signal.SIGKILL)
        process.kill()
        process.wait()


def test_killed_told_and_resumed(tmp_path):
    folder = tmp_path / "run"
    endless = as_words(replace(TWO, max_epochs=10_000), folder)
    code, out, err = struck(["train", *endless], folder, lambda _, workers: os.kill(workers[1], signal.SIGKILL))
    assert code == 1
    assert out.count("Task        digits") == 1
    assert err.startswith("auxrnn: Process 2 of 2 was ended by SIGKILL, and the others with it. The newest checkpoint ")
    assert err.endswith(f"Go on with: auxrnn resume {folder}\n")
    assert err.count("\n") == 1
    code, out, err = struck(["resume", str(folder)], folder, lambda process, _: process.send_signal(signal.SIGINT))
    assert code == 1
    assert out.startswith("Resuming from phase-")
    assert err.splitlines()[-1] == f"auxrnn: interrupted by SIGINT; saved. Go on with: auxrnn resume {folder}"


@pytest.mark.slow
def test_through_the_console_script_and_torchrun_the_same_bits(tmp_path):
    script = Path(sys.executable).with_name("auxrnn")
    torchrun = [Path(sys.executable).with_name("torchrun"), "--standalone", "--nproc-per-node=2", "-m", "auxrnn"]
    for name, program in (("module", (sys.executable, "-m", "auxrnn")), ("script", [script]), ("torchrun", torchrun)):
        done = run(["train", *as_words(TWO, tmp_path / name)], program=program)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Test accuracy") == 1
        assert not list((tmp_path / name).glob("*.lock"))
    folder = tmp_path / "resumed"
    struck(["train", *as_words(TWO, folder)], folder, lambda _, workers: os.kill(workers[0], signal.SIGKILL))
    assert run(["resume", str(folder)]).returncode == 0
    expected = model_bytes(tmp_path / "module")
    assert all(model_bytes(tmp_path / name) == expected for name in ("script", "torchrun", "resumed"))


@pytest.mark.slow
def test_a_second_command_on_the_same_run_is_told_and_orphans_end(tmp_path):
    folder = tmp_path / "run"
    seen = {}

    def strike(process, workers):
        seen["second"] = run(["resume", str(folder)])
        seen["workers"] = workers
        process.kill()

    struck(["train", *as_words(replace(TWO, max_epochs=10_000), folder)], folder, strike)
    assert seen["second"].returncode == 2
    assert "expected a run that nobody is working on, but process" in seen["second"].stderr
    until = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{worker}").exists() for worker in seen["workers"].values()):
        assert time.monotonic() < until
        time.sleep(0.1)


# What a process says --------------------------------------------------------------------------------------------------


WAITS = 600  # seconds; longer than any test may take


@pytest.fixture
def forked(monkeypatch):
    """Processes from the server of `spawned`, which has imported everything already."""
    plain = launching.LaunchConfig
    monkeypatch.setattr(
        launching, "LaunchConfig", lambda **given: plain(**given, start_method=FORKED.get_start_method())
    )


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ((WAITS, StoppedRunError("disk full")), RuntimeError, "^disk full$"),
        ((WAITS, InputError("no such file")), InputError, "^no such file$"),
        (("kill", WAITS), LostRankError, "Process 1 of 2 was ended by SIGKILL, and the others with it"),
        ((ValueError("odd"), WAITS), LostRankError, "Process 1 of 2 failed, and the others with it; see above"),
    ],
)
def test_the_reason_is_what_the_first_to_end_said_and_the_others_end_too(forked, how, error, message):
    begun = time.monotonic()
    with pytest.raises(error, match=message):
        launch(TWO, end_as_told, how)
    assert time.monotonic() - begun < WAITS / 2


def test_who_has_only_noticed_the_end_of_another_waits_for_its_word(forked, tmp_path):
    with pytest.raises(LostRankError, match="Process 2 of 2 was ended by SIGKILL"):
        launch(TWO, end_after_the_other, tmp_path / "mark")


def test_nothing_is_said_or_left_where_all_went_well():
    before = dict(os.environ), signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    launch(TWO, end_as_told, (0, 0))
    assert (dict(os.environ), signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
