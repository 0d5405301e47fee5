"""Sections of a page kept as JSON beside it, for when what they were drawn from is gone; figures as SVG."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.report.drawing import Drawing
from auxrnn.report.page import Cell, Figure, Section, Table
from auxrnn.storage.files import read_description, write_atomically


def keep_sections(path: Path, sections: Sequence[Section]) -> None:
    """Write the sections, with their drawings as SVG alone."""
    content = [
        {
            "title": section.title,
            "paragraphs": list(section.paragraphs),
            "tables": [
                asdict(table) | {"rows": [list(map(asdict, row)) for row in table.cells]} for table in section.tables
            ],
            "commands": list(section.commands),
            "figures": [
                {"caption": figure.caption, "name": figure.name, "svg": figure.drawing.svg}
                for figure in section.figures
            ],
        }
        for section in sections
    ]
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def kept_sections(path: Path) -> list[Section]:
    """What was kept at `path`; InputError where the file is damaged."""
    try:
        return [
            Section(
                section["title"],
                section["paragraphs"],
                [_table(table) for table in section["tables"]],
                [_figure(figure) for figure in section["figures"]],
                section.get("commands", ()),
            )
            for section in json.loads(read_description(path))
        ]
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: expected sections of a page and their figures, found: {error}. Delete it to go without them."
        ) from error


def _table(content: dict[str, Any]) -> Table:
    return Table(**content | {"rows": [[Cell(**cell) for cell in row] for row in content["rows"]]})


def _figure(content: dict[str, str]) -> Figure:
    return Figure(content["caption"], Drawing(content["svg"]), content["name"])
