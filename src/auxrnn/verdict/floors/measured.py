"""The floors of a data set: which there are, trained on its training sequences and measured on the others.

Bounded in time and memory: at most MOST_TRAINED sequences are learned from and MOST_JUDGED of a set are answered, drawn
by the seed; a whole set is never held in another form than it has.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.splits import limit_stratified
from auxrnn.targets import BALANCED, Target
from auxrnn.verdict.floors.features import CharacterNgrams, Features, UntrainedStates, WindowStatistics, Words, texts_of
from auxrnn.verdict.floors.linear import LinearModel
from auxrnn.verdict.floors.steps import step_features

MOST_TRAINED, MOST_JUDGED = 4_000, 2_000
MOST_NUMBERS = 2**26
"""Steps times channels of all sequences that are read of one set, where there are more than FEWEST sequences."""

FEWEST = 500
MOST_STEPS = 20_000
"""Labelled steps that are learned from, for a label a step."""

CHUNK = 2**15
"""Steps that are answered at once, for a label a step."""

HELD_OUT = 0.2
"""Of the training sequences, to choose the best floor by where there are none to validate."""

Answer = Callable[[SequenceData], Tensor]
"""The tallies (N, sums) of what a trained floor says of labelled sequences."""

Learn = Callable[[SequenceData, int], Answer]
"""Trains a floor on labelled sequences, with a seed."""


@dataclass(frozen=True)
class Judged:
    """Which sequences of a set were answered: their places (n,), of how many."""

    rows: Tensor
    total: int


@dataclass(frozen=True)
class Floor:
    """One floor: its name, the seconds of training and answering, its tallies (n, sums) of the sequences answered."""

    name: str
    seconds: float
    validation: Tensor
    test: Tensor | None


@dataclass(frozen=True)
class Floors:
    """All floors of a data set, the one that does not look at the sequence first.

    trained: how many training sequences were learned from. held_out: whether the validation sequences are training
    sequences that were kept from it, because there were no others. by: the score by which they are compared, where it
    is not the target's first.
    """

    target: Target
    floors: tuple[Floor, ...]
    trained: int
    validation: Judged
    test: Judged | None
    held_out: bool = False
    by: str | None = None

    @property
    def score_name(self) -> str:
        return self.by or self.target.score

    @property
    def trivial(self) -> Floor:
        return self.floors[0]

    @property
    def best(self) -> Floor:
        """By validation, the first of equals."""
        return max(self.floors, key=lambda floor: self.score(floor.validation))

    def score(self, tallies: Tensor) -> float:
        """By which they are compared, of tallies (n, sums)."""
        return float(self.target.rate(self.score_name, tallies.sum(0)))

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: the target's first score of each, rounded, in order; without the seconds, which vary."""

        def told(tallies: Tensor) -> float:
            return round(float(self.target.first_score(tallies.sum(0))), 6)

        found: dict[str, Any] = {"trained_on": self.trained, "validated_on": len(self.validation.rows)}
        if self.test is not None:
            found["tested_on"] = len(self.test.rows)
        for floor in self.floors:
            scores = {"validation": told(floor.validation)}
            if floor.test is not None:
                scores["test"] = told(floor.test)
            found[floor.name] = scores
        return found


def measure_floors(
    train: SequenceData,
    validation: SequenceData | None,
    test: SequenceData | None = None,
    *,
    seed: int = 0,
    others: Mapping[str, Learn] | None = None,
) -> Floors:
    """Train every floor that the kind of sequences allows on `train`, and measure it on the other sets.

    others: further models by name. With weights of the classes, which trade accuracy away, all are compared by
    balanced accuracy, but none is trained with them. The labels of `test` are read to score the answers and for nothing
    else. The result is a function of the data and the seed, but for the seconds.
    """
    assert train.labels is not None
    by = None if train.class_weights is None else BALANCED
    held_out = validation is None or not len(validation)
    if validation is None or not len(validation):
        train, other = train.split(HELD_OUT, seed)
        validation = other if len(other) else train
    train = _some(train, seed)
    parts = [Judged(torch.arange(0), 0) if data is None else _judged(data, seed) for data in (validation, test)]
    sets = [
        None if data is None else data if len(part.rows) == len(data) else data.subset(part.rows)
        for data, part in zip((validation, test), parts, strict=True)
    ]
    assert sets[0] is not None
    import sklearn.linear_model  # noqa: F401 - loaded here, so that no floor's seconds hold it

    floors = []
    for name, learn in {**_kinds(train), **(others or {})}.items():
        since = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ill-conditioned or constant features, which do no harm
            try:
                answer = learn(train, seed)
                found = [None if data is None else answer(data) for data in sets]
            except np.linalg.LinAlgError:  # features that a decomposition does not converge for: no floor of theirs
                continue
        assert found[0] is not None
        floors.append(Floor(name, time.perf_counter() - since, found[0], found[1]))
    return Floors(train.target, tuple(floors), len(train), parts[0], None if test is None else parts[1], held_out, by)


def _kinds(train: SequenceData) -> dict[str, Learn]:
    """The floors by name, the trivial one first."""
    found: dict[str, Learn] = {train.target.trivial: _learn_trivial}
    if len(train) < 2:
        return found
    if train.target.per_step:
        return found | {"linear on the last steps": _learn_steps}
    if train.spec.kind != "characters":
        return found | {
            "linear on window statistics": on_features(WindowStatistics),
            "linear on an untrained network": on_features(UntrainedStates),
        }
    found["TF-IDF of characters"] = on_features(CharacterNgrams)
    if any(text.strip() for text in texts_of(train)):
        found["TF-IDF of words"] = on_features(Words)
    return found


def _learn_trivial(train: SequenceData, seed: int) -> Answer:
    assert train.labels is not None
    constant = torch.from_numpy(train.target.codes(train.labels).mean(0))

    def answer(data: SequenceData) -> Tensor:
        return _tallies(data, lambda sequence, places: constant.expand(len(places), -1), constant.expand(len(data), -1))

    return answer


def on_features(kind: Callable[[SequenceData, int], Features]) -> Learn:
    """A linear model on features of whole sequences."""

    def learn(train: SequenceData, seed: int) -> Answer:
        assert train.labels is not None
        features = kind(train, seed)
        model = LinearModel(_finite(features.of(train)), train.target.codes(train.labels))
        return lambda data: _tallies(data, None, model.outputs(_finite(features.of(data))))

    return learn


def _learn_steps(train: SequenceData, seed: int) -> Answer:
    """A linear model on each step and those before it."""
    assert train.labels is not None
    draw = np.random.default_rng([seed, 2])
    each = max(MOST_STEPS // len(train), 1)
    features, codes = [], []
    for sequence, labels in zip(train.inputs, train.labels, strict=True):
        places = np.flatnonzero(labels.numpy() >= 0)
        places = np.sort(draw.choice(places, min(each, len(places)), replace=False))
        features.append(step_features(sequence, places, train.spec))
        codes.append(train.target.codes(labels[torch.from_numpy(places)]))
    model = LinearModel(_finite(np.concatenate(features)), np.concatenate(codes))

    def outputs(sequence: Tensor, places: Any) -> Tensor:
        return model.outputs(_finite(step_features(sequence, places, train.spec)))

    return lambda data: _tallies(data, outputs, None)


def _tallies(data: SequenceData, steps: Callable[[Tensor, Any], Tensor] | None, outputs: Tensor | None) -> Tensor:
    """Of the outputs for whole sequences, (N, size), or of those of `steps` at places (P,) of each, (P, size)."""
    assert data.labels is not None
    if not data.target.per_step:
        assert outputs is not None
        assert isinstance(data.labels, Tensor)
        return data.target.tallies(outputs, data.labels)
    assert steps is not None
    found = []
    for sequence, labels in zip(data.inputs, data.labels, strict=True):
        chunks = [np.arange(start, min(start + CHUNK, len(labels))) for start in range(0, len(labels), CHUNK)]
        each = [data.target.tallies(steps(sequence, places)[None], labels[places][None]) for places in chunks]
        found.append(torch.cat(each).sum(0))
    return torch.stack(found)


def _finite(features: Any) -> Any:
    return np.nan_to_num(features, posinf=0.0, neginf=0.0) if isinstance(features, np.ndarray) else features


def _some(data: SequenceData, seed: int) -> SequenceData:
    """As many training sequences as a floor learns from, every class by its share."""
    assert data.labels is not None
    strata = data.target.strata(data.labels)
    number = max(_number(data, MOST_TRAINED), len(strata.unique()))
    return data if number >= len(data) else data.subset(limit_stratified(strata, number, seed))


def _judged(data: SequenceData, seed: int) -> Judged:
    number = min(_number(data, MOST_JUDGED), len(data))
    rows = np.random.default_rng([seed, 3]).permutation(len(data))[:number]
    return Judged(torch.from_numpy(np.sort(rows)), len(data))


def _number(data: SequenceData, most: int) -> int:
    width = 1 if data.spec.kind == "characters" else data.spec.size
    mean = max(int(data.lengths.double().mean()) * width, 1)
    return min(most, max(MOST_NUMBERS // mean, FEWEST))
