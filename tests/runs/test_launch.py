"""A command that trains in two processes: printed once, killed, told, resumed, with the same bits."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from auxrnn.errors import InputError
from auxrnn.runs import launch as launch_module
from auxrnn.runs.launch import Rank, _judge, _wait
from auxrnn.training.ranks import LostRankError
from small_runs import SMALL, as_words, model_bytes

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
    """Process numbers of the ranks that a command has started, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == process.pid:
                words = dict(word.split("=", 1) for word in (folder / "environ").read_text().split("\0") if "=" in word)
                found[int(words["RANK"])] = int(folder.name)
        except (OSError, KeyError):
            continue
    return found


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


# What the processes left ----------------------------------------------------------------------------------------------


def started(tmp_path, *codes):
    """Ranks that end as told: with an exit code, or "sleep"."""
    ranks = []
    for number, (code, said) in enumerate(codes):
        program = "import time; time.sleep(600)" if code == "sleep" else f"import os; {code}"
        words = tmp_path / f"{number}.json"
        if said is not None:
            words.write_text(json.dumps(said))
        ranks.append(Rank(number, subprocess.Popen([sys.executable, "-S", "-c", program]), words))
    return ranks


FINE, FAILED, KILLED = "os._exit(0)", "os._exit(1)", "os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        ([(FAILED, ["lost", "gone"]), (FAILED, ["stopped", "disk full"])], RuntimeError, "^disk full$"),
        ([(FAILED, ["stopped", "no"]), (FAILED, ["input", "no such file"])], InputError, "^no such file$"),
        ([(FAILED, ["lost", "gone"]), (KILLED, None)], LostRankError, "Process 2 of 2 was ended by SIGKILL"),
        ([(FAILED, ["lost", "gone"]), ("sleep", None)], LostRankError, "Process 2 of 2 stopped answering; all were"),
        ([("sleep", None), (FAILED, ["lost", "gone"])], LostRankError, "Process 1 of 2 stopped answering; all were"),
        ([(FAILED, None), (FAILED, ["lost", "gone"])], LostRankError, "Process 1 of 2 failed, .* see above"),
        ([(FAILED, ["lost", "gone"])] * 2, LostRankError, "The 2 processes lost touch with each other"),
    ],
)
def test_the_reason_is_found_among_what_they_left(tmp_path, monkeypatch, codes, error, message):
    monkeypatch.setattr(launch_module, "GRACE", 0.5)
    ranks = started(tmp_path, *codes)
    begun = time.monotonic()
    _wait(ranks)
    assert time.monotonic() - begun < 300  # those that sleep do so for ten minutes
    assert all(rank.process.returncode is not None for rank in ranks)
    with pytest.raises(error, match=message):
        _judge(ranks)


def test_nothing_is_said_where_all_went_well(tmp_path):
    ranks = started(tmp_path, (FINE, None), (FINE, None))
    _wait(ranks)
    _judge(ranks)
