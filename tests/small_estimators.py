"""A small classifier and small data for it, in every form that X may have."""

from typing import Any

import numpy as np

from auxrnn.estimator import LongSequenceClassifier


def tiny(**changes: Any) -> LongSequenceClassifier:
    settings: dict[str, Any] = {
        "recipe": "paper",
        "hidden_size": 4,
        "projection_size": None,
        "segment_length": 3,
        "bptt": 5,
        "pretrain_epochs": 1,
        "max_epochs": 1,
        "batch_size": 16,
        "accelerator": "cpu",
        "aux_options": {"decoder_layers": 1},
    }
    return LongSequenceClassifier(**{**settings, **changes})


def rising_or_falling(number: int = 60, steps: int = 12, seed: int = 0) -> tuple[Any, Any]:
    """Noisy ramps (N, T), the label says whether they rise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, number)
    ramp = np.linspace(-1, 1, steps) * (2 * labels[:, None] - 1)
    return ramp + generator.normal(0, 0.2, (number, steps)), labels


def forms(kind: str) -> tuple[Any, Any]:
    """16 sequences of two classes in one of the forms that X may have."""
    generator = np.random.default_rng(0)
    labels = np.arange(16) % 2
    lengths = [6 + 2 * (index % 3) for index in range(16)]
    X: Any = {
        "array": generator.normal(size=(16, 7, 2)),
        "table": generator.normal(size=(16, 7)),
        "pixels": generator.integers(0, 256, (16, 7, 3)).astype(np.uint8),
        "whole numbers": generator.integers(-5, 5, (16, 7, 1)),
        "list": [generator.normal(size=(length, 2)) for length in lengths],
        "list of one channel": [generator.normal(size=length) for length in lengths],
        "texts": ["ab" * (index + 1) if labels[index] else "é" * (index + 1) for index in range(16)],
        "tuple of nested lists": tuple(generator.normal(size=(length, 2)).tolist() for length in lengths),
    }[kind]
    return X, labels


class Frame:
    """What a table of pandas or polars is to us: columns with names, chosen by them."""

    def __init__(self, **columns: Any) -> None:
        self.content = columns

    @property
    def columns(self) -> list[str]:
        return list(self.content)

    def __getitem__(self, names: list[str]) -> "Frame":
        return Frame(**{name: self.content[name] for name in names})

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.stack(list(self.content.values()), axis=1)


FORMS = ("array", "table", "pixels", "whole numbers", "list", "list of one channel", "texts", "tuple of nested lists")
