"""Sheets of samples as PNG files: images, texts or lines with the names of their classes. Plain arrays and texts in; no
torch, no data sets by name.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.report.drawing import outline
from auxrnn.storage.files import write_atomically

PER_ROW = 10
TEXT_WIDTH, TEXT_LINES = 110, 3
LINES_PER_ROW = 4
MOST_CHANNELS = 8


def sheet_of_images(
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
    write_atomically(path, lambda aside: figure.savefig(aside, dpi=150, format="png"))


def sheet_of_texts(path: Path, texts: Sequence[str], names: Sequence[str], *, title: str) -> None:
    """Texts one below the other, each with its class and its length; what does not fit in three lines ends in …"""
    figure = _figure(9, 0.62 * len(texts) + 0.6, title)
    axes = figure.add_subplot(1, 1, 1)
    axes.set(xlim=(0, 1), ylim=(len(texts), 0))
    axes.axis("off")
    for row, (text, name) in enumerate(zip(texts, names, strict=True)):
        lines = textwrap.wrap(text[: 4 * TEXT_WIDTH * TEXT_LINES], TEXT_WIDTH, max_lines=TEXT_LINES, placeholder=" …")
        head = f"{name}, {len(text):,} characters"
        axes.text(0, row, head, fontsize=7, weight="bold", va="top", parse_math=False)
        axes.text(0, row + 0.27, "\n".join(lines), fontsize=7, family="monospace", va="top", parse_math=False)
    write_atomically(path, lambda aside: figure.savefig(aside, dpi=150, format="png"))


def sheet_of_lines(
    path: Path,
    sequences: Sequence[npt.NDArray[Any]],
    names: Sequence[str],
    *,
    title: str,
    channels: Sequence[str] = (),
) -> None:
    """Sequences (T_i, C) over their steps, four a row, a name and the length above each.

    One channel is drawn in its own units. Several stand one below the other, each between its least and greatest value
    of all that are shown; of more than eight the first eight. channels: their names, numbers where there are none.
    """
    number = sequences[0].shape[1]
    shown = min(number, MOST_CHANNELS)
    labels = list(channels[:shown]) or [str(channel) for channel in range(shown)]
    if shown < number:
        title += f"; the first {shown} of {number:,} channels"
    parts = [sequence[:, :shown].astype(np.float64) for sequence in sequences]
    least = np.min([part.min(0) for part in parts], axis=0)
    greatest = np.max([part.max(0) for part in parts], axis=0)
    span = np.where(greatest > least, greatest - least, 1.0)
    columns = min(len(parts), LINES_PER_ROW)
    rows = -(-len(parts) // LINES_PER_ROW)
    figure = _figure(2.6 * columns + 0.8, (1.0 + 0.25 * shown) * rows + 0.5, title)
    axes = None
    for index, (part, name) in enumerate(zip(parts, names, strict=True)):
        axes = figure.add_subplot(rows, columns, index + 1, sharey=axes)
        for channel in range(shown):
            steps, line = outline(part[:, channel])
            if shown > 1:
                line = (line - least[channel]) / span[channel] * 0.9 - channel
            axes.plot(steps, line, linewidth=0.7)
        head = f"{textwrap.shorten(name.replace('_', ' '), 30, placeholder='…')}, {len(part):,} steps"
        axes.set_title(head, fontsize=6, parse_math=False)
        axes.tick_params(labelsize=5)
        if shown > 1:
            axes.set_yticks([0.45 - channel for channel in range(shown)], labels, parse_math=False)
    write_atomically(path, lambda aside: figure.savefig(aside, dpi=150, format="png"))


def _figure(width: float, height: float, title: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width, 3.5), height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    return figure
