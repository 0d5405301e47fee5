"""What was found in a person's files, in words, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from auxrnn.own.stored import SequenceSet

MOST_SHOWN = 12  # classes with their counts
IMBALANCE = 3.0  # largest class to smallest from which accuracy alone misleads


def describe_findings(stored: SequenceSet) -> list[str]:
    """One line each: what it is, classes and counts, lengths, missing values, and a warning where one class is rare."""
    counts = np.bincount(stored.labels, minlength=len(stored.classes))
    lengths = stored.lengths
    shortest, middle, longest = int(lengths.min()), float(np.median(lengths)), int(lengths.max())
    steps = "characters" if stored.form.kind == "characters" else "steps"
    lines = [
        f"{stored.source}: {stored.form.description}; {len(stored):,} sequences, {int(stored.ends[-1]):,} {steps}"
        + (f" of {_channels(stored)}" if stored.form.kind != "characters" else ""),
        f"Classes: {len(stored.classes)} ({_counted(stored.classes, counts)})",
        f"Lengths: {shortest:,} / {middle:,.0f} / {longest:,} {steps} (min / median / max)",
        f"Missing values: {_missing(stored)}",
        *stored.form.notes,
    ]
    if counts.max() >= IMBALANCE * counts.min():
        large, small = int(counts.argmax()), int(counts.argmin())
        lines.append(
            f"Warning: class {stored.classes[large]!r} has {counts[large] / counts[small]:.1f} times as many sequences "
            f"as {stored.classes[small]!r}; look at macro-F1 beside accuracy, and consider --class_weights balanced."
        )
    return lines


def describe_preprocessing(stored: SequenceSet, mean: Sequence[float], scale: Sequence[float], known: int) -> str:
    """What is done to every step, learned from the training split."""
    if stored.form.kind == "characters":
        return f"Characters: {known:,} different ones in the training split; any other counts as unknown"
    if stored.form.kind == "pixels":
        return "Pixels: levels 0 to 255 as they are"
    numbered = tuple(f"{channel}: " for channel in range(len(mean))) if len(mean) > 1 else ("",)
    names = tuple(f"{name} " for name in stored.form.channel_names) or numbered
    shown = ", ".join(
        f"{name}{middle:.4g} ± {deviation:.4g}"
        for name, middle, deviation in zip(names[:MOST_SHOWN], mean, scale, strict=False)
    )
    return f"Channels standardised as on the training split: {shown}{' ...' if len(names) > MOST_SHOWN else ''}"


def _channels(stored: SequenceSet) -> str:
    names = stored.form.channel_names
    if len(names) > MOST_SHOWN:
        return f"{len(names)} channels, {', '.join(names[:MOST_SHOWN])} ..."
    if names:
        return ", ".join(names)
    return f"{stored.form.channels} channel{'s' if stored.form.channels > 1 else ''}"


def _counted(classes: tuple[str, ...], counts: npt.NDArray[np.int64]) -> str:
    shown = ", ".join(f"{name}: {count:,}" for name, count in zip(classes[:MOST_SHOWN], counts.tolist(), strict=False))
    return shown + (f", ... {int(counts.min()):,} to {int(counts.max()):,} each" if len(classes) > MOST_SHOWN else "")


def _missing(stored: SequenceSet) -> str:
    done = {"zero": "set to 0", "drop": "their steps left out", "interpolate": "interpolated"}
    found = "none"
    if stored.missing:
        what = done[stored.options.missing]
        found = f"{stored.missing:,} in {stored.with_missing:,} sequences, {what} (--missing {stored.options.missing})"
    if stored.left_out:
        found += f"; {stored.left_out:,} rows without label or content left out"
    return found
