"""Sheets of samples as PNG files: images or texts with the names of their classes. Plain arrays and texts in; no torch,
no data sets by name.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

PER_ROW = 10
TEXT_WIDTH, TEXT_LINES = 110, 3


def draw_images(
    path: Path, rows: Mapping[str, npt.NDArray[Any]], names: Sequence[str], *, title: str, levels: int
) -> None:
    """Images (N, rows, columns, 1 or 3) of 0..levels-1 in lines of ten, a name above each.

    Several entries of `rows` show the same N things in several forms, one below the other, their keys at the left.
    """
    count = len(names)
    columns = min(count, PER_ROW)
    lines = -(-count // PER_ROW)
    figure = _figure(0.95 * columns + 0.8, 1.15 * lines * len(rows) + 0.5, title)
    for form, (label, images) in enumerate(rows.items()):
        for index, (image, name) in enumerate(zip(images, names, strict=True)):
            line, column = divmod(index, PER_ROW)
            place = (line * len(rows) + form) * columns + column + 1
            axes = figure.add_subplot(lines * len(rows), columns, place)
            axes.imshow(image.squeeze() / (levels - 1), cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            if form == 0:
                axes.set_title(textwrap.shorten(name.replace("_", " "), 18, placeholder="…"), fontsize=6)
            if column == 0 and len(rows) > 1:
                axes.set_ylabel(label, fontsize=6)
    figure.savefig(path, dpi=150, format="png")


def draw_texts(path: Path, texts: Sequence[str], names: Sequence[str], *, title: str) -> None:
    """Texts one below the other, each with its class and its length; what does not fit in three lines ends in …"""
    figure = _figure(9, 0.62 * len(texts) + 0.6, title)
    axes = figure.add_subplot(1, 1, 1)
    axes.set(xlim=(0, 1), ylim=(len(texts), 0))
    axes.axis("off")
    for row, (text, name) in enumerate(zip(texts, names, strict=True)):
        lines = textwrap.wrap(text, TEXT_WIDTH, max_lines=TEXT_LINES, placeholder=" …")
        head = f"{name}, {len(text):,} characters"
        axes.text(0, row, head, fontsize=7, weight="bold", va="top", parse_math=False)
        axes.text(0, row + 0.27, "\n".join(lines), fontsize=7, family="monospace", va="top", parse_math=False)
    figure.savefig(path, dpi=150, format="png")


def _figure(width: float, height: float, title: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width, 3.5), height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    return figure
