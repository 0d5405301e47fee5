"""What people pass as `y`: class labels of any type that can be sorted, as the numbers 0..K-1 that a network learns,
and back; 0 and 1 for several classes; values; and tags of steps.

Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from auxrnn.errors import InputError
from auxrnn.sources.array_likes import as_array, as_numbers
from auxrnn.sources.dataset import SequenceData

Array = npt.NDArray[Any]

INTEGER_LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def read_labels(y: Any, number: int, name: str) -> Array:
    """Labels (N,), checked."""
    try:
        found = y = as_array(y, name)
        if found.ndim > 1 and found.shape[1:] != (1,):
            raise InputError(
                f"{name}: expected one class a sequence, (N,), or 0 and 1 for each of several, (N, K), got shape "
                f"{found.shape} with {np.unique(found)[:5].tolist()}."
            )
        labels = column_or_1d(y, warn=True)
        _check_none_missing(labels, name)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name=name)
        check_classification_targets(labels)
    except TypeError as error:
        raise InputError(f"{name}: expected labels of one type, that can be sorted, got: {error}.") from error
    except ValueError as error:
        raise InputError(str(error)) from error
    if len(labels) != number:
        raise InputError(f"{name}: expected one label a sequence, got {number} sequences and {len(labels)} labels.")
    return labels


def _check_none_missing(labels: Array, name: str) -> None:
    """InputError where a label is None, NaN or no time, which no class is called."""
    for index, label in enumerate(labels if labels.dtype.kind in "OmM" else ()):
        if label is None or label != label:  # noqa: PLR0124 - NaN alone differs from itself
            raise InputError(f"{name}: expected a label for every sequence, got {label} at sequence {index}.")


def learn_labels(labels: Array) -> tuple[Array, torch.Tensor]:
    """The classes, sorted, and the place of each label among them, (N,) int64."""
    try:
        classes, places = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise InputError(f"y: expected labels that can be sorted, got: {error}.") from error
    if len(classes) < 2:
        raise InputError(f"y: expected labels of at least 2 classes, got 1 class, {_plain(classes[0])!r}.")
    return classes, torch.from_numpy(places.astype(np.int64))


def place_labels(labels: Array, classes: Array, name: str) -> torch.Tensor:
    """The place of each label among the known classes, (N,) int64; InputError for another one."""
    places = {label: place for place, label in enumerate(classes.tolist())}
    for label in labels.tolist():
        if label not in places:
            raise InputError(f"{name}: expected labels of the training data, got {label!r}.")
    return torch.tensor([places[label] for label in labels.tolist()], dtype=torch.int64)


def read_indicator(y: Any, number: int, name: str) -> Array | None:
    """0 and 1 for each of several classes, (N, K) int64; None for what is no such matrix."""
    try:
        y = y if sparse.issparse(y) else as_array(y, name)
        with np.errstate(invalid="ignore"):  # it casts before it looks for NaN
            if type_of_target(y, input_name=name) != "multilabel-indicator":
                return None
        matrix = check_array(y, accept_sparse=False, dtype="int64", input_name=name)
    except (ValueError, TypeError) as error:
        if isinstance(error, TypeError) and "sparse" in str(error).lower():
            raise InputError(f"{name}: expected a dense matrix of 0 and 1, got a sparse one: y.toarray().") from error
        return None  # what it is instead, the reading of single labels says
    if len(matrix) != number:
        raise InputError(f"{name}: expected one row a sequence, got {number} sequences and {len(matrix)} rows.")
    others = matrix[(matrix != 0) & (matrix != 1)]
    if len(others):
        raise InputError(
            f"{name}: expected one class a sequence, or 0 and 1 for each of several, got "
            f"{matrix.shape} with {others[0]}; for a class at every step there is LongSequenceTagger."
        )
    return matrix


def read_values(y: Any, number: int, name: str) -> Array:
    """Finite numbers (N,) or (N, K), float64."""
    try:
        y = y if sparse.issparse(y) else as_numbers(y, name)
        values = check_array(y, ensure_2d=False, dtype="numeric", input_name=name)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"{name}: expected numbers, got {values.dtype}.")
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    if values.ndim not in (1, 2) or (values.ndim == 2 and not values.shape[1]):
        raise InputError(f"{name}: expected values (N,) or (N, K), got shape {values.shape}.")
    if len(values) != number:
        raise InputError(f"{name}: expected one label a sequence, got {number} sequences and {len(values)} labels.")
    return values.astype(np.float64)


def read_tags(y: Any, lengths: Sequence[int], name: str) -> tuple[list[Array], list[Array]]:
    """A label for each step, N arrays (T_i,), and which steps have one, N arrays (T_i,) bool.

    None are -1 among whole numbers, NaN among others, and None and the empty text among texts.
    """
    y = as_array(y, name) if hasattr(y, "columns") else y  # of a frame too
    if isinstance(y, str) or not hasattr(y, "__len__") or len(y) != len(lengths):
        found = f"{len(y)} rows" if hasattr(y, "__len__") else type(y).__name__
        raise InputError(f"{name}: expected a row of tags for each of {len(lengths)} sequences, got {found}.")
    tags, there = [], []
    for index, (row, length) in enumerate(zip(y, lengths, strict=True)):
        where = f"{name}, sequence {index}"
        try:
            one = as_array(row, where)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: expected a tag for each of its {length} steps, got: {error}") from error
        if one.shape != (length,):
            raise InputError(f"{where}: expected a tag for each of its {length} steps, got shape {one.shape}.")
        known = _has_tag(one)
        if one.dtype.kind == "f":
            if not np.isfinite(one[known]).all() or (one[known] % 1).any():
                raise InputError(f"{where}: expected classes as tags, got measured values such as {one[known][0]}.")
            one = np.where(known, one, -1).astype(np.int64)
        elif one.dtype.kind not in "biuUO" or not all(isinstance(tag, str | int) for tag in one[known].tolist()):
            raise InputError(f"{where}: expected whole numbers or texts as tags, got {one.dtype}.")
        tags.append(one)
        there.append(known)
    kinds = {isinstance(tag, str) for one, known in zip(tags, there, strict=True) for tag in one[known].tolist()[:1]}
    if len(kinds) > 1:
        raise InputError(f"{name}: expected tags of one type throughout, got texts and numbers.")
    return tags, there


def _has_tag(tags: Array) -> Array:
    if tags.dtype.kind == "f":
        return ~np.isnan(tags) & (tags != -1)
    if tags.dtype.kind in "UO":
        return np.array([tag == tag and tag not in (None, "", -1) for tag in tags.tolist()], dtype=bool)  # noqa: PLR0124
    return tags != -1 if tags.dtype.kind == "i" else np.ones(len(tags), dtype=bool)


def class_weights(given: Any, train: SequenceData, classes: Array) -> torch.Tensor | None:
    """The weight of each class in the loss, (classes,), from a parameter `class_weight`; None for all 1."""
    if given is None:
        return None
    if train.target.kind == "classes":
        raise InputError(f"Expected class_weight to be None where a sequence has several classes, got {given!r}.")
    if isinstance(given, str) and given == "balanced":
        return train.balanced().class_weights
    if not isinstance(given, Mapping):
        raise InputError(
            f"Expected class_weight to be None, 'balanced' or a dict from labels to weights, got {given!r}."
        )
    known = classes.tolist()
    for label, weight in given.items():
        if label not in known:
            raise InputError(f"Expected class_weight of labels of the training data, got {_plain(label)!r}.")
        if isinstance(weight, bool) or not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise InputError(
                f"Expected class_weight to be finite numbers of at least 0, got {_plain(weight)!r} for {_plain(label)}."
            )
    if not any(given.get(label, 1.0) for label in known):
        raise InputError("Expected class_weight above 0 for at least one class, got 0 for all.")
    return torch.tensor([float(given.get(label, 1.0)) for label in known])


def _plain(value: Any) -> Any:
    """Python's own number or text for numpy's, for messages."""
    return value.item() if isinstance(value, np.generic) else value


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
