"""The file of a study is whole again after whatever has cut it."""

import errno
import json

import pytest

optuna = pytest.importorskip("optuna")

from optuna.storages import JournalStorage  # noqa: E402 - there by now

from auxrnn.experiments.journal import Journal  # noqa: E402


def study(path):
    return optuna.create_study(study_name="a", storage=JournalStorage(Journal(path)), load_if_exists=True)


def told(path):
    return [trial.value for trial in study(path).trials if trial.value is not None]


def add(path, value):
    found = study(path)
    found.tell(found.ask(), value)


@pytest.fixture
def path(tmp_path):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for value in (1.0, 2.0):
        add(tmp_path / "study", value)
    return tmp_path / "study"


def test_a_last_line_that_was_cut_anywhere_is_cut_off(path):
    whole = path.read_bytes()
    *before, last = whole.splitlines(keepends=True)
    assert json.loads(last)["values"] == [2.0]
    for kept in range(len(last) + 1):
        path.write_bytes(b"".join(before) + last[:kept])
        complete = kept >= len(last) - 1  # the end of the line alone is missing
        assert told(path) == ([1.0, 2.0] if complete else [1.0])
        add(path, 3.0)
        assert told(path) == ([1.0, 2.0, 3.0] if complete else [1.0, 3.0])
        for line in path.read_bytes().splitlines():
            json.loads(line)


def test_a_record_behind_another_process_that_was_cut(path):
    """Both have the study open when one of them goes."""
    open_study = study(path)
    trial = open_study.ask()
    with path.open("ab") as file:
        file.write(b'{"op_code":6,"wor')
    open_study.tell(trial, 5.0)
    assert told(path) == [1.0, 2.0, 5.0]


@pytest.mark.parametrize("content", [b"my notes", b"my notes\nand more", b'{"op', b""])
def test_another_file_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "notes"
    path.write_bytes(content)
    Journal(path)
    assert path.read_bytes() == (b"" if content == b'{"op' else content)


def test_a_full_disk_is_told_with_the_path(path, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(path)
    monkeypatch.setattr("optuna.storages.journal.JournalFileBackend.append_logs", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        journal.append_logs([])
