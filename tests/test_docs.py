"""Texts: links lead somewhere, Python is Python, what is marked runs, and commands are there."""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from auxrnn.cli.options import build_parser
from auxrnn.cli.parsing import with_underscores
from auxrnn.experiments.arguments import add_options

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(<!-- runs -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page, language):
    """(marked to run, code) of each fenced block of a language."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(bool(marked), code) for marked, name, code in found if name == language]


def headings(page):
    """The anchors of a page's headings, as hubs and the site make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@each_page
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in headings(target)):
            broken.append(link)
    assert not broken


@each_page
def test_python_is_python(page):
    for _, code in blocks(page, "python"):
        compile(code, str(page), "exec")


@each_page
def test_what_is_marked_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "docs"}
    for marked, code in blocks(page, "python"):
        if marked:
            exec(compile(code, str(page), "exec"), names)


def test_some_blocks_are_marked():
    assert sum(marked for page in PAGES for marked, _ in blocks(page, "python")) >= 3


def commands(page):
    """The words of each auxrnn command, without what a shell takes for itself."""
    for _, code in blocks(page, "sh"):
        for line in code.splitlines():
            words = shlex.split(line, comments=True)
            ends = [index for index, word in enumerate(words) if word in ("|", ">", "<", "&&", ";")]
            for start, stop in zip([-1, *ends], [*ends, len(words)], strict=True):
                if words[start + 1 : start + 2] == ["auxrnn"]:
                    yield words[start + 2 : stop]


@each_page
def test_commands_are_there_and_take_their_options(page):
    parser, train = build_parser(), argparse.ArgumentParser()
    add_options(train)
    own = {"train": {"--watch"}, "tune": {"--trials", "--study"}}
    for words in commands(page):
        if words[0] in ("train", "tune", "baseline"):
            said = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
            assert said <= {*train._option_string_actions, *own.get(words[0], ())}
        elif words != ["--help"]:
            assert parser.parse_known_args(with_underscores(words))[1] == []


@pytest.mark.slow
@each_page
def test_shell_that_is_marked_runs(page, tmp_path):
    """From an empty folder, one block after the other."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for marked, code in blocks(page, "sh"):
        if marked:
            subprocess.run(["bash", "-ec", code], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)


@each_page
def test_included_files_are_there(page):
    for name in re.findall(r"^```\{literalinclude\} (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert (page.parent / name).is_file()


def test_every_page_and_example_is_on_the_site():
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8").splitlines()
    pages = {str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")} - {"index"}
    assert pages <= set(index)
    shown = (docs / "examples.md").read_text(encoding="utf-8")
    assert all(f"../examples/{path.name}" in shown for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("myst_parser")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-D", "html_theme=basic"]
    done = subprocess.run([*command, "docs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "LongSequenceClassifier" in (tmp_path / "api" / "estimator.html").read_text(encoding="utf-8")
    from sphinx.search.en import SearchEnglish

    english = SearchEnglish({})
    index = json.loads((tmp_path / "searchindex.js").read_text(encoding="utf-8").partition("(")[2].rstrip(")\n"))
    for words in ("chance", "stride", "nan", "too slow"):
        assert any(words in heading.lower() for heading in index["alltitles"]), words
        for word in map(english.stem, set(words.split()) - set(english.stopwords)):
            assert word in index["terms"] or word in index["titleterms"]
