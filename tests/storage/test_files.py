"""A file is whole or as it was."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors import SafetensorError

from auxrnn.errors import InputError
from auxrnn.storage import files
from auxrnn.storage.files import check_outside, check_place, parse_yaml, read_description, write_atomically


def test_writes_into_folders_that_are_not_there_yet(tmp_path):
    write_atomically(tmp_path / "a" / "b.txt", lambda aside: aside.write_text("new"))
    assert (tmp_path / "a" / "b.txt").read_text() == "new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_the_new_file_takes_the_place_of_the_old_at_once(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(aside):
        aside.write_text("new")
        assert aside.parent == path.parent
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"


@pytest.mark.parametrize("failure", [OSError("full"), ValueError("bad"), KeyboardInterrupt(), RuntimeError("torch")])
def test_a_failure_in_the_middle_keeps_the_old_file_and_leaves_nothing(tmp_path, failure):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(aside):
        aside.write_text("ha")
        raise failure

    with pytest.raises(OSError if isinstance(failure, RuntimeError) else type(failure)):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "a.txt", lambda aside: None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_its_place_stays(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        write_atomically(tmp_path / "a.txt", lambda aside: aside.write_text("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    events = []
    plain_sync, plain_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (events.append("flush"), plain_sync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (events.append("rename"), plain_replace(*names)))
    write_atomically(tmp_path / "a.txt", lambda aside: aside.write_text("new"))
    assert events == ["flush", "rename", "flush"]  # the file, its name, the folder that holds the name


def test_a_place_is_asked_for_without_a_trace(tmp_path):
    check_place(tmp_path / "a" / "b.txt")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.txt", tmp_path / "file" / "folder" / "a.txt"):
        with pytest.raises(
            InputError, match=r"a\.txt: expected a place that can be written to, found that .*file cannot"
        ):
            check_place(path)


def test_a_place_within_what_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "table.csv").touch()
    for place, source in ((tmp_path / "run", "source"), (tmp_path / "source-run", "source"), ("run", "table.csv")):
        check_outside(Path(place), Path(source))
    for place, source in (
        ("source/run", "source"),
        ("source", "source/"),
        ("run", "."),
        ("source/../source/a", "source"),
    ):
        with pytest.raises(InputError, match=r"outside of .*, whose files are read, got one within"):
            check_outside(Path(place), Path(source))


def test_two_of_one_number_on_two_machines(tmp_path):
    """Containers that share a folder may have the same process number."""
    names = []
    for _ in range(2):
        write_atomically(tmp_path / "a.txt", lambda aside: (names.append(aside.name), aside.write_text("new")))
    assert names[0] != names[1]
    assert all(name.startswith(f".a.txt.{os.getpid()}-") and name.endswith(".part") for name in names)


def test_the_mode_is_that_of_a_new_file_or_of_the_one_before(tmp_path):
    """Some writers, that of safetensors among them, make files that nobody else may read."""

    def secretly(aside):
        os.close(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o600))

    (tmp_path / "sibling").touch()
    write_atomically(tmp_path / "a", secretly)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "sibling").stat().st_mode
    (tmp_path / "a").chmod(0o640)
    write_atomically(tmp_path / "a", lambda aside: aside.touch())
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail] PytorchStreamWriter failed: No space left on device"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_with_the_path(tmp_path, error):
    def write(aside):
        raise error

    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(tmp_path / "a.txt", write)
    assert str(tmp_path / "a.txt") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_the_processes_of_this_machine_left_is_cleared_and_nothing_else(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    host = files._this_host()
    left = f".a.txt.{int(gone.stdout)}-{host}-0123abcd.part"
    others = {
        f".a.txt.{os.getpid()}-{host}-0123abcd.part",  # at work
        f".a.txt.{int(gone.stdout)}-ffffff-0123abcd.part",  # of another machine
        f".b.txt.{int(gone.stdout)}-{host}-0123abcd.part",  # of another file
        ".a.txt.part",
    }
    for name in (left, *others):
        (tmp_path / name).touch()
    write_atomically(tmp_path / "a.txt", lambda aside: aside.touch())
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", *others}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1" * 119, "a number of 119 characters, 1111"),
        ("0." + "1" * 5000, "a number of 5,002 characters, 0.1111"),
        ("1e999", "'1e999', which is no float"),
        ("-1e999", "'-1e999', which is no float"),
        ("!!float .nan", "'.nan', which is no float"),
        ("!!int 1__0", "'1__0', which is no int"),
        ("!!bool maybe", "'maybe', which is no bool"),
        ("!!int ''", "'', which is no int"),
        ("!!float x", "'x', which is no float"),
        ("!!timestamp 2024-13-45", "'2024-13-45', which is no timestamp"),
    ],
)
def test_yaml_of_odd_values(text, told):
    with pytest.raises(yaml.YAMLError, match=re.escape(told)):
        parse_yaml(f"seed: {text}")


def test_yaml_of_plain_values():
    told = "{a: 1, b: -7, c: +0, d: true, e: 1e3, f: .5, g: 1.5e-07, h: 2., i: null, j: 'no'}"
    assert parse_yaml(told) == {
        **{"a": 1, "b": -7, "c": 0, "d": True, "e": 1000.0, "f": 0.5, "g": 1.5e-07, "h": 2.0, "i": None, "j": "no"}
    }
    assert [type(value) for value in parse_yaml(told).values()][:5] == [int, int, int, bool, float]


@pytest.mark.parametrize("text", ["1__0", "1_0", "1_0e1", "010", "0x1f", "1:30", ".inf", "-.inf", ".nan", "2024-01-31"])
def test_yaml_of_numbers_that_are_texts(text):
    assert parse_yaml(f"seed: {text}") == {"seed": text}


def test_a_description_that_is_larger_than_any(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("{}")
    assert read_description(path) == "{}"
    with path.open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no space
    with pytest.raises(ValueError, match="1,099,511,627,776 bytes"):
        read_description(path)
