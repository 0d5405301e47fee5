"""Completion by Tab: bash itself says what a word may become."""

import shutil
import subprocess
import sys
from typing import get_args

import pytest

from auxrnn.cli import main
from auxrnn.cli.completion import SHELLS
from auxrnn.config.choices import Cell


@pytest.fixture(scope="module")
def scripts():
    pytest.importorskip("shtab")
    made = {}
    for shell in SHELLS:
        done = subprocess.run(
            [sys.executable, "-m", "auxrnn", "completion", shell], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        made[shell] = done.stdout
    return made


def completed(script, folder, *words):
    """What bash offers for the last word."""
    given = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=(auxrnn {given}); COMP_CWORD={len(words)}; _shtab_auxrnn; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    command = ["bash", "--norc", "-c", f"{script}\n{ask}"]
    return set(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("exp",), {"export"}),
        (("export", "--fo"), {"--format"}),
        (("export", "run", "--format", ""), {"onnx", "web"}),
        (("train", "data.csv", "--cell", ""), set(get_args(Cell))),
        (("tune", "--aux.pl"), {"--aux.placement"}),
        (("train", "--wat"), {"--watch"}),
        (("tune", "--wat"), set()),
        (("baseline", "data.csv", "--residual", ""), {"true", "false"}),
        (("predict", "ru"), {"runs"}),
        (("train", "--config", "ru"), {"runs"}),
        (("stream", "runs", "--every", "ru"), set()),
    ],
)
def test_bash_offers(scripts, tmp_path, words, offered):
    (tmp_path / "runs").mkdir()
    assert completed(scripts["bash"], tmp_path, *words) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_reads_its_script(scripts, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    subprocess.run([shell, "-n", "/dev/stdin"], input=scripts[shell], text=True, check=True)


def test_without_shtab_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'auxrnn[completion]'" in capsys.readouterr().err
