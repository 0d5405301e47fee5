"""Figures of stored results, as PNG files. Functions of plain numbers and arrays: no torch, no runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Curve = Sequence[tuple[float, float]]  # (epoch, value) of one run

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")


def _axes(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def draw_curves(
    path: Path,
    curves: Mapping[str, Sequence[Curve]],
    *,
    title: str,
    xlabel: str = "epoch, pretraining included",
    ylabel: str = "validation accuracy, %",
) -> None:
    """Mean over the runs of each model as a line, their range as a band. Runs of one model share their epochs."""
    figure, axes = _axes(6.4, 3.8)
    for (name, runs), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        shared = sorted(set.intersection(*({epoch for epoch, _ in run} for run in runs)))
        values = np.array([[dict(run)[epoch] for epoch in shared] for run in runs])
        axes.plot(shared, values.mean(0), color=colour, label=name)
        if len(runs) > 1:
            axes.fill_between(shared, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def draw_memory(
    path: Path, originals: npt.NDArray[Any], remembered: npt.NDArray[Any], *, title: str, levels: int
) -> None:
    """Images (N, rows, columns), grey or RGB, above what the memory held of them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(originals)
    figure = Figure(figsize=(0.8 * count + 1.2, 2.3), layout="constrained")
    FigureCanvasAgg(figure)
    for row, (images, name) in enumerate(((originals, "shown"), (remembered, "remembered"))):
        for column, image in enumerate(images):
            axes = figure.add_subplot(2, count, row * count + column + 1)
            axes.imshow(image / (levels - 1), cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(name, fontsize=8)
    figure.suptitle(title, fontsize=9)
    figure.savefig(path, dpi=120)


def draw_lines(
    path: Path, lines: Mapping[str, Curve], *, title: str, xlabel: str, ylabel: str, logarithmic: bool = True
) -> None:
    """One line a name over (x, y), both axes logarithmic by default."""
    figure, axes = _axes(6.4, 3.8)
    for (name, points), colour in zip(lines.items(), cycle(COLOURS), strict=False):
        axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if logarithmic:
        axes.set(xscale="log", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
