"""Imports: the same as reading at once, whole or absent, in bounded memory."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources import importing
from auxrnn.sources.importing import import_source, read_source
from own_files import write_csv, write_long_form, write_texts

OPTIONS = ReadingOptions()


def quiet(_):
    pass


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("write", [write_texts, write_long_form])
def test_whatever_the_blocks_the_set_is_the_same(tmp_path, write):
    path = write(tmp_path, 20)
    import_source(path, tmp_path / "one", OPTIONS, quiet)
    import_source(path, tmp_path / "many", OPTIONS, quiet, block=1)
    assert contents(tmp_path / "one") == contents(tmp_path / "many")
    assert set(contents(tmp_path / "one")) == {"set.json", "values.bin", "ends.bin", "labels.bin", "splits.bin"}
    read = read_source(path, OPTIONS)
    assert (tmp_path / "one" / "values.bin").read_bytes() == read.values.tobytes()


class StoppedError(Exception):
    pass


def stop(line):
    raise StoppedError


def test_an_import_that_fails_leaves_nothing(tmp_path):
    path = write_texts(tmp_path, 20)
    with pytest.raises(StoppedError):
        import_source(path, tmp_path / "set", OPTIONS, stop, block=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["texts.csv"]


def test_a_refused_source_leaves_nothing(tmp_path):
    path = write_csv(tmp_path / "in" / "a.csv", "text,label", "a,x", "b,y", "c,")
    with pytest.raises(InputError, match="row 4: expected a label"):
        import_source(path, tmp_path / "out" / "set", OPTIONS, quiet)
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(InputError, match="row 2: expected at least 2 sequences of class 'x'"):
        import_source(path, tmp_path / "out" / "set", ReadingOptions(missing="drop"), quiet)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_existing_folder_is_left_alone(tmp_path):
    path = write_texts(tmp_path)
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match="expected a new folder"):
        import_source(path, tmp_path / "set", OPTIONS, quiet)


def test_a_second_import_at_the_same_time_is_told(tmp_path):
    path = write_texts(tmp_path)

    def say(line):
        with pytest.raises(InputError, match="found one at work"):
            import_source(path, tmp_path / "set", OPTIONS, quiet)

    assert len(import_source(path, tmp_path / "set", OPTIONS, say, block=1)) == 6


def test_an_import_that_ended_meanwhile_is_not_written_over(tmp_path, monkeypatch):
    """The second has found the place free, and waits where the first one ends."""
    path = write_texts(tmp_path)
    recognised = importing.recognise

    def first(*arguments):
        monkeypatch.setattr(importing, "recognise", recognised)
        import_source(path, tmp_path / "set", OPTIONS, quiet)
        return recognised(*arguments)

    monkeypatch.setattr(importing, "recognise", first)
    with pytest.raises(InputError, match="set: expected a new folder for the set"):
        import_source(path, tmp_path / "set", OPTIONS, quiet)
    assert len(importing.open_set(tmp_path / "set")) == 6
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["set", "texts.csv"]


def test_what_a_kill_has_left_is_removed(tmp_path):
    path = write_texts(tmp_path, 20)
    import_source(path, tmp_path / "whole", OPTIONS, quiet)
    aside = tmp_path / ".set.importing"
    aside.mkdir()
    for name in ("values.bin", "journal.json", ".set.json.2-cd.part"):
        (aside / name).write_text("half")
    import_source(path, tmp_path / "set", OPTIONS, quiet)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["set", "texts.csv", "whole"]


PEAK = """
    import sys
    from pathlib import Path
    from auxrnn.sources.importing import import_source
    from auxrnn.config.reading import ReadingOptions
    import_source(Path(sys.argv[1]), Path(sys.argv[2]), ReadingOptions(), lambda _: None, block=2**16)
    print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads a process's peak memory from /proc")
def test_memory_does_not_grow_with_the_source(tmp_path):
    """Peak memory of a process that imports 0.7 MB of numbers, and of one that imports 34 MB: within 8 MB."""

    def peak(number):
        X = np.lib.format.open_memmap(tmp_path / f"X{number}_X.npy", "w+", "float32", (number, 700, 3))
        X[:] = np.arange(3)
        X.flush()
        np.save(tmp_path / f"X{number}_y.npy", np.arange(number) % 2)
        finished = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PEAK), tmp_path / f"X{number}_X.npy", tmp_path / f"set{number}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return int(finished.stdout) / 1024

    small, large = peak(80), peak(4000)
    assert (tmp_path / "set4000" / "values.bin").stat().st_size == 4000 * 700 * 3 * 4
    assert large - small < 8
