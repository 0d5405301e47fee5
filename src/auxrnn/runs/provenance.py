"""Record the data and the circumstances a run was started with, and compare them when it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.runs.datasets import RunData
from auxrnn.runs.folder import STARTED_WITH
from auxrnn.sources.digest import digest_of

DATA = "data"
"""The entry of env.json that says which data a run was started on."""

PARTS = ("train", "test", "unlabelled")
NUMBERS = tuple(f"{part}_{what}" for part in PARTS for what in ("sequences", "steps"))


def describe_data(data: RunData) -> dict[str, Any]:
    """How many sequences and steps there are, by what they are for, and a digest of every number and label."""
    parts = [data.sequences.train, data.sequences.test, *([data.unlabelled] if data.unlabelled is not None else [])]
    numbers = [number for part in parts for number in (len(part), int(part.lengths.sum()))]
    return {
        **dict(zip(NUMBERS, numbers, strict=False)),
        "digest": digest_of(parts, data.preprocessing and data.preprocessing.to_dict()),
    }


def check_same_data(where: object, started: Mapping[str, Any], data: RunData) -> None:
    """InputError where a run was started on other data than these; nothing is known of runs of older versions.

    started: what env.json holds.
    """
    before = started.get(DATA)
    if not isinstance(before, Mapping):
        return
    now = describe_data(data)
    if now["digest"] == before.get("digest"):
        return
    changes = [
        f"{now.get(name, 0):,} {name.replace('_', ' ')} instead of {before.get(name, 0)}"
        for name in NUMBERS
        if now.get(name) != before.get(name)
    ]
    raise InputError(
        f"{where}: expected the data that the run was started on, found "
        f"{', '.join(changes) or 'as many sequences and steps with other values or labels'}. Put them back, or start a "
        "new run with another --out."
    )


def as_started(
    config: RunConfig, started: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[RunConfig, tuple[str, ...]]:
    """The configuration with as many CPU threads as at the start, where no number is asked for; and what to tell.

    started, now: what env.json holds, and what it would hold here.
    """
    before = started.get(STARTED_WITH, {}).get("num_threads") or started.get("threads")
    notes = [f"{change}: the result may not be the same bits" for change in _changes(started, now)]
    if before is None:
        return config, tuple(notes)
    if config.num_threads is None:
        if before != now["threads"]:
            notes.append(f"{_threads(before)} as at the start, for the same bits; here there would be {now['threads']}")
        return replace(config, num_threads=int(before)), tuple(notes)
    if config.num_threads != before:
        notes.append(f"{_threads(config.num_threads)} instead of {before} at the start: not the same bits")
    return config, tuple(notes)


def _threads(number: int) -> str:
    return f"{number} CPU thread{'s' * (number != 1)}"


def _changes(started: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Further differences that may change the last bits, where both sides are known."""
    for name in ("torch", "processor", "gpus"):
        old, new = (found.get(name, (found.get("packages") or {}).get(name)) for found in (started, now))
        if old is not None and new is not None and old != new:
            yield f"{name} {_told(new)} instead of {_told(old)} at the start"


def _told(value: Any) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
