"""One process at a time; a crash leaves nothing that has to be cleared away."""

import subprocess
import sys
import textwrap

import pytest

from auxrnn.errors import InputError
from auxrnn.storage.lock import NAME, holder, lock_run
from auxrnn.use.opening import open_model
from small_runs import run_small

HOLDER = """
    import sys
    from pathlib import Path
    from auxrnn.storage.lock import lock_run
    with lock_run(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of a run folder until its input ends."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_second_process_is_told_who_holds_it(tmp_path, other):
    with pytest.raises(InputError, match=f"nobody is working on, but process {other.pid} on "), lock_run(tmp_path):
        pass
    with pytest.raises(InputError, match=f"nobody is working on, but process {other.pid} on "):
        run_small(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {NAME}


def test_neither_resume_nor_another_folder_is_advised_for_a_run_that_goes_on(tmp_path, other):
    (tmp_path / "config.yaml").write_text("data: digits")
    with pytest.raises(InputError, match=f"nobody is working on, but process {other.pid} on "):
        run_small(tmp_path)
    with pytest.raises(InputError, match=f"is still training: process {other.pid} on .* has it. Wait for it"):
        open_model(tmp_path)
    other.kill()
    other.wait()
    with pytest.raises(InputError, match=r"still in training or stopped: auxrnn resume .* says which"):
        open_model(tmp_path)


def test_who_holds_it_by_looking_alone(tmp_path, other):
    assert holder(tmp_path).startswith(f"process {other.pid} on ")
    other.kill()
    other.wait()
    assert holder(tmp_path) is None
    with lock_run(tmp_path):
        assert holder(tmp_path) == "this process"
        command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
        found = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert "nobody is working on" in found.stderr  # looking has not set it free
    assert holder(tmp_path / "nothing") is None


def test_a_killed_holder_leaves_it_free(tmp_path, other):
    other.kill()
    other.wait()
    assert (tmp_path / NAME).exists()
    with lock_run(tmp_path):
        pass
    assert not (tmp_path / NAME).exists()


def test_a_second_thread_or_call_of_the_same_process_is_told(tmp_path):
    with lock_run(tmp_path / "run"):
        with pytest.raises(InputError, match="but this process is"), lock_run(tmp_path / "run"):
            pass
        with lock_run(tmp_path / "other"):
            pass
    with lock_run(tmp_path / "run"):
        pass


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder that can be written to"), lock_run(tmp_path / "file"):
        pass
