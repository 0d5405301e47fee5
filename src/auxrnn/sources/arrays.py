"""NumPy files: X (N, T, C) or (N, T) and y, inside one .npz or as .npy files side by side.

y is (N,) classes or values, (N, K) values or 0 and 1 for each of several classes, or (N, T) a class for each step.

Read sequence by sequence, so that memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from auxrnn.errors import InputError
from auxrnn.sources.array_likes import doubtful_layout
from auxrnn.sources.npy import ArrayFile, member_names, read_header
from auxrnn.sources.reader import Example, Reader, Schema, Split
from auxrnn.sources.splits import split_named
from auxrnn.targets import KINDS, Target
from auxrnn.targets.labelling import Label

ROLES = {
    "inputs": ("X", "x", "inputs", "data"),
    "labels": ("y", "Y", "labels", "label", "target"),
    "lengths": ("lengths", "length"),
}
"""What arrays are called, by what they are; with a split before or behind: `X_train`, `test_labels`."""
SPLITS: tuple[Split | None, ...] = ("train", "validation", "test", None)


@dataclass(frozen=True)
class ArraySplit:
    """Arrays of one split: inputs, labels (None to predict), lengths of padded sequences."""

    inputs: ArrayFile
    labels: ArrayFile | None
    lengths: ArrayFile | None = None
    split: Split | None = None


def _schema(parts: Sequence[ArraySplit], kind: str, notes: Sequence[str]) -> Schema:
    """uint8 counts as pixels, other numbers as values. kind: of the target that y is. notes: what is not read."""
    array = parts[0].inputs
    channels = 1 if len(array.shape) == 2 else array.shape[2]
    shapes = ", ".join(f"{part.inputs.member or part.inputs.path.name} {part.inputs.shape}" for part in parts)
    common = np.result_type(*(part.inputs.dtype for part in parts))
    found = parts[0].labels
    size = 1 if found is None or len(found.shape) == 1 else found.shape[1]
    doubt = doubtful_layout(array.shape[1], channels)
    return Schema(
        f"NumPy arrays: {shapes}",
        "pixels" if array.dtype == np.uint8 else "values",
        channels,
        common.name if common.kind in "fiu" and common.itemsize <= 8 else "float64",
        notes=(*notes, *([f"Warning: {doubt}, save X.transpose(0, 2, 1)."] if doubt else [])),
        target=kind,
        labels=KINDS[kind].place_names(size),
    )


def _examples(parts: Sequence[ArraySplit], target: type[Target]) -> Iterator[Example]:
    """Sequences along the first dimension of the arrays."""
    for part in parts:
        labels = None if part.labels is None else part.labels.items()
        lengths = None if part.lengths is None else part.lengths.whole()
        for index, item in enumerate(part.inputs.items()):
            where = f"{part.inputs.where}, sequence {index}"
            values = item[:, np.newaxis] if item.ndim == 1 else item
            if lengths is not None:
                if not 0 <= lengths[index] <= len(values):
                    raise InputError(f"{where}: expected a length of 0 to {len(values)}, got {lengths[index]}.")
                values = values[: int(lengths[index])]
            label: Label | None = None
            if labels is not None:
                assert part.labels is not None
                found = next(labels)[: len(values)] if target.per_step else next(labels)
                label = target.read_item(found, f"{part.labels.where}, sequence {index}")
            yield Example(where, values, label, part.split)


def find_arrays(path: Path, *, labelled: bool = True, kind: str = "class") -> Reader:
    """The arrays in an .npz file, in an .npy file with its labels beside it, or in a folder of .npy files."""
    unknown: list[str] = []
    if path.is_dir():
        files = {file.stem: file for file in sorted(path.glob("*.npy"))}
        unknown = _unknown(files)
        arrays = {name: read_header(file) for name, file in files.items() if name not in unknown}
    elif path.suffix.lower() == ".npz":
        names = member_names(path)
        unknown = _unknown(names)
        arrays = {name: read_header(path, name) for name in names if name not in unknown}
    else:
        arrays = {"X": read_header(path)}
        if labelled:
            arrays |= {
                "y" if name != "lengths" else name: read_header(file)
                for name, file in _beside(path).items()
                if file.is_file()
            }
    parts = tuple(_checked(part, KINDS[kind]) for part in _splits(arrays, path, labelled))
    for part in parts[1:]:
        if (part.inputs.dtype == np.uint8) != (parts[0].inputs.dtype == np.uint8):
            raise InputError(
                f"{part.inputs.where}: expected {parts[0].inputs.dtype} as in {parts[0].inputs.where}, found "
                f"{part.inputs.dtype}: bytes are read as pixels, other numbers as values."
            )
    sizes = {part.labels.shape[1:] for part in parts if part.labels is not None}
    if KINDS[kind].several_columns and len(sizes) > 1:
        raise InputError(f"{path}: expected as many labels a sequence to train and to test, found {sizes}.")
    used = [array for part in parts for array in (part.inputs, part.labels, part.lengths)]
    unread = [*unknown, *(name for name in arrays if arrays[name] not in used)] if labelled else []
    schema = _schema(parts, kind, _unread(unread))
    return Reader(schema, frozenset(), partial(_examples, parts, KINDS[kind]))


def _unread(names: Sequence[str]) -> tuple[str, ...]:
    """What to say of the arrays of these names, which are in no part."""
    tests = [name for name in names if _role(name) == ("inputs", "test")]
    notes = [
        f"{name} has no labels beside it: it is data to predict (auxrnn predict), and not read here." for name in tests
    ]
    others = ", ".join(name for name in names if name not in tests)
    return (*notes, *([f"Arrays that are not read: {others}."] if others else []))


def _beside(path: Path) -> dict[str, Path]:
    """Where the labels of X.npy may lie: y.npy; of train_X.npy: train_y.npy; of speech.npy: speech_labels.npy."""
    stem = path.stem
    swapped = stem[:-1] + "y" if stem.endswith(("X", "x")) else f"{stem}_labels"
    return {"y": path.with_name(f"{swapped}.npy")}


def _unknown(names: Collection[str]) -> list[str]:
    """Those of the names that mean nothing here, where others do; they may hold anything."""
    unknown = [name for name in names if _role(name) is None]
    return unknown if len(unknown) < len(names) else []


def _splits(arrays: dict[str, ArrayFile], path: Path, labelled: bool) -> list[ArraySplit]:
    found = []
    named = {name: role for name in arrays if (role := _role(name))}
    for split in SPLITS:
        inputs, labels, lengths = (
            _one(arrays, [name for name, role in named.items() if role == (kind, split)], path) for kind in ROLES
        )
        if inputs is None and not labelled and split is None and len(arrays) == 1 and not named:
            inputs = next(iter(arrays.values()))
        if inputs is not None and (labels is not None or not labelled):
            found.append(ArraySplit(inputs, labels if labelled else None, lengths, split))
    if not found:
        wanted = "arrays X and y, or X_train, y_train, X_test and y_test" if labelled else "an array X"
        beside = f", or its labels in {_beside(path)['y'].name}" if path.suffix == ".npy" and labelled else ""
        raise InputError(f"{path}: expected {wanted}{beside}, found {', '.join(sorted(arrays)) or 'none'}.")
    if len({part.split is None for part in found}) > 1:
        raise InputError(f"{path}: expected X and y, or X_train and X_test with theirs, found both.")
    return found


def _role(name: str) -> tuple[str, Split | None] | None:
    """What an array is by its name, and of which split; None where the name says nothing."""
    for kind, words in ROLES.items():
        for word in words:
            if name == word:
                return kind, None
            for rest in (name.removeprefix(f"{word}_"), name.removesuffix(f"_{word}")):
                if rest != name and (split := split_named(rest)):
                    return kind, split
    return None


def _one(arrays: dict[str, ArrayFile], names: list[str], path: Path) -> ArrayFile | None:
    if len(names) > 1:
        raise InputError(f"{path}: expected one array for {names[0]}, found {' and '.join(names)}.")
    return arrays[names[0]] if names else None


def _checked(part: ArraySplit, target: type[Target]) -> ArraySplit:
    array = part.inputs
    if array.dtype.kind not in "fiub":
        raise InputError(f"{array.where}: expected numbers, found {array.dtype}.")
    most = 3 if part.labels is not None else 4  # images to predict
    if not 2 <= len(array.shape) <= most or 0 in array.shape[1:]:
        raise InputError(f"{array.where}: expected an array (N, T, C) or (N, T), found shape {array.shape}.")
    number, steps = array.shape[:2]
    if part.lengths is not None and part.lengths.shape not in ((number,), (number, 1)):
        raise InputError(
            f"{part.lengths.where}: expected one length a sequence, ({number},), found shape {part.lengths.shape}."
        )
    if part.labels is not None:
        _check_labels(part.labels, number, steps, target)
    if part.lengths is not None and part.lengths.dtype.kind not in "iu":
        raise InputError(f"{part.lengths.where}: expected whole numbers, found {part.lengths.dtype}.")
    return part


def _check_labels(labels: ArrayFile, number: int, steps: int, target: type[Target]) -> None:
    shape = labels.shape
    expected, fits = target.array_shape(shape, number, steps)
    if not fits or 0 in shape[1:]:
        hint = target.array_hint if len(shape) == 2 and shape[0] == number else ""
        raise InputError(
            f"{labels.where}: expected {expected}, found shape {shape}.{hint.format(number=number, steps=steps)}"
        )
    if labels.dtype.kind not in target.array_types:
        what = "texts or whole numbers" if "U" in target.array_types else "numbers"
        raise InputError(f"{labels.where}: expected {what}, found {labels.dtype}.")
