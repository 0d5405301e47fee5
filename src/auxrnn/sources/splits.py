"""The names of splits, and the one place where subsets are drawn, every class by its share.

Groups and a seed in, sorted indices out; knows nothing of inputs. The same labels and seed always give the same
indices. The paper reports neither a validation set nor smaller training sets; these are ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.errors import InputError
from auxrnn.sources.reader import Split

Classes = torch.Tensor | npt.NDArray[np.integer] | Sequence[int]

# One random stream a purpose: the same seed never makes a validation split depend on how a limit was drawn.
_VALIDATION_STREAM, _LIMIT_STREAM = 1, 2

WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev", "devel", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
FILLERS = frozenset(
    (
        "set",
        "sets",
        "data",
        "dataset",
        "split",
        "part",
        "files",
        "images",
        "imgs",
        "img",
        "audio",
        "samples",
        "examples",
        "public",
        "private",
    )
)
"""What may stand beside a word for a split without changing what it says: `training_set`, `test data`, `PublicTest`."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def stratified_split(labels: Classes, fraction: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Split indices into training and validation, every class by its share.

    The whole-number shares come from the method of largest remainders: each is less than one away from exact, and the
    total is `fraction * N` rounded. Every class keeps at least one sequence in training; a class with a single one
    is not split and does not count in the total.

    Parameters
    ----------
    labels : (N,) integers
        The class of each sequence.
    fraction : float
        Share of each class for validation, 0 to below 1.
    seed : int
        Of the draw, at least 0.

    Returns
    -------
    (Tensor, Tensor)
        Training and validation indices, int64, sorted and disjoint.

    Raises
    ------
    InputError
        For a fraction or a seed out of range.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"Expected a validation fraction of at least 0 and below 1, got {fraction}.")
    numbers = _as_array(labels)
    classes, counts = np.unique(numbers, return_counts=True)
    splittable = np.where(counts > 1, counts, 0)
    total = int(np.floor(fraction * splittable.sum() + 0.5))
    shares = _largest_remainders(fraction * splittable, total, most=np.maximum(counts - 1, 0))
    validation = _draw(numbers, classes, shares, np.random.default_rng([_seed(seed), _VALIDATION_STREAM]))
    train = np.setdiff1d(np.arange(len(numbers)), validation, assume_unique=True)
    return torch.from_numpy(train), torch.from_numpy(validation)


def limit_stratified(labels: Classes, number: int, seed: int, *, option: str = "a limit") -> torch.Tensor:
    """Choose some of the sequences, each class by its share and with at least one.

    Parameters
    ----------
    labels : (N,) integers
        The class of each sequence.
    number : int
        How many to keep, at least the number of classes and at most N.
    seed : int
        Of the draw, at least 0.
    option : str
        What asks for the number, for messages.

    Returns
    -------
    Tensor
        (number,) int64, sorted indices.

    Raises
    ------
    InputError
        For a number or a seed out of range.
    """
    numbers = _as_array(labels)
    classes, counts = np.unique(numbers, return_counts=True)
    if number > len(numbers):
        raise InputError(f"Expected {option} of at most the {len(numbers)} sequences there are, got {number}.")
    if number < max(len(classes), 1):
        raise InputError(
            f"Expected {option} of at least {max(len(classes), 1)}, one sequence for each class, got {number}."
        )
    rare = np.zeros(len(classes), dtype=bool)  # classes whose exact share is below one: they get one
    while True:
        quotas = np.where(rare, 1.0, counts * ((number - rare.sum()) / max(counts[~rare].sum(), 1)))
        if not (quotas < 1).any():
            break
        rare |= quotas < 1
    shares = _largest_remainders(quotas, number, most=counts)
    chosen = _draw(numbers, classes, shares, np.random.default_rng([_seed(seed), _LIMIT_STREAM]))
    return torch.from_numpy(chosen)


def _largest_remainders(
    quotas: npt.NDArray[np.float64], total: int, *, most: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Whole numbers next to `quotas` that add up to `total`, as far as `most` lets them; ties go to the lower class."""
    # 1e-9: 0.3 * 10 is a hair below 3 in floating point and is meant as 3.
    shares = np.minimum(np.floor(quotas + 1e-9).astype(np.int64), most)
    by_remainder = np.argsort(-np.round(quotas - shares, 9), kind="stable")
    growing = by_remainder[shares[by_remainder] < most[by_remainder]]
    shares[growing[: max(total - int(shares.sum()), 0)]] += 1
    return shares


def _draw(
    numbers: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    shares: npt.NDArray[np.int64],
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    chosen = [
        generator.permutation(np.flatnonzero(numbers == label))[:share]
        for label, share in zip(classes, shares, strict=True)
    ]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *chosen]))


def _as_array(labels: Classes) -> npt.NDArray[np.int64]:
    array = np.asarray(labels)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"Expected labels of shape (N,) and a whole-number type, got {array.shape} of {array.dtype}.")
    return array.astype(np.int64)


def _seed(seed: int) -> int:
    if seed < 0:
        raise InputError(f"Expected a seed of at least 0, got {seed}.")
    return seed


def choose(
    labels: Classes, limit_classes: int | None, limit: int | None, seed: int, *, option: str
) -> torch.Tensor | None:
    """Sorted indices of the labels below `limit_classes`, of these `limit` by `limit_stratified`; None for all.

    option: what asks for the limit, for messages.
    """
    if limit_classes is None and limit is None:
        return None
    numbers = _as_array(labels)
    kept = np.arange(len(numbers)) if limit_classes is None else np.flatnonzero(numbers < limit_classes)
    if limit is not None:
        kept = kept[limit_stratified(numbers[kept], limit, seed, option=option).numpy()]
    return torch.from_numpy(kept)


def split_named(name: str) -> Split | None:
    """The split that a whole name stands for: `Training`, `test_set`, `val2017`, `TrainImages`; None for others."""
    found = [word for word in _words(name) if word not in FILLERS]
    return WORDS.get(found[0]) if len(found) == 1 else None


def are_split_names(names: Collection[str]) -> bool:
    """Whether there are names and all are words for splits alone: those of files and cases have numbers."""
    return bool(names) and all(split_named(name) and not re.search(r"\d", name) for name in names)


def split_within(name: str) -> Split | None:
    """The one split that a name speaks of among other things: `Gestures_TEST`, `test-00000-of-00002`."""
    found = {WORDS[word] for word in _words(name) if word in WORDS}
    return found.pop() if len(found) == 1 else None


def split_of(word: str, where: str) -> Split:
    """The split that a cell names; InputError where it names none."""
    split = split_named(word)
    if split is None:
        raise InputError(
            f"{where}: expected train, validation or test in the split column, got {word!r}. Give the column another "
            "name if it means something else."
        )
    return split


def _words(name: str) -> list[str]:
    """The words of a name in small letters; `trainset` and `testdata` without what is glued to them."""
    words = []
    for word in _WORD.findall(name):
        word = word.lower()
        glued = next((word.removesuffix(end) for end in ("set", "data") if word.removesuffix(end) in WORDS), word)
        words.append(glued)
    return words
