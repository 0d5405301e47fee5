"""Describe what was found in a person's files, before anything is trained."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence

import numpy as np

from auxrnn.config.reading import join_names
from auxrnn.sources.stored import SequenceSet
from auxrnn.storage.numbers import MISSING_WORDS

MOST_SHOWN = 12  # channels, and names that are alike


def describe_findings(stored: SequenceSet) -> list[str]:
    """One line each: what it is, labels and counts, lengths, missing values, and a warning where one class is rare."""
    lengths = stored.lengths
    shortest, middle, longest = int(lengths.min()), float(np.median(lengths)), int(lengths.max())
    steps = "characters" if stored.schema.kind == "characters" else "steps"
    labels, *warnings = stored.target.findings(stored.labels)
    return [
        f"{stored.source}: {stored.schema.description}; {len(stored):,} sequences, {int(stored.ends[-1]):,} {steps}"
        + (f" of {_channels(stored)}" if stored.schema.kind != "characters" else ""),
        labels,
        f"Lengths: {shortest:,} / {middle:,.0f} / {longest:,} {steps} (min / median / max)",
        f"Missing values: {_missing(stored)}",
        *stored.schema.notes,
        *_doubtful(stored),
        *_giveaways(stored),
        *warnings,
    ]


def _doubtful(stored: SequenceSet) -> list[str]:
    """Classes that may stand for no label at all, or for each other."""
    if not stored.target.has_classes:
        return []
    found = [name for name in stored.classes if name.lower() in MISSING_WORDS]
    told = [f"Note: {name!r} counts as a class; where it stands for no label, leave the cell empty." for name in found]
    alike: dict[str, list[str]] = {}
    for name in stored.classes:
        alike.setdefault(_folded(name), []).append(name)
    for names in [names for names in alike.values() if len(names) > 1][:MOST_SHOWN]:
        shown = ", ".join(ascii(name) if len(set(names)) > len({*map(_shown, names)}) else repr(name) for name in names)
        told.append(
            f"Note: {shown} count as classes of their own, though they differ in form alone; if they are one, write "
            "them alike."
        )
    return told


def _giveaways(stored: SequenceSet) -> list[str]:
    """A warning for each channel that is the class in another form."""
    channels = giveaway_channels(stored)
    names = stored.schema.channel_names or tuple(str(channel) for channel in range(stored.schema.channels))
    others = [name for channel, name in enumerate(names) if channel not in channels]
    hint = f" with --features {shlex.quote(join_names(others))}" if stored.schema.channel_names and others else ""
    return [
        f"Warning: channel {names[channel]!r} never changes within a sequence and has one value for each class: "
        f"it gives the label away; leave it out{hint}."
        for channel in channels[:MOST_SHOWN]
    ]


def giveaway_channels(stored: SequenceSet) -> list[int]:
    """The channels that never change within a sequence and have one value for each class, another for every other.

    Ends at the first sequences where there are none, as measurements have it; else reads all.
    """
    if not stored.target.one_class or stored.schema.kind != "values" or stored.lengths.max() < 2:
        return []
    longest = stored.sequence(int(stored.lengths.argmax()))
    channels = np.flatnonzero((longest == longest[0]).all(axis=0))
    if not len(channels):
        return []
    firsts = np.unique(stored.labels, return_index=True)[1]  # a sequence of each class
    values = np.stack([stored.sequence(int(index))[0] for index in firsts])
    channels = np.array([channel for channel in channels if len(np.unique(values[:, channel])) == len(firsts)], int)
    for index, label in enumerate(stored.labels.tolist()):
        if not len(channels):
            break
        same = (stored.sequence(index)[:, channels] == values[label, channels]).all(axis=0)
        channels = channels[same]
    return [int(channel) for channel in channels]


def _folded(name: str) -> str:
    """A name without what may differ by accident: Unicode form, capitals, blanks, quotes, zeros before a number."""
    plain = " ".join(unicodedata.normalize("NFKC", name).casefold().strip("\"' ").split())
    return plain.lstrip("0") or "0" if plain.isdecimal() else plain


def _shown(name: str) -> str:
    """A name as eyes see it."""
    return unicodedata.normalize("NFC", name)


def describe_preprocessing(stored: SequenceSet, mean: Sequence[float], scale: Sequence[float], known: int) -> str:
    """What is done to every step, learned from the training split."""
    if stored.schema.kind == "characters":
        return f"Characters: {known:,} different ones in the training split; any other counts as unknown"
    if stored.schema.kind == "pixels":
        return "Pixels: levels 0 to 255 as they are"
    numbered = tuple(f"{channel}: " for channel in range(len(mean))) if len(mean) > 1 else ("",)
    names = tuple(f"{name} " for name in stored.schema.channel_names) or numbered
    shown = ", ".join(
        f"{name}{middle:.4g} ± {deviation:.4g}"
        for name, middle, deviation in zip(names[:MOST_SHOWN], mean, scale, strict=False)
    )
    return f"Channels standardised as on the training split: {shown}{' ...' if len(names) > MOST_SHOWN else ''}"


def _channels(stored: SequenceSet) -> str:
    names = stored.schema.channel_names
    if len(names) > MOST_SHOWN:
        return f"{len(names)} channels, {', '.join(names[:MOST_SHOWN])} ..."
    if names:
        return ", ".join(names)
    return f"{stored.schema.channels} channel{'s' if stored.schema.channels > 1 else ''}"


def _missing(stored: SequenceSet) -> str:
    done = {"zero": "set to 0", "drop": "their steps left out", "interpolate": "interpolated"}
    found = "none"
    if stored.missing:
        what = done[stored.options.missing]
        found = f"{stored.missing:,} in {stored.with_missing:,} sequences, {what} (--missing {stored.options.missing})"
    if stored.left_out:
        what = "kept apart" if stored.options.no_label == "learn" else "left out"
        found += f"; {stored.left_out:,} sequence{'s' * (stored.left_out != 1)} without label or content {what}"
    return found
