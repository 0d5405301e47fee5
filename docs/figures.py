"""Draws the figures of docs/truncation.md: `python docs/figures.py`. The same bytes each time."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).with_name("figures")
GREY, BLUE, ORANGE, GREEN = "#c9ced6", "#1f6fb4", "#d97706", "#2f855a"
T = 60
STYLE = {"svg.hashsalt": "auxrnn", "svg.fonttype": "path", "font.size": 9}


def axes(height, rows):
    figure, drawn = plt.subplots(figsize=(7.2, height), layout="constrained")
    drawn.set(xlim=(-0.5, T + 0.5), ylim=(-0.6, rows - 0.2), yticks=[], xlabel="step")
    for side in ("left", "right", "top"):
        drawn.spines[side].set_visible(False)
    return figure, drawn


def bar(drawn, start, stop, row, colour, text="", height=0.42):
    drawn.broken_barh([(start, stop - start)], (row, height), color=colour)
    drawn.text((start + stop) / 2, row + height / 2, text, ha="center", va="center", color="white", fontsize=8)


def back(drawn, stop, start, row, colour):
    """An arrow for the way of a gradient."""
    drawn.annotate("", (start, row), (stop, row), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.4})


def windows():
    figure, drawn = axes(2.3, 3)
    bar(drawn, 0, T, 1.7, GREY)
    first = "1. all steps once, without gradient, in chunks; the states at the dots are kept"
    second = "2. the windows as one batch, with gradient (arrows: how far back it goes)"
    drawn.text(1, 1.91, first, fontsize=8, va="center")
    drawn.text(0, -0.35, second, fontsize=8, va="center")
    for start, stop, colour, text in ((14, 24, ORANGE, "an auxiliary loss"), (46, 60, BLUE, "supervised: the last K")):
        drawn.plot(start, 1.7, "o", color=colour, markersize=6, zorder=3)
        drawn.annotate("", (start, 0.85), (start, 1.66), arrowprops={"arrowstyle": "->", "color": "#555555"})
        bar(drawn, start, stop, 0.4, colour, text)
        back(drawn, stop, start, 0.22, colour)
    return figure


def anchors():
    figure, drawn = axes(3.4, 4)
    for row, (anchor, later) in enumerate(((41, 12), (20, 33), (52, 26))):
        level = 2.9 - row * 1.25
        bar(drawn, 0, T, level, GREY, height=0.3)
        bar(drawn, anchor - 9, anchor, level, ORANGE, height=0.3)
        bar(drawn, later, later + 9, level, GREEN, height=0.3)
        bar(drawn, T - 8, T, level + 0.34, BLUE, height=0.12)
        for place, colour in ((anchor, ORANGE), (later, GREEN)):
            drawn.plot(place, level + 0.15, "o", color=colour, markeredgecolor="black", markersize=6, zorder=3)
        back(drawn, anchor, anchor - 9, level - 0.12, ORANGE)
        back(drawn, later + 9, later, level - 0.12, GREEN)
        drawn.text(0, level + 0.4, f"training step {row + 1}", fontsize=8, va="bottom")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (ORANGE, GREEN, BLUE)]
    names = ["reconstructed from the anchor behind", "predicted from the anchor in front", "supervised window"]
    drawn.legend(handles, names, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with plt.rc_context(STYLE):
        for draw in (windows, anchors):
            draw().savefig(FOLDER / f"{draw.__name__}.svg", metadata={"Date": None})
