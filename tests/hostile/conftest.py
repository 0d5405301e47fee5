"""Nothing breaks: each kind of hostile input as a person would meet it, through the command line.

Whatever is wrong is answered by exit code 2 and one message of one line, without a traceback, and nothing is written
but in the run folder. What may be asked of, and where it is tested:

- broken, empty, enormous, mislabelled and wrongly encoded files of every format: `BAD_FILES`
- NaN and infinite values, a class with one member, labels of mixed type, sequences without a step: `BAD_CONTENTS`
- sequences of one step, which are no fault: `test_sequences_of_one_step_are_learned_from`
- model folders (changed configuration, truncated or swapped weights, other shapes): `test_model_folders`; pickles
  beside them: `test_pickles_beside_a_model_are_never_opened`
- archives with `..` or links: `test_archives`
- YAML that would build objects: `test_yaml_builds_no_objects`
- a disk that fills up in the middle of a checkpoint: `test_a_disk_that_fills_up`
- a run folder that cannot be written: `test_a_folder_that_cannot_be_written`
- two processes that start the same run: `test_the_second_process_is_told`

What each parser refuses in detail is told by its own tests, by `test_properties` and by the fuzzing of `fuzz`.
"""

import pytest

from auxrnn.cli import main


def everything_in(folder):
    """Each path with its content."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """The one message of a command that is refused and leaves everything as it was."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        before = everything_in(tmp_path)
        capsys.readouterr()  # what came before
        code = main([str(word) for word in words])
        shown = capsys.readouterr()
        assert (code, shown.out) == (2, "")
        assert shown.err.startswith("auxrnn: ")
        assert shown.err.count("\n") == 1
        assert "Traceback" not in shown.err
        assert everything_in(tmp_path) == before
        return shown.err

    return call
