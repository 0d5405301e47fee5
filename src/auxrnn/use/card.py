"""The README.md of a trained model: its data, its training, how well it does and how sure that is, and its limits.

A function of plain facts. Knows no folder and no network.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeGuard

from auxrnn.config import ModelConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.targets import SCORES, Target
from auxrnn.verdict.judge import told_of

SURE = 1.959963984540054
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""

DATA = ("data", "data_options", "own", "train_sequences", "validation_sequences", "test_sequences", "longest_sequence")
LABELS = ("target", "test_labels")
INTERVAL = "test_interval"
"""The fact that holds low and high end of the 95 % interval of the target's first score, where that is no accuracy."""
JUDGED = ("floors", "verdict")
USUAL = asdict(ReadingOptions())
MOST_CLASSES = 50
CELLS = {"mingru": "minGRU"}
"""Cells whose name is not that of `--cell` in capitals."""


def model_card(config: ModelConfig, spec: InputSpec, target: Target, facts: Mapping[str, Any]) -> str:
    """What it is, what it was trained on, how well it does, how to use it, what it does not do."""
    truncation = "" if config.model == "transformer" else f", truncation {_truncation(config)}"
    results = ("test_loss", *(f"{part}_{name}" for part in ("test", "validation") for name in target.scores_told))
    training = [name for name in facts if name not in (*DATA, *LABELS, *results, INTERVAL, *JUDGED, "model", "bptt")]
    shown = ", ".join(target.names[:MOST_CLASSES]) + (", ..." if target.size > MOST_CLASSES else "")
    return f"""---
library_name: auxrnn
tags: [recurrent-neural-network, {target.model_tag}, long-sequences]
---

# {config.model} {target.model_name}

{described(config, target)}{truncation}, trained by
auxrnn after Trinh, Dai, Luong and Le, *Learning Longer-term Dependencies in RNNs with Auxiliary Losses* (ICML 2018).

## Data

{_listed(facts, [name for name in DATA if name in facts])}

Sequences of {spec.size} {spec.kind} a step; {target.described()}: {shown}.

## Training

{_listed(facts, training)}

## Accuracy

{_scores(target, facts)}

## Verdict

{_verdict(facts)}

## Use

```python
import auxrnn
model = auxrnn.{target.estimator}.from_pretrained("FOLDER")
model.predict(X)
```

## Limits

{_limits(target, facts)}
"""


def described(config: ModelConfig, target: Target) -> str:
    """The network in a few words; a label a step is read from the output of its own step."""
    if config.model == "transformer":
        sizes = config.transformer
        return f"transformer of {sizes.layers} layers of width {sizes.width}, {sizes.heads} heads"
    units = {"irnn": "ReLU units", "urnn": "complex units"}.get(
        config.model, f"{CELLS.get(config.cell, config.cell.upper())} cells"
    )
    tokens = {
        "none": "",
        "conv": f" on tokens of {config.stride} step{'' if config.stride == 1 else 's'}",
        "logmel": f" on mel bands of sound at {config.sample_rate} Hz",
    }[config.stem]
    reading = {
        "last": "",
        "stats": ", reading mean and deviation of its outputs",
        "stats-max": ", reading mean, deviation and greatest of its outputs",
    }["last" if target.per_step else config.readout]
    return f"{config.model} with {config.hidden_size} {units}{tokens}{reading}"


def _truncation(config: ModelConfig) -> str:
    if config.gradient in ("checkpointed", "exact"):
        return f"none (gradient {config.gradient})"
    if config.stem == "none" or config.bptt == "full":
        return str(config.bptt)
    return f"{config.bptt} tokens = {config.bptt * config.token_steps:,} steps"


def wilson_interval(share: float, number: int) -> tuple[float, float]:
    """The 95 % interval of a share of `number` independent trials (Wilson 1927).

    It stays within 0..1 and is not empty for a share of 0 or 1, unlike the normal one.
    """
    if number < 1 or not 0 <= share <= 1:
        raise ValueError(f"Expected a share of 0..1 of at least one trial, got {share} of {number}.")
    spread = SURE**2 / number
    middle = (share + spread / 2) / (1 + spread)
    half = SURE / (1 + spread) * math.sqrt(share * (1 - share) / number + spread / (4 * number))
    return max(0.0, middle - half), min(1.0, middle + half)


def _scores(target: Target, facts: Mapping[str, Any]) -> str:
    lines = [
        _told(name, facts[f"test_{name}"], _interval(name, target, facts), facts.get("test_sequences"))
        for name in target.scores_told
        if _is_number(facts.get(f"test_{name}"))
    ]
    chosen_by = facts.get(f"validation_{target.score}")
    if _is_number(chosen_by):
        lines.append(
            f"Validation {shown(target.score, chosen_by)}; the epoch or the settings were chosen by it, so it is too "
            "high for an estimate."
        )
    return "\n".join(lines) or "Not measured."


def _verdict(facts: Mapping[str, Any]) -> str:
    summary, told = told_of(facts.get("verdict"))
    return (
        "\n".join([f"{summary[0].upper()}{summary[1:]}.", "", *(f"- {words}" for words, _ in told)])
        if summary
        else "Not judged."
    )


def _limits(target: Target, facts: Mapping[str, Any]) -> str:
    calibration = f"- It answers whatever it is shown; its {target.share_name} have not been calibrated."
    if _interval(target.score, target, facts):
        told, drawing = "the interval says", "The interval is for the drawing of test sequences alone. "
    else:
        told, drawing = "its scores say", ""
    return f"""- Measured on one split of one data set; sequences from elsewhere may be answered worse than {told}.
{calibration}
- {drawing}Another seed of training gives another model."""


def _interval(name: str, target: Target, facts: Mapping[str, Any]) -> tuple[float, float] | None:
    """Of the target's first score: by Wilson where that is a share of the sequences, as it was measured elsewhere."""
    value, number = facts.get(f"test_{name}"), facts.get("test_sequences")
    if name != target.score or not isinstance(number, int) or number < 1 or not _is_number(value):
        return None
    if name == "accuracy":
        return wilson_interval(value, number) if 0 <= value <= 1 else None
    match facts.get(INTERVAL):
        case [low, high] if _is_number(low) and _is_number(high):
            return low, high
    return None


def _told(name: str, value: float, interval: tuple[float, float] | None, number: Any) -> str:
    if interval is not None:
        low, high = (_figure(name, end) for end in interval)
        method = "Wilson" if name == "accuracy" else "bootstrap"
        return (
            f"Test {shown(name, value)}, 95 % interval {low} to {high}{_unit(name)} ({method}) over "
            f"{number:,} test sequences, which were read once, at the end."
        )
    if name == "macro_f1":
        return f"Macro-F1 on the test set {value:.4f}: each class counts alike."
    return f"Test {shown(name, value)}."


def shown(name: str, value: float) -> str:
    """A score in words, for example `accuracy 91.20 %` or `RMSE 0.2314`."""
    return f"{SCORES[name].words} {_figure(name, value)}{_unit(name)}"


def _figure(name: str, value: float) -> str:
    return f"{100 * value:.2f}" if SCORES[name].percent else f"{value:.4g}"


def _unit(name: str) -> str:
    return " %" if SCORES[name].percent else ""


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(facts: Mapping[str, Any], names: list[str]) -> str:
    lines = []
    for name in names:
        lines += _reading(facts[name]) if name == "own" else [f"- {name.replace('_', ' ')}: {_in_words(facts[name])}"]
    return "\n".join(lines) or "- none recorded"


def _reading(own: Any) -> list[str]:
    """How a person's own files were read: what they are, and the options that are not at their defaults."""
    try:
        description, reading = own["form"]["description"], own["reading"]
        options = {name: value for name, value in reading.items() if value != USUAL.get(name)}
        options |= {name: value for name, value in own.items() if name not in ("form", "reading")}
    except (LookupError, TypeError, AttributeError):  # written by something else
        return [f"- own: {_in_words(own)}"]
    told = ", ".join(f"`--{name} {value}`" for name, value in options.items())
    return [f"- read as: {description}", *([f"- options of reading: {told}"] if told else [])]


def _in_words(value: Any) -> str:
    return f"`{json.dumps(value, sort_keys=True)}`" if isinstance(value, dict | list) else str(value)
