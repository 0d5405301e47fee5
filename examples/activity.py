"""A label for every step: an accelerometer on a belt, written as a long-form table and learned by the command line.

Whoever carries a box walks like anybody else; the lift before it, fifteen steps long, is all that tells. This
writes activity.csv and new.csv where it is called and trains one short epoch; docs/activity.md has the whole training.
"""

import csv
from pathlib import Path

import numpy as np

from auxrnn.cli import main

TAGS = ("rest", "walk", "carry")


def record(rng, steps=600):
    """Three axes (steps, 3) at 20 samples a second, and the tag of each step."""
    axes, tags = rng.normal(0, 0.3, (steps, 3)), np.zeros(steps, int)
    start, moving = 0, False
    while start < steps:
        stop = min(start + rng.integers(40, 100), steps)
        if moving:
            tags[start:stop] = rng.integers(1, 3)
            phase = 2 * np.pi * (rng.uniform(1.6, 2.2) / 20 * np.arange(stop - start) + rng.uniform())
            axes[start:stop] += np.stack([0.4 * np.sin(phase / 2), 0.3 * np.cos(phase), np.sin(phase)], 1)
            if tags[start] == TAGS.index("carry"):
                lift = axes[start : min(start + 15, stop)]
                lift[:, 2] += 2 * np.sin(np.linspace(0, 2 * np.pi, 15))[: len(lift)]
        start, moving = stop, not moving
    return axes, tags


def write(path, recordings, seed=0):
    """A row a step: the recording, the time, the three axes, the tag."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "time", "x", "y", "z", "label"])
        for recording in range(recordings):
            for step, (axes, tag) in enumerate(zip(*record(rng), strict=True)):
                rows.writerow([recording, step / 20, *axes.round(3), TAGS[tag]])


write(Path("activity.csv"), recordings=100)
write(Path("new.csv"), recordings=1, seed=1)
tags = ["--target", "tags", "--out", "activity-run"]
short = ["--candidates", "1", "--max_epochs", "1", "--epoch_passes", "1", "--hidden_size", "8", "--bptt", "20"]
main(["train", "activity.csv", *tags, *short])
