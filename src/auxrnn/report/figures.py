"""Figures of stored results: functions of plain numbers and arrays to a `Drawing`. No torch, no runs, no files."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.report.drawing import COLOURS, INK, Canvas, Drawing, outline, series_style

Curve = Sequence[tuple[float, float]]  # (x, value), of one run

SHADE = (0.45, 0.55, 0.75, 0.35)
"""What is not there, unlike any grey level and on light and dark alike."""

WIDTH, HEIGHT = 4.9, 3.4  # in inches, small enough that the text can be read on a phone

LONGEST_OF_TWO = 26
"""Letters of a name up to which two stand side by side in a legend."""

ROWS_WITHIN, LEGEND_ROW = 4, 0.185
"""Rows of a legend for which HEIGHT has room, and the inches of each one more."""

TITLE_LETTERS, LEGEND_LETTERS, CLASS_LETTERS = 54, 56, 18
"""Letters of a line of a title, a legend and a class beside its confusions; what is longer goes on in the next line."""

SEQUENCE_POINTS = 300
"""Stretches of a drawn sequence, each from its least to its greatest value."""

TITLE_LINE = 0.17
"""Inches of each line of a title but the first."""


@dataclass(frozen=True)
class Point:
    """A mean with its interval; low and high are None for a single run."""

    x: float
    mean: float
    low: float | None = None
    high: float | None = None


def draw_curves(
    curves: Mapping[str, Sequence[Curve]],
    *,
    title: str,
    xlabel: str = "epoch, pretraining included",
    ylabel: str = "validation accuracy, %",
    logarithmic: bool = False,
    levels: Mapping[str, float] | None = None,
    order: Sequence[str] = (),
) -> Drawing:
    """Mean over the runs of each name as a line, their range as a band. Only what all runs of a name have is drawn.

    levels: horizontal lines with their names, for example what no look at the sequence gives. order: every name of the
    page, so that a name has one colour in all its figures.
    """
    canvas = Canvas(WIDTH, HEIGHT, description=f"{title}: {ylabel} against {xlabel} for {', '.join(curves)}")
    with canvas as figure:
        axes = figure.subplots()
        for name, runs in curves.items():
            shared = sorted(set.intersection(*({x for x, _ in run} for run in runs)))
            values = np.array([[dict(run)[x] for x in shared] for run in runs])
            style = _style(name, curves, order)
            few = max(len(shared) // 8, 1)
            axes.plot(shared, values.mean(0), label=name, markersize=4, markevery=few, **style)
            if len(runs) > 1:
                axes.fill_between(shared, values.min(0), values.max(0), color=style["color"], alpha=0.2, linewidth=0)
        for index, (name, level) in enumerate((levels or {}).items()):
            axes.axhline(level, color=INK, linewidth=1, linestyle=(":", "--", "-.")[index % 3], label=name)
        if logarithmic:
            axes.set(yscale="log")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _finish(figure, axes, title, xlabel, ylabel)
    return canvas.drawing


def draw_lines(
    lines: Mapping[str, Curve], *, title: str, xlabel: str, ylabel: str, logarithmic: bool = True
) -> Drawing:
    """One line a name over (x, y), both axes logarithmic by default: time and memory against length."""
    points = {name: [Point(x, y) for x, y in line] for name, line in lines.items()}
    return draw_points(points, title=title, xlabel=xlabel, ylabel=ylabel, log_x=logarithmic, log_y=logarithmic)


def draw_points(
    lines: Mapping[str, Sequence[Point]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
    mark: Mapping[str, float] | None = None,
    span: Mapping[str, tuple[float, float]] | None = None,
    order: Sequence[str] = (),
) -> Drawing:
    """One line a name with the interval of each point: accuracy against length, gradients and errors against distance.

    mark: vertical lines at x with their names, for example the end of truncation. span: stretches of x with their
    names, shaded. order: as in `draw_curves`.
    """
    canvas = Canvas(WIDTH, HEIGHT, description=f"{title}: {ylabel} against {xlabel} for {', '.join(lines)}")
    with canvas as figure:
        axes = figure.subplots()
        for name, points in lines.items():
            xs, means = [point.x for point in points], [point.mean for point in points]
            few = max(len(points) // 12, 1)
            style = _style(name, lines, order)
            axes.plot(xs, means, label=name, markersize=4, markevery=few, **style)
            for point in points:
                if point.low is not None and point.high is not None:
                    axes.plot([point.x, point.x], [point.low, point.high], color=style["color"], linewidth=1.2)
        for name, x in (mark or {}).items():
            axes.axvline(x, color=INK, linewidth=1, linestyle=":", label=name)
        for name, (first, last) in (span or {}).items():
            axes.axvspan(first, last, color=INK, alpha=0.15, linewidth=0, label=name)
        axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
        _finish(figure, axes, title, xlabel, ylabel)
    return canvas.drawing


def draw_bars(bars: Mapping[str, Point], *, title: str, xlabel: str = "points against the baseline") -> Drawing:
    """A bar a name from a line at 0, with its interval and its number: the ablation. `x` of a point is not used."""
    canvas = Canvas(WIDTH, 1.1 + 0.3 * len(bars), description=f"{title}: {xlabel} for {', '.join(bars)}")
    with canvas as figure:
        axes = figure.subplots()
        ends = [0.0]
        for row, point in enumerate(bars.values()):
            worse = point.mean < 0
            axes.barh(row, point.mean, color=COLOURS[1 if worse else 0], height=0.62, alpha=0.75)
            low, high = (point.mean if end is None else end for end in (point.low, point.high))
            if point.low is not None:
                axes.plot([low, high], [row, row], color=INK, linewidth=1.2, marker="|", markersize=6)
            ends += [low, high, point.mean]
            axes.annotate(_signed(point.mean), (max(high, point.mean, 0.0), row), xytext=(4, 0), va="center",
                          textcoords="offset points", fontsize=8)  # fmt: skip
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(bars)), list(bars))
        axes.invert_yaxis()
        room = 0.18 * (max(ends) - min(ends) or 1.0)
        axes.set_xlim(min(ends) - 0.03 * room, max(ends) + room)
        _finish(figure, axes, title, xlabel, "")
    return canvas.drawing


def draw_confusion(counts: npt.ArrayLike, classes: Sequence[str], *, title: str) -> Drawing:
    """Rows: the true class; columns: the answer; shade: share of the row; numbers where there is room for them."""
    table = np.asarray(counts)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    right = np.trace(table) / max(int(table.sum()), 1)
    side = WIDTH if len(classes) <= 20 else 1.4 * WIDTH
    canvas = Canvas(side, side, description=f"{title}: {100 * right:.1f} % of {int(table.sum()):,} lie on the diagonal")
    with canvas as figure:
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="none")
        if len(classes) <= 20:
            for row, column in np.argwhere(table > 0):
                colour = "#ffffff" if share[row, column] > 0.7 else "#10141a"  # on the shade, in light and dark alike
                axes.text(column, row, f"{table[row, column]}", ha="center", va="center", color=colour, fontsize=7.5)
            names = [_wrapped(name, CLASS_LETTERS) for name in classes]
            axes.set_xticks(range(len(names)), names, rotation=0 if max(map(len, classes)) < 4 else 90)
            axes.set_yticks(range(len(names)), names)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set(xlabel="answered", ylabel="true class")
        _title(figure, title)
    return canvas.drawing


def draw_scatter(true: npt.ArrayLike, answered: npt.ArrayLike, *, title: str) -> Drawing:
    """A dot for each answer against the true value, and the line on which both are the same."""
    x, y = np.asarray(true, dtype=float), np.asarray(answered, dtype=float)
    canvas = Canvas(WIDTH, WIDTH, description=f"{title}: {len(x):,} answers against true values")
    with canvas as figure:
        axes = figure.subplots()
        ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
        axes.plot(ends, ends, color=INK, linewidth=1, linestyle=":")
        few = len(x) <= 200
        axes.scatter(x, y, s=14 if few else 5, color=COLOURS[0], alpha=0.7 if few else 0.35, linewidths=0)
        _finish(figure, axes, title, "true value", "answer")
    return canvas.drawing


def draw_images(
    rows: Mapping[str, npt.NDArray[Any]], *, title: str, levels: int, missing: npt.NDArray[Any] | None = None
) -> Drawing:
    """A row of images a name, each (N, rows, columns), grey or RGB, in 0..levels-1: what the memory holds.

    missing: (names, rows, columns) bool, the pixels of each row that were not asked for; they are shaded.
    """
    columns = max(len(images) for images in rows.values())
    shape = next(iter(rows.values())).shape[1:3]
    cell = min(0.62, (WIDTH - 0.9) / columns)
    canvas = Canvas(
        cell * columns + 0.9,
        cell * len(rows) * shape[0] / shape[1] * 1.08 + 0.45,
        description=f"{title}: {columns} images, each shown as {', '.join(rows)}",
    )
    with canvas as figure:
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.06, hspace=0.04)
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for row, (name, images) in enumerate(rows.items()):
            for column, axes in enumerate(grid[row]):
                axes.set(xticks=[], yticks=[])
                if column == 0:
                    axes.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
                if column >= len(images):
                    axes.set_axis_off()
                    continue
                colours = images[column] / (levels - 1)
                colours = np.dstack([colours] * 3) if colours.ndim == 2 else colours
                pixels = np.dstack([colours, np.ones(shape)])
                if missing is not None:
                    pixels[missing[row]] = SHADE
                axes.imshow(pixels, interpolation="none")
                axes.spines[:].set_visible(True)
                axes.spines[:].set(linewidth=0.4, alpha=0.5)
        _title(figure, title)
    return canvas.drawing


@dataclass(frozen=True)
class Answers:
    """What was answered, by name: at moments, or where one stretch after the other is left out.

    ends: (n,) where each moment stands; or (n + 1,) the ends of the stretches. shares: (n,) by name.
    """

    ends: Sequence[float]
    shares: Mapping[str, npt.NDArray[Any]]
    label: str


def draw_sequence(
    channels: Mapping[str, npt.NDArray[Any]],
    answers: Sequence[Answers],
    *,
    title: str,
    xlabel: str = "step",
    scale: float = 1.0,
    image: npt.NDArray[Any] | None = None,
    order: Sequence[str] = (),
    bounded: bool = True,
) -> Drawing:
    """One sequence, what was answered while it was read, and what is answered without each stretch, above each other.

    channels: (T,) each, by name with its unit. scale: what one step is in units of `xlabel`. image: (rows, columns) or
    with colours, drawn in place of channels. order: as in `draw_curves`. bounded: answers are probabilities.
    """
    heights = [1.5] if image is not None else [0.62] * len(channels)
    heights += [1.15] * len(answers)
    names = list(dict.fromkeys(name for part in answers for name in part.shares))
    canvas = Canvas(WIDTH, sum(heights) + 1.0, description=f"{title}; {', '.join([*channels, *names])} by {xlabel}")
    with canvas as figure:
        rows = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0].tolist()
        if image is not None:
            axes = rows.pop(0)
            axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
            axes.set_axis_off()
        for name, line in () if image is not None else channels.items():
            axes = rows.pop(0)
            steps, drawn = outline(line, SEQUENCE_POINTS)
            axes.plot(scale * steps, drawn, color=INK, linewidth=0.5)
            axes.set_ylabel(_wrapped(name, 11), fontsize=7.5, rotation=0, ha="right", va="center")
        for part, axes in zip(answers, rows, strict=True):
            for name, shares in part.shares.items():
                style = _style(name, part.shares, order or names)
                if len(part.ends) > len(shares):
                    axes.stairs(shares, part.ends, baseline=None, color=style["color"], linestyle=style["linestyle"])
                else:
                    axes.plot(part.ends, shares, label=name, markersize=3, markevery=max(len(shares) // 8, 1), **style)
            axes.set_ylabel(_wrapped(part.label, 12), fontsize=7.5)
            axes.grid(alpha=0.2, linewidth=0.6)
            if bounded:
                axes.set_ylim(-0.03, 1.03)
        for axes in figure.axes[image is not None :]:
            axes.set_xlim(0, answers[0].ends[-1])
            axes.tick_params(labelsize=7, labelbottom=axes is rows[-1])
        rows[-1].set_xlabel(xlabel)
        rows[-1].xaxis.set_major_formatter(_plain)
        _title(figure, title)
        figure.align_ylabels(figure.axes)
        _legend(figure, *rows[0].get_legend_handles_labels())
    return canvas.drawing


def _style(name: str, drawn: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The look of a series: by its place in `order`; one that is not there comes after, in the order drawn."""
    names = [*order, *(own for own in drawn if own not in order)]
    return series_style(names.index(name))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _plain(value: float, position: int) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:g}"


def _decades(axis: Any) -> float:
    low, high = axis.get_view_interval()
    return float(np.log10(high / low))


def _finish(figure: Any, axes: Any, title: str, xlabel: str, ylabel: str) -> None:
    axes.set(xlabel=xlabel, ylabel=ylabel)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(_plain)
            axis.set_minor_formatter(_plain if _decades(axis) < 1.5 else "")
    axes.grid(alpha=0.2, linewidth=0.6)
    _title(figure, title)
    _legend(figure, *axes.get_legend_handles_labels())


def _title(figure: Any, title: str) -> None:
    """A title over as many lines as it needs, for which the figure grows."""
    if title:
        lines = _wrapped(title, TITLE_LETTERS)
        figure.suptitle(lines, fontsize=10)
        figure.set_figheight(figure.get_figheight() + TITLE_LINE * lines.count("\n"))


def _legend(figure: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """The names of the series below the axes, whole; the figure grows for those that take many lines."""
    if not labels:
        return
    columns = 2 if len(labels) > 1 and max(map(len, labels)) <= LONGEST_OF_TWO else 1
    labels = [_wrapped(label, LEGEND_LETTERS) for label in labels]
    rows = math.ceil(sum(label.count("\n") + 1 for label in labels) / columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * max(rows - ROWS_WITHIN, 0))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, handlelength=3.2)


def _wrapped(text: str, letters: int) -> str:
    return textwrap.fill(text, letters, break_on_hyphens=False)
