"""One drawing gives an SVG for the page and a PNG; both are functions of the input."""

import re
from xml.etree import ElementTree

import pytest

from auxrnn.report.drawing import COLOURS, DARK, INK, Canvas, colour_variables, embedded_svg, series_style


def draw(title="a < b & c", description="what <it> shows"):
    canvas = Canvas(3, 2, description=description)
    with canvas as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [1, 2], label="line", **series_style(1))
        axes.set(title=title)
    return canvas.drawing


def test_the_same_bytes_every_time():
    assert draw() == draw()
    assert draw() != draw("another")


def test_files(tmp_path):
    drawing = draw()
    drawing.save(tmp_path / "a.svg")
    drawing.save(tmp_path / "a.png")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == drawing.svg
    assert (tmp_path / "a.png").read_bytes() == drawing.png
    assert ElementTree.parse(tmp_path / "a.svg").getroot().get("viewBox") == "0 0 216 144"


def test_the_svg_follows_the_page():
    svg = draw().svg
    assert "currentColor" in svg
    assert INK not in svg
    assert f"var(--series-2, {COLOURS[1]})" in svg
    assert "width=" not in svg[: svg.index(">")]  # as wide as its place


def test_the_svg_says_what_it_shows():
    root = ElementTree.fromstring(draw().svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "what <it> shows"
    assert root.find("{http://www.w3.org/2000/svg}title").text == "what <it> shows"


def test_no_date_and_no_address():
    svg = draw().svg
    assert "metadata" not in svg
    assert set(re.findall(r"https?://[^\"]*", svg)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_ids_of_an_embedded_svg_are_its_own():
    first, second = (embedded_svg(draw().svg, name) for name in ("one", "two"))
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in (first, second)]
    assert not set(ids[0]) & set(ids[1])
    assert all(name.startswith("one-") for name in ids[0])
    for svg, own in zip((first, second), ids, strict=True):
        used = re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)
        assert used
        assert set(used) <= set(own)
    assert "http" not in first
    assert "<style media" not in first


def test_settings_do_not_stay():
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw()
    with pytest.raises(ZeroDivisionError), Canvas(2, 2, description=""):
        1 / 0  # noqa: B018
    assert dict(matplotlib.rcParams) == before


def luminance(colour):
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("ground", "colours"), [("#ffffff", COLOURS), ("#15181d", DARK)])
def test_colours_stand_out_from_their_ground(ground, colours):
    """Contrast of at least 3 to 1 for parts of a graphic (WCAG 2.1, 1.4.11)."""
    assert len(COLOURS) == len(DARK)
    for colour in colours:
        low, high = sorted((luminance(ground), luminance(colour)))
        assert (high + 0.05) / (low + 0.05) >= 3


def test_colour_variables():
    assert colour_variables(("#111111", "#222222")) == "--series-1: #111111; --series-2: #222222;"
