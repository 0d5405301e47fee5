"""The README.md of a trained model: its data, its training, how well it does and how sure that is, and its limits.

A function of plain facts. Knows no folder and no network.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from auxrnn.batch import InputSpec
from auxrnn.config import ModelConfig

SURE = 1.959963984540054
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""

DATA = ("data", "data_options", "own", "train_sequences", "validation_sequences", "test_sequences", "longest_sequence")
RESULTS = ("test_accuracy", "test_macro_f1", "test_loss", "validation_accuracy")
MOST_CLASSES = 50


def model_card(config: ModelConfig, spec: InputSpec, classes: tuple[str, ...], facts: Mapping[str, Any]) -> str:
    """What it is, what it was trained on, how well it does, how to use it, what it does not do."""
    truncation = "" if config.model == "transformer" else f", truncation {config.bptt}"
    training = [name for name in facts if name not in (*DATA, *RESULTS, "model", "bptt")]
    shown = ", ".join(classes[:MOST_CLASSES]) + (", ..." if len(classes) > MOST_CLASSES else "")
    return f"""---
library_name: auxrnn
tags: [recurrent-neural-network, sequence-classification, long-sequences]
---

# {config.model} sequence classifier

{described(config)}{truncation}, trained by
auxrnn after Trinh, Dai, Luong and Le, *Learning Longer-term Dependencies in RNNs with Auxiliary Losses* (ICML 2018).

## Data

{_listed(facts, [name for name in DATA if name in facts])}

Sequences of {spec.size} {spec.kind} a step; {len(classes)} classes: {shown}.

## Training

{_listed(facts, training)}

## Accuracy

{_accuracy(facts)}

## Use

```python
import auxrnn
clf = auxrnn.LongSequenceClassifier.from_pretrained("FOLDER")
clf.predict(X)
```

## Limits

- Measured on one split of one data set; sequences from elsewhere may be answered worse than the interval says.
- It answers one of its classes whatever it is shown; its probabilities have not been calibrated.
- The interval is for the drawing of test sequences alone. Another seed of training gives another model.
"""


def described(config: ModelConfig) -> str:
    """The network in a few words."""
    if config.model == "transformer":
        sizes = config.transformer
        return f"transformer of {sizes.layers} layers of width {sizes.width}, {sizes.heads} heads"
    units = {"irnn": "ReLU units", "urnn": "complex units"}.get(config.model, f"{config.cell.upper()} cells")
    return f"{config.model} with {config.hidden_size} {units}"


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


def _accuracy(facts: Mapping[str, Any]) -> str:
    lines = []
    share, number = facts.get("test_accuracy"), facts.get("test_sequences")
    if _is_number(share) and isinstance(number, int) and number > 0 and 0 <= share <= 1:
        low, high = wilson_interval(share, number)
        lines.append(
            f"Test accuracy {100 * share:.2f} %, 95 % interval {100 * low:.2f} to {100 * high:.2f} % (Wilson) over "
            f"{number:,} test sequences, which were read once, at the end."
        )
    elif _is_number(share):
        lines.append(f"Test accuracy {100 * share:.2f} %.")
    f1, chosen_by = facts.get("test_macro_f1"), facts.get("validation_accuracy")
    if _is_number(f1):
        lines.append(f"Macro-F1 on the test set {f1:.4f}: each class counts alike.")
    if _is_number(chosen_by):
        lines.append(
            f"Validation accuracy {100 * chosen_by:.2f} %; the epoch was chosen by it, so it is too "
            f"high for an estimate."
        )
    return "\n".join(lines) or "Not measured."


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(facts: Mapping[str, Any], names: list[str]) -> str:
    lines = [f"- {name.replace('_', ' ')}: {_in_words(facts[name])}" for name in names]
    return "\n".join(lines) or "- none recorded"


def _in_words(value: Any) -> str:
    return f"`{json.dumps(value, sort_keys=True)}`" if isinstance(value, dict | list) else str(value)
