"""Class labels of any type that can be sorted, as the numbers 0..K-1 that a network learns, and back.

Knows nothing of networks or sequences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from auxrnn.errors import InputError

Array = npt.NDArray[Any]

INTEGER_LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def read_labels(y: Any, number: int, name: str) -> Array:
    """Labels (N,), checked."""
    try:
        labels = column_or_1d(y, warn=True)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name=name)
        check_classification_targets(labels)
    except ValueError as error:
        raise InputError(str(error)) from error
    if len(labels) != number:
        raise InputError(f"{name}: expected one label a sequence, got {number} sequences and {len(labels)} labels.")
    return labels


def learn_labels(labels: Array) -> tuple[Array, torch.Tensor]:
    """The classes, sorted, and the place of each label among them, (N,) int64."""
    try:
        classes, places = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise InputError(f"y: expected labels that can be sorted, got: {error}.") from error
    if len(classes) < 2:
        raise InputError(f"y: expected labels of at least 2 classes, got 1 class, {classes[0]!r}.")
    return classes, torch.from_numpy(places.astype(np.int64))


def label_type(classes: Array) -> str:
    """What to call the labels' type in config.json; InputError for a type that would not come back the same."""
    if classes.dtype.name in INTEGER_LABELS:
        return classes.dtype.name
    if classes.dtype.kind == "U":
        return "str"
    if classes.dtype.kind == "O" and all(isinstance(label, str) for label in classes):
        return "object"
    raise InputError(
        f"Expected class labels that are texts or whole numbers to save, got {classes.dtype}. "
        "Train with such labels, for example y.astype(str)."
    )


def labels_of(classes: tuple[str, ...], kind: str, folder: str | Path) -> Array:
    """The class labels of a saved model in their own type, which `label_type` called `kind`."""
    try:
        if kind in ("str", "object"):
            return np.array(classes, dtype=kind)
        if kind in INTEGER_LABELS:
            return np.array([int(name) for name in classes], dtype=kind)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{folder}: expected class labels of type {kind}, found others: {error}.") from error
    raise InputError(f"{folder}: expected a label type of str, object, {', '.join(INTEGER_LABELS)}, found {kind!r}.")
