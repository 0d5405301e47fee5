"""`auxrnn baseline`: the floors of a data set, and MiniRocket beside them where aeon is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.config import RunConfig
from auxrnn.runs.datasets import load_data
from auxrnn.runs.judging import described_floors
from auxrnn.runs.run import split_data
from auxrnn.sources.dataset import SequenceData
from auxrnn.verdict.floors import Floors, measure_floors
from auxrnn.verdict.floors.measured import Learn, on_features

MOST_HELD = 2**28
"""Numbers of all sequences side by side, which MiniRocket holds at once."""

SHORTEST = 9
"""Steps; the kernels of MiniRocket are of nine."""


class MiniRocketFeatures:
    """The 10,000 features of MiniRocket (Dempster, Schmidt and Webb 2021), of sequences padded with zeros."""

    def __init__(self, train: SequenceData, seed: int) -> None:
        from aeon.transformations.collection.convolution_based import MiniRocket

        self._steps = int(train.lengths.max())
        self._transform = MiniRocket(random_state=seed)
        self._transform.fit(self._padded(train))

    def of(self, data: SequenceData) -> npt.NDArray[Any]:
        return np.asarray(self._transform.transform(self._padded(data)), dtype=np.float64)

    def _padded(self, data: SequenceData) -> npt.NDArray[np.float32]:
        """(N, C, T) as aeon takes them; steps beyond the longest of training are cut off."""
        found = np.zeros((len(data), data.spec.size, self._steps), np.float32)
        for row, sequence in enumerate(data.inputs):
            steps = sequence[: self._steps].float().numpy()
            found[row, :, : len(steps)] = steps.T
        return found


def print_floors(config: RunConfig, say: Callable[[str], None] = print) -> Floors:
    """Measure the floors of a run's data, and MiniRocket, and say how well each does."""
    loaded = load_data(config)
    for line in loaded.findings:
        say(line)
    data = loaded.sequences
    train, validation = split_data(data, config)
    peers, why_not = _peers(train)
    floors = measure_floors(train.weighted(config.class_weights), validation, data.test, seed=config.seed, others=peers)
    for remark in (*data.remarks, *_limits(floors, len(train)), *([why_not] if why_not else [])):
        say(f"Note        {remark}")
    for line in described_floors(floors):
        say(line)
    return floors


def _peers(train: SequenceData) -> tuple[Mapping[str, Learn], str]:
    """MiniRocket where it can read the sequences, else why not; "" where nobody would expect it."""
    if train.target.per_step or train.spec.kind == "characters":
        return {}, ""
    if find_spec("aeon") is None:
        return {}, "MiniRocket is left out: pip install 'auxrnn[peers]' brings aeon, which has it"
    longest = int(train.lengths.max())
    if longest < SHORTEST:
        return {}, f"MiniRocket is left out: it needs {SHORTEST} steps, the longest sequence has {longest}"
    if len(train) * longest * train.spec.size > MOST_HELD:
        return {}, f"MiniRocket is left out: it would hold all {len(train):,} sequences of {longest:,} steps at once"
    return {"MiniRocket and ridge": on_features(MiniRocketFeatures)}, ""


def _limits(floors: Floors, there: int) -> Iterator[str]:
    """What was not read, so that it took a second."""
    if floors.held_out:
        yield "No sequences to validate, so a part of those to train was kept to choose the best floor by"
    if floors.trained < there and not floors.held_out:
        yield f"Trained on {floors.trained:,} of {there:,} sequences, drawn by the seed"
    for name, part in (("validation", floors.validation), ("test", floors.test)):
        if part is not None and len(part.rows) < part.total:
            yield f"Judged on {len(part.rows):,} of {part.total:,} {name} sequences, drawn by the seed"
