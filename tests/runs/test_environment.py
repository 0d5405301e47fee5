"""On what a run ran."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

from auxrnn.runs import environment
from auxrnn.runs.environment import describe_environment, installed_version


def test_it_is_plain_and_names_command_and_versions(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/auxrnn", "train", "--out=a b"])
    found = describe_environment()
    assert json.loads(json.dumps(found)) == found
    assert found["command"] == "auxrnn train '--out=a b'"
    assert found["packages"]["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["/somewhere/auxrnn/__main__.py", "doctor"])
    assert describe_environment()["command"] == "python -m auxrnn doctor"


def test_a_package_that_is_not_there():
    assert installed_version("no-such-package-at-all") is None


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of somebody with one commit, and a module below it in our place."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]

    def git(*words):
        subprocess.run(["git", *own, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    module = tmp_path / "package" / "runs" / "module.py"
    module.parent.mkdir(parents=True)
    for path in (module, tmp_path / "page.html"):
        path.write_text("one")
        git("add", str(path))
    git("commit", "-m", "one")
    monkeypatch.setattr(environment, "__file__", str(module))
    return tmp_path


def test_the_commit_of_the_sources_and_whether_they_differ(repository):
    commit = environment._commit()
    assert commit is not None
    assert len(commit) == 12
    (repository / "page.html").write_text("two")  # no source
    assert environment._commit() == commit
    (repository / "package" / "other.py").write_text("two")  # not one of theirs
    assert environment._commit() == commit
    (repository / "package" / "runs" / "module.py").write_text("two")
    assert environment._commit() == f"{commit}+changes"


def test_installed_below_somebody_elses_repository(repository, monkeypatch):
    (repository / "venv").mkdir()
    (repository / "venv" / "module.py").write_text("one")
    monkeypatch.setattr(environment, "__file__", str(repository / "venv" / "module.py"))
    assert environment._commit() is None


def test_no_repository_or_no_git(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "module.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment._commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment._commit() is None
