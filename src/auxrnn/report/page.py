"""A page of results: plain dataclasses to one HTML file that needs nothing else. Knows nothing of runs.

The figures stand in the page as SVG and lie beside it, in `figures/`, as PNG and SVG files of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from auxrnn.report.drawing import COLOURS, DARK, Drawing, colour_variables, embedded_svg
from auxrnn.storage.files import write_atomically

NOTHING = "–"
"""What a field of a table says where there is nothing to say."""


@dataclass(frozen=True)
class Cell:
    """What one field of a table says.

    note: said smaller below it; link: a relative address (`relative_link`); strong: in bold.
    """

    text: str
    note: str = ""
    link: str | None = None
    strong: bool = False

    def __post_init__(self) -> None:
        if self.link is not None and (urlsplit(self.link).scheme or self.link.startswith("/")):
            raise ValueError(f"Expected an address relative to the page, got {self.link!r}.")


@dataclass(frozen=True)
class Table:
    """A header and rows of as many cells each; the first cell of a row names it. note: said below the table."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    note: str = ""

    def __post_init__(self) -> None:
        wrong = [len(row) for row in self.rows if len(row) != len(self.header)]
        if wrong:
            raise ValueError(f"{self.caption}: expected {len(self.header)} cells a row, got {wrong[0]}.")

    @property
    def cells(self) -> list[list[Cell]]:
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption; name: what its files are called, letters, digits and dashes."""

    caption: str
    drawing: Drawing
    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", self.name):
            raise ValueError(f"Expected a figure's name of letters, digits and dashes, got {self.name!r}.")


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order. commands: lines to type."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """lead: what the page is of, a sentence or two. box: what a reader must know first, in words."""

    title: str
    lead: str
    sections: Sequence[Section] = ()
    box: Section | None = None

    def __post_init__(self) -> None:
        names = [figure.name for section in self.sections for figure in section.figures]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Expected figures of different names, got {', '.join(twice)} twice.")


def write_page(path: Path, page: Page) -> None:
    """Write the page, and its figures as `figures/STEM-NAME.png` and `.svg` beside it; each whole or as it was."""
    for figure in (figure for section in page.sections for figure in section.figures):
        for suffix in (".png", ".svg") if figure.drawing.png else (".svg",):
            figure.drawing.save(path.parent / (figure_file(path, figure) + suffix))
    text = render_page(page, path).encode("utf-8", "backslashreplace")  # names of files may be no text
    write_atomically(path, lambda aside: aside.write_bytes(text))


def render_page(page: Page, path: Path | None = Path("report.html"), *, template: str = "page") -> str:
    """The HTML of a page that will lie at `path`; the same page gives the same bytes.

    path: None for one that is served while a run is trained, whose figures lie nowhere. template: "body" for what
    stands in the page alone.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("auxrnn.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{template}.html.jinja").render(
        page=page,
        live=path is None,
        light=Markup(colour_variables(COLOURS)),
        dark=Markup(colour_variables(DARK)),
        svg=lambda figure: Markup(
            embedded_svg(figure.drawing.svg, figure.name)
        ),  # drawn by us, its texts escaped there
        file=lambda figure: "" if path is None else quote(os.fsencode(figure_file(path, figure))),
    )


def figure_file(path: Path, figure: Figure) -> str:
    """Where a figure of the page at `path` lies, relative to it, without its suffix."""
    return f"figures/{path.stem}-{figure.name}"


def relative_link(target: Path, page: Path) -> str:
    """The address of a file or folder as seen from the page at `page`."""
    return quote(os.fsencode(Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix()))
