"""What the parts of a data set are called: train, validation and test under their many names."""

from __future__ import annotations

import re
from collections.abc import Collection

from auxrnn.errors import InputError
from auxrnn.sources.reader import Split

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
