"""The latching problem: what decides the class stands at the beginning, and noise follows for as long as one asks.

The first EVENT steps have mean 1 in one class and -1 in the other, all steps noise of deviation 1. So many steps of
noise look like an event once in 1,300 places: who does not know where a sequence begins cannot tell them apart in long
ones. The best answer, by the sum of the first steps, is right in 99.92 % (Phi of the root of EVENT).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.lazy import LazySequences
from auxrnn.sources.presets import PublishedSplit, find_preset

EVENT = 10
DISTANCE = 200
"""Steps from the end of the event to the end of a sequence, where none are asked for."""

CLASSES = ("down", "up")


@dataclass
class LatchingSequences(LazySequences):
    """Sequences (EVENT + distance, 1) float32, each a function of its split and index."""

    split: PublishedSplit
    distance: int
    indices: torch.Tensor

    def __post_init__(self) -> None:
        self.lengths = torch.full_like(self.indices, EVENT + self.distance)

    def at(self, index: int) -> torch.Tensor:
        place = int(self.indices[index])
        generator = np.random.default_rng((place, self.split == "test"))
        steps = generator.standard_normal((EVENT + self.distance, 1), dtype=np.float32)
        steps[:EVENT] += 2 * (place % 2) - 1
        return torch.from_numpy(steps)

    def subset(self, indices: torch.Tensor) -> LatchingSequences:
        return LatchingSequences(self.split, self.distance, self.indices[indices])


def load_latching(split: PublishedSplit, distance: int | None = None) -> SequenceData:
    """The latching problem, after the two-sequence problem with noise.

    Parameters
    ----------
    split : {"train", "test"}
    distance : int, optional
        Steps of noise behind the event, at least 1; DISTANCE where None.

    References
    ----------
    Bengio, Simard & Frasconi (1994), "Learning long-term dependencies with gradient descent is difficult", section III.
    Hochreiter & Schmidhuber (1997), "Long short-term memory", experiment 3, has as few as 1 to 3 steps of event, noise
    of variance 0.2 and a distance of 100.
    """
    preset = find_preset("latching")
    places = torch.arange(preset.train if split == "train" else preset.test)
    sequences = LatchingSequences(split, DISTANCE if distance is None else distance, places)
    return SequenceData("latching", InputSpec("values", 1), sequences, places % 2, CLASSES)
