"""A folder is the old one or the new one, whoever looks and whatever fails."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from auxrnn.storage import folders
from auxrnn.storage.folders import write_folder

OLD, NEW = {"a": "old a", "b": "old b"}, {"a": "new a", "b": "new b"}


def writers(content):
    return {name: lambda aside, text=text: aside.write_text(text) for name, text in content.items()}


def content_of(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_into_nothing_an_empty_folder_and_an_older_one(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new/one", "empty"):
        write_folder(tmp_path / name, writers(OLD))
        assert content_of(tmp_path / name) == OLD
        write_folder(tmp_path / name, writers(NEW))
        assert content_of(tmp_path / name) == NEW
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "a", "b", "b", "empty", "new", "one"]


def test_the_old_files_are_there_to_the_last(tmp_path):
    write_folder(tmp_path / "x", writers(OLD))

    def look(aside):
        aside.write_text("new b")
        assert content_of(tmp_path / "x") == OLD

    write_folder(tmp_path / "x", {"a": lambda aside: aside.write_text("new a"), "b": look})
    assert content_of(tmp_path / "x") == NEW


def test_what_else_lies_there_stays(tmp_path):
    """Files, folders, links, empty folders, and the modes of all."""
    place = tmp_path / "x"
    write_folder(place, writers(OLD))
    (place / "notes.txt").write_text("mine")
    (place / "notes.txt").chmod(0o600)
    (place / ".git" / "objects").mkdir(parents=True)
    (place / ".git" / "HEAD").write_text("main")
    (place / "link").symlink_to("notes.txt")
    (place / "nowhere").symlink_to("gone")
    place.chmod(0o750)
    inode = (place / "notes.txt").stat().st_ino
    write_folder(place, writers(NEW))
    assert content_of(place) == {**NEW, "notes.txt": "mine", "link": "mine"}
    assert ((place / "notes.txt").stat().st_mode & 0o777, (place / "notes.txt").stat().st_ino) == (0o600, inode)
    assert (place / ".git" / "HEAD").read_text() == "main"
    assert list((place / ".git" / "objects").iterdir()) == []
    assert os.readlink(place / "nowhere") == "gone"
    assert place.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError("bad")])
def test_a_failure_changes_nothing(tmp_path, failure):
    place = tmp_path / "x"
    write_folder(place, writers(OLD))

    def fails(aside):
        aside.write_text("ha")
        raise failure

    with pytest.raises(type(failure)):
        write_folder(place, {"a": writers(NEW)["a"], "b": fails})
    assert content_of(place) == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_in_the_place_of_a_file_stays(tmp_path):
    write_folder(tmp_path / "x", writers({"a": "old a"}))
    (tmp_path / "x" / "b" / "mine").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="x/b"):
        write_folder(tmp_path / "x", writers(NEW))
    assert content_of(tmp_path / "x") == {"a": "old a"}
    assert (tmp_path / "x" / "b" / "mine").is_dir()


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    write_folder(tmp_path / "real", writers(OLD))
    (tmp_path / "link").symlink_to("real")
    write_folder(tmp_path / "link", writers(NEW))
    assert os.readlink(tmp_path / "link") == "real"
    assert content_of(tmp_path / "real") == NEW


def test_the_current_folder_stays_under_ones_feet(tmp_path, monkeypatch):
    write_folder(tmp_path / "x", writers(OLD))
    monkeypatch.chdir(tmp_path / "x")
    inode = (tmp_path / "x").stat().st_ino
    write_folder(tmp_path / "x", writers(NEW))
    assert content_of(tmp_path / "x") == NEW
    assert (tmp_path / "x").stat().st_ino == inode


def test_without_the_call_of_linux_each_file_is_replaced(tmp_path, monkeypatch):
    write_folder(tmp_path / "x", writers(OLD))
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    write_folder(tmp_path / "x", writers(NEW))
    assert content_of(tmp_path / "x") == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_whoever_reads_meanwhile_finds_one_or_the_other(tmp_path):
    """Through the folder that was opened first, as a reader that keeps to one folder does."""
    place, found, done = tmp_path / "x", set(), threading.Event()
    write_folder(place, writers(OLD))

    def read():
        while not done.is_set():
            folder = os.open(place, os.O_RDONLY)
            try:
                both = []
                for name in ("a", "b"):
                    file = os.open(name, os.O_RDONLY, dir_fd=folder)
                    both.append(os.read(file, 20).decode().split()[0])
                    os.close(file)
                found.add(tuple(both))
            except FileNotFoundError:  # the old folder is being taken away
                found.add("gone")
            finally:
                os.close(folder)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        write_folder(place, writers(NEW))
        write_folder(place, writers(OLD))
    done.set()
    reader.join()
    assert found - {"gone"} <= {("old", "old"), ("new", "new")}


def test_what_a_kill_left_is_cleared_by_the_next(tmp_path):
    code = """
import os, sys
from pathlib import Path
from auxrnn.storage.folders import write_folder
write_folder(Path(sys.argv[1]), {"a": lambda aside: (aside.write_text("half"), os._exit(9))})
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False)
    assert done.returncode == 9
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    write_folder(tmp_path / "x", writers(NEW))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
