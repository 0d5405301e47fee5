"""What the package says of itself: one version everywhere, and a description that needs no file beside it."""

import re
import tomllib
from pathlib import Path

import yaml

import auxrnn

ROOT = Path(__file__).parents[1]


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (newest, *_) = re.findall(r"^## \[(.+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert citation["version"] == auxrnn.__version__ == newest


def test_the_description_leads_to_no_file():
    """As the build makes it: the substitutions of pyproject.toml, one after the other."""
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\]\(docs/", text)
    for substitution in hook["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    assert re.findall(r"\]\((?!https://)", text) == []
    assert "Further: what it is for" in text
    assert "(https://arxiv.org/abs/1803.00144)" in text
