"""Sections come back from their file as they were."""

from dataclasses import replace

import pytest

from auxrnn.errors import InputError
from auxrnn.report.drawing import Drawing
from auxrnn.report.figures import draw_curves
from auxrnn.report.kept import keep_sections, kept_sections
from auxrnn.report.page import Cell, Figure, Page, Section, Table, render_page, write_page


@pytest.fixture
def sections():
    drawing = draw_curves({"LSTM <1>": [[(1, 2.0), (2, 3.0)]]}, title="t")
    table = Table("Accuracy", ["model", "%"], [[Cell("LSTM", "note", "runs/a"), Cell("66", strong=True)], ["GRU", "5"]])
    return [Section("First", ["Said."], [table], [Figure("Curves.", drawing, "curves")]), Section("Second")]


def test_there_and_back(tmp_path, sections):
    """All but the PNG files, without anything beside the JSON: also in a clone without the figures' files."""
    keep_sections(tmp_path / "kept.json", sections)
    kept = kept_sections(tmp_path / "kept.json")
    figure = sections[0].figures[0]
    assert kept[0].figures[0].drawing.svg == figure.drawing.svg
    without = replace(sections[0], figures=[replace(figure, drawing=Drawing(figure.drawing.svg))])
    assert render_page(Page("Title", "Lead", kept)) == render_page(Page("Title", "Lead", [without, sections[1]]))
    write_page(tmp_path / "a.html", Page("Title", "Lead", kept))
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["a-curves.svg"]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"title": "a"}]', "[{}]"])
def test_damaged_files_are_told(tmp_path, text):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"kept\.json: expected sections of a page"):
        kept_sections(path)
