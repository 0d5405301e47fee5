"""Digests of data sets, by which a changed one is known, and one that holds sequences of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.lazy import LazySequences
from auxrnn.targets import Labels


def digest_of(parts: Iterable[SequenceData], beside: Any = None) -> str:
    """SHA-256 of the raw steps, lengths, labels and kinds of some sets, and of what JSON holds `beside` them."""
    digest = hashlib.sha256(json.dumps(beside).encode())
    for part in parts:
        told = {"input": part.spec.to_dict(), "classes": part.classes, "target": part.target.kind}
        digest.update(json.dumps(told, sort_keys=True).encode())
        for items in (part.lengths, part.inputs, part.labels, part.pixel_order):
            for array in () if items is None else _arrays(items):
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


SAMPLED = 64
"""Sequences whose digests stand for those of a set."""


def sample_of(data: SequenceData) -> list[str]:
    """Short digests of some sequences as a network reads them, spread evenly over a set."""
    places = np.unique(np.linspace(0, len(data) - 1, min(SAMPLED, len(data))).astype(int))
    return [_short(data.inputs[place]) for place in places.tolist()]


def share_there(sample: Collection[str], data: SequenceData) -> float:
    """The share of a sample of digests that sequences of a set have."""
    there = {_short(data.inputs[index]) for index in range(len(data))}
    return sum(one in there for one in sample) / max(len(sample), 1)


def _short(sequence: torch.Tensor) -> str:
    return hashlib.blake2b(sequence.contiguous().numpy().data, digest_size=6).hexdigest()


def _arrays(items: Labels) -> Iterator[npt.NDArray[Any]]:
    if isinstance(items, torch.Tensor):
        yield items.numpy()
    elif isinstance(items, LazySequences):
        yield from items.raw()
    else:
        yield from (item.numpy() for item in items)
