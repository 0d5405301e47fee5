"""The sets of settings that a search tries.

No single setting serves all data: labels at anchors help where evidence is spread and hurt where one short event
decides; tokens added to outputs, their greatest and a turn of the sequences find a short event, wherever it lies.
Knows nothing of trials.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from auxrnn.config import OWN_CORE, RunConfig
from auxrnn.sources.dataset import SequenceData

CANDIDATES = 5

ANCHORED: dict[str, Any] = {"anchor_labels": 0.5}
PATIENT: dict[str, Any] = {"residual": True, "readout": "stats-max", "augment": "turn"}
"""What finds a faint event, in time: it may need some hundred steps before it shows. It trains at half the learning
rate in the end: at the whole one the sensor job of 16,384 steps ended at chance after a trial that was right on all."""
SHORT_WINDOWS: dict[str, Any] = {"bptt": 10, "top_windows": 16}
"""And these where windows leave a part of a sequence out: many short ones reach more of the greatest outputs than few
long ones do, in fewer tokens."""
NO_NORM: dict[str, Any] = {"stem_norm": "none"}
"""And this of values there: an event stands out by its height. In short sequences it costs some points."""

EXACT: dict[str, Any] = {
    "cell": "lru",
    "max_phase": 1.0,
    "gradient": "exact",
    "bptt": "full",
    "readout": "last",
    "anchor_labels": 0.0,
}
"""A linear recurrence with the gradient through all steps, which is exact for raw steps alone. Its last output depends
on every step and on their order, which mean and deviation lose."""


def candidates(
    config: RunConfig, train: SequenceData, given: Collection[str]
) -> tuple[list[dict[str, Any]], int | None]:
    """At most `config.candidates` sets of settings over those of `config`, the likeliest first, and the number of the
    patient one, which finds a faint event, if it is among them. What was `given` is in none of them.
    """
    patient: dict[str, Any] = {}
    if train.target.per_step or config.readout == "last":
        options: list[dict[str, Any]] = [{}, {"lr": config.lr / 3}]
    else:
        patient = _free(_patient(config, train, given), config, given)
        options = [
            ANCHORED,
            patient,
            {**patient, **ANCHORED},
            {**ANCHORED, "stride": max(config.stride // 2, 1)},
            {**ANCHORED, **({"augment": "noise"} if train.spec.kind == "values" else {"readout": "stats-max"})},
        ]
    if train.image_shape is not None or config.stem != "conv":
        given = {*given, "stride"}
    kept: list[dict[str, Any]] = []
    for option in options:
        free = _free(option, config, given)
        if free not in kept:
            kept.append(free)
    sets = [*kept[:1], EXACT, *kept[1:]] if _may_be_exact(config, train, given) else kept
    sets = sets[: (config.candidates or CANDIDATES)]
    return sets, sets.index(patient) if patient and patient in sets else None


def _patient(config: RunConfig, train: SequenceData, given: Collection[str]) -> dict[str, Any]:
    """What finds a faint event in sequences of this length."""
    tokens = int(train.lengths.median()) / config.token_steps
    if isinstance(config.bptt, str) or tokens <= config.num_windows * config.bptt:
        return PATIENT
    plain = config.gradient == "truncated" and not config.auxiliaries
    reads_greatest = "readout" not in given or config.readout == PATIENT["readout"]
    said = not SHORT_WINDOWS.keys().isdisjoint(given)
    norm = NO_NORM if train.spec.kind == "values" else {}
    return PATIENT | norm | (SHORT_WINDOWS if plain and reads_greatest and not said else {})


def _may_be_exact(config: RunConfig, train: SequenceData, given: Collection[str]) -> bool:
    """Whether the exact settings are such for these data, and none of them was said."""
    raw = config.stem == "none" and train.spec.kind != "characters" and not train.target.per_step
    plain = config.model not in OWN_CORE and not config.auxiliaries
    served = config.precision != "16-mixed" and config.lstm_backend != "persistent"
    return raw and plain and served and EXACT.keys().isdisjoint(given)


def _free(option: dict[str, Any], config: RunConfig, given: Collection[str]) -> dict[str, Any]:
    """What of a set of settings was not said, is not so anyway, and may be."""
    fixed = given if config.has_like_tokens else {*given, "residual"}
    fixed = fixed if config.stem == "conv" else {*fixed, "stem_norm"}  # quiet bands are far below zero
    fixed = {*fixed, "anchor_labels"} if config.gradient == "fptt" else fixed
    return {name: value for name, value in option.items() if name not in fixed and value != getattr(config, name)}
