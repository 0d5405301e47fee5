"""Texts: links lead somewhere, Python is Python, what is marked runs, and commands are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from auxrnn.cli.options import build_parser

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


@each_page
def test_commands_are_there(page):
    known = set(build_parser()._choices())
    for _, code in blocks(page, "sh"):
        words = re.findall(r"(?:^|[|;&] *)auxrnn (\w+)", code, re.MULTILINE)
        assert set(words) <= known


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
