"""A disk that is full or cannot be written, and another process at work."""

import errno
import os
import resource
import subprocess
import sys
import textwrap

import pytest
import torch

from auxrnn.cli import main
from auxrnn.training.checkpoints import find_checkpoints, is_whole
from small_runs import SMALL, as_words, at_step, model_bytes, run_small


@pytest.mark.parametrize("how", ["limit", "no space"])
def test_a_disk_that_fills_up(tmp_path, monkeypatch, capsys, how):
    """From the sixth of nine steps on no file is written to its end; the last good checkpoint stays and is resumed."""
    run_small(tmp_path / "undisturbed")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full():
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
        else:
            plain = torch.save

            def half(content, place, *more):
                plain({}, place)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            patched.setattr(torch, "save", half)

    with monkeypatch.context() as patched:
        at_step(patched, 5, full)
        try:
            code = main(["train", *as_words(SMALL, tmp_path / "run")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    told = capsys.readouterr().err
    assert code == 2
    assert told.count("\n") == 1
    assert "could not be read or written" in told
    assert f"Free or repair the disk, then go on with: auxrnn resume {tmp_path / 'run'}" in told
    kept = find_checkpoints(tmp_path / "run" / "checkpoints")
    assert [(phase, step) for phase, step, _ in kept] == [(1, 2), (1, 1)]
    assert all(is_whole(path) for _, _, path in kept)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "undisturbed"]
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert model_bytes(tmp_path / "run") == model_bytes(tmp_path / "undisturbed")


def unwritable(monkeypatch, folder, number):
    """Nothing below `folder` can be made or opened for writing, as on a disk that is mounted read-only."""
    plain_open, plain_mkdir = os.open, os.mkdir

    def below(path):
        return str(path).startswith(str(folder))

    def opening(path, flags, *more, **named):
        if below(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(number, os.strerror(number), str(path))
        return plain_open(path, flags, *more, **named)

    def making(path, *more, **named):
        if below(path) and not os.path.isdir(path):
            raise OSError(number, os.strerror(number), str(path))
        return plain_mkdir(path, *more, **named)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "mkdir", making)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_written(told, tmp_path, monkeypatch, number, there):
    folder = tmp_path / "runs"
    if there:
        (folder / "new").mkdir(parents=True)
    with monkeypatch.context() as patched:
        unwritable(patched, folder, number)
        words = as_words(SMALL, folder / "new")
        assert "expected a folder that can be written to" in told("train", *words)


def test_a_folder_without_the_right_to_write(told, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere; the test before this one stands for it")
    (tmp_path / "runs").mkdir(mode=0o500)
    assert "expected a folder that can be written to" in told("train", *as_words(SMALL, tmp_path / "runs" / "new"))


def test_a_file_in_place_of_the_folder(told, tmp_path):
    (tmp_path / "file").write_text("")
    assert "found a file; choose another --out" in told("train", *as_words(SMALL, tmp_path / "file"))
    assert "a folder that can be written to" in told("train", *as_words(SMALL, tmp_path / "file" / "run"))


HOLDER = """
    import sys
    from pathlib import Path
    from auxrnn.storage.lock import lock_run
    with lock_run(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
"""


def test_the_second_process_is_told(tmp_path, capsys):
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        assert main(["train", *as_words(SMALL, tmp_path / "run")]) == 2
        told = capsys.readouterr().err
        assert f"nobody is working on, but process {first.pid} on" in told
        assert told.count("\n") == 1
        first.stdin.close()
    assert list((tmp_path / "run").iterdir()) == []
