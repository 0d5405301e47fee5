"""Sections come back from their file as they were."""

import pytest

from auxrnn.errors import InputError
from auxrnn.report.figures import draw_curves
from auxrnn.report.kept import keep_sections, kept_sections
from auxrnn.report.page import Cell, Figure, Page, Section, Table, render_page, write_page


@pytest.fixture
def sections():
    drawing = draw_curves({"LSTM <1>": [[(1, 2.0), (2, 3.0)]]}, title="t")
    table = Table("Accuracy", ["model", "%"], [[Cell("LSTM", "note", "runs/a"), Cell("66", strong=True)], ["GRU", "5"]])
    return [Section("First", ["Said."], [table], [Figure("Curves.", drawing, "curves")]), Section("Second")]


def test_there_and_back(tmp_path, sections):
    path, page = tmp_path / "kept.json", tmp_path / "a.html"
    write_page(page, Page("Title", "Lead", sections))
    keep_sections(path, sections)
    assert render_page(Page("Title", "Lead", kept_sections(path, page)), page) == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["{", "[1]", '[{"title": "a"}]', "[{}]"])
def test_damaged_files_are_told(tmp_path, text):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"kept\.json: expected sections of a\.html"):
        kept_sections(path, tmp_path / "a.html")
