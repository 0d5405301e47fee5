"""A drawing: one matplotlib figure as SVG that follows the page's light or dark, and as PNG on white.

Colours are drawn as they look on white and become CSS variables in the SVG: the ink is the text's own colour, the
series are `--series-1` ... of the page. The same input gives the same bytes. Knows nothing of what is drawn.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.storage.files import write_atomically

INK = "#1d2129"
COLOURS = ("#2468b4", "#c2571a", "#2a7f4f", "#b3303c", "#7650a8", "#7a5c2e")
DARK = ("#6fabf0", "#f0965a", "#63c48d", "#f07f88", "#b698e6", "#c9a66b")
"""The series on a dark page, in the order of COLOURS."""
MARKERS = ("o", "s", "^", "D", "v", "P")
MOST_POINTS = 1000
"""Of a drawn signal; from twice as many on, each stretch is drawn from its least to its greatest value."""
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the reader's own font
    "svg.hashsalt": "auxrnn",
    "text.parse_math": False,  # names are people's own, and may hold a $
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "xtick.labelcolor", "ytick.labelcolor", "grid.color"), INK),
}


@dataclass(frozen=True)
class Drawing:
    """svg: an `<svg>` element that stands alone as a file; png: the same as the bytes of a PNG file, empty for none."""

    svg: str
    png: bytes = b""

    def save(self, path: Path) -> None:
        """Write the PNG, or the SVG where the name ends so; whole or as it was."""
        if path.suffix == ".svg":
            write_atomically(path, lambda aside: aside.write_text(self.svg, encoding="utf-8"))
        else:
            write_atomically(path, lambda aside: aside.write_bytes(self.png))


class Canvas:
    """A figure to draw on, in a `with` block; `drawing` afterwards."""

    def __init__(self, width: float, height: float, *, description: str) -> None:
        """width, height: in inches; description: what the figure shows, for those who cannot see it."""
        import matplotlib

        self._context = matplotlib.rc_context(_SETTINGS)
        self._size, self._description = (width, height), description
        self.drawing = Drawing("", b"")

    def __enter__(self) -> Any:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._context.__enter__()
        self.figure = Figure(figsize=self._size, layout="constrained")
        FigureCanvasAgg(self.figure)
        return self.figure

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if error is None:
                png, svg = io.BytesIO(), io.BytesIO()
                self.figure.savefig(png, format="png", dpi=150, facecolor="white", metadata={"Software": None})
                nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
                self.figure.savefig(svg, format="svg", transparent=True, metadata=nothing)
                self.drawing = Drawing(_own_svg(svg.getvalue().decode(), self._description), png.getvalue())
        finally:
            self._context.__exit__(kind, error, trace)


def outline(
    line: npt.NDArray[np.float64], points: int = MOST_POINTS
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Steps and values to draw: all, or of a long line the least and the greatest value of each stretch."""
    if len(line) <= 2 * points:
        return np.arange(len(line)), line
    starts = np.arange(points) * len(line) // points
    ends = np.stack([np.minimum.reduceat(line, starts), np.maximum.reduceat(line, starts)], 1)
    return np.repeat(starts, 2), ends.ravel()


def series_style(index: int) -> dict[str, Any]:
    """Colour, marker and dashes of the series number `index`: no two of the first 36 look alike, in grey either."""
    turn = index // len(COLOURS)
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[(index + turn) % len(MARKERS)],
        "linestyle": STYLES[(index + turn) % len(STYLES)],
    }


def colour_variables(colours: tuple[str, ...]) -> str:
    """The CSS that sets the series' colours."""
    return " ".join(f"--series-{index}: {colour};" for index, colour in enumerate(colours, 1))


def _own_svg(text: str, description: str) -> str:
    """matplotlib's SVG without its head and metadata, scalable, described, with the page's colours."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert found is not None
    body = text[text.index("<defs>") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    for index, colour in enumerate(COLOURS, 1):
        body = body.replace(colour, f"var(--series-{index}, {colour})")
    body = body.replace(INK, "currentColor")
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {found[1]} {found[2]}" role="img" aria-label="{escape(description)}">'
    )
    own = f"<style>svg {{ {colour_variables(DARK)} color: #e6e8ec; background: #15181d; }}</style>"
    dark = own.replace("<style>", '<style media="(prefers-color-scheme: dark)">')
    return f"{opening}\n{dark}\n<title>{escape(description)}</title>\n{body.strip()}\n"


def embedded_svg(svg: str, prefix: str) -> str:
    """An SVG to stand among others in one page: ids of its own, the page's style instead of its own."""
    svg = re.sub(r"<style media=.*?</style>\n", "", svg, count=1)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    return re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", svg)
