"""Sections of a page kept as JSON beside it, for when what they were drawn from is gone; figures stay in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.files import read_description, write_atomically
from auxrnn.report.drawing import Drawing
from auxrnn.report.page import Cell, Figure, Section, Table, figure_file


def keep_sections(path: Path, sections: Sequence[Section]) -> None:
    """Write all but the drawings, which `report.page.write_page` puts beside the page."""
    content = [
        {
            "title": section.title,
            "paragraphs": list(section.paragraphs),
            "tables": [
                asdict(table) | {"rows": [list(map(asdict, row)) for row in table.cells]} for table in section.tables
            ],
            "commands": list(section.commands),
            "figures": [{"caption": figure.caption, "name": figure.name} for figure in section.figures],
        }
        for section in sections
    ]
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def kept_sections(path: Path, page: Path) -> list[Section]:
    """What was kept at `path`, with the drawings of the page at `page`; InputError where a file is gone or damaged."""
    try:
        return [
            Section(
                section["title"],
                section["paragraphs"],
                [_table(table) for table in section["tables"]],
                [_figure(figure, page) for figure in section["figures"]],
                section.get("commands", ()),
            )
            for section in json.loads(read_description(path))
        ]
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: expected sections of {page.name} and their figures, found: {error}. Delete it to go without them."
        ) from error


def _table(content: dict[str, Any]) -> Table:
    return Table(**content | {"rows": [[Cell(**cell) for cell in row] for row in content["rows"]]})


def _figure(content: dict[str, str], page: Path) -> Figure:
    figure = Figure(content["caption"], Drawing("", b""), content["name"])
    place = page.parent / figure_file(page, figure)
    svg = place.with_name(place.name + ".svg").read_text(encoding="utf-8")
    return Figure(figure.caption, Drawing(svg, place.with_name(place.name + ".png").read_bytes()), figure.name)
