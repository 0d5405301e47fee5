"""A digest of every number and label of a data set, by which a changed one is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
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


def _arrays(items: Labels) -> Iterator[npt.NDArray[Any]]:
    if isinstance(items, torch.Tensor):
        yield items.numpy()
    elif isinstance(items, LazySequences):
        yield from items.raw()
    else:
        yield from (item.numpy() for item in items)
