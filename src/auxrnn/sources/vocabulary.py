"""Characters as numbers: each known one by its place, all others as 0. Knows nothing of files or networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from auxrnn.errors import InputError


def learn_characters(texts: Iterable[str], most: int | None = None) -> str:
    """The characters of `texts` in the order of their code points; the `most` frequent alone where that is given.

    Among equally frequent characters the one of the lower code point is kept.
    """
    if most is None:
        return "".join(sorted(set().union(*texts)))
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    frequent = sorted(counts, key=lambda character: (-counts[character], character))[:most]
    return "".join(sorted(frequent))


def check_characters(characters: str) -> None:
    """InputError unless these are different characters in the order of their code points."""
    if "".join(sorted(set(characters))) != characters:
        raise InputError("Expected different characters in the order of their code points.")


def vocabulary_size(characters: str) -> int:
    """Numbers that `encode` can give: one a character, and 0."""
    return len(characters) + 1


def encode(text: str, characters: str) -> npt.NDArray[np.integer]:
    """Characters as numbers.

    Parameters
    ----------
    text : str
        T characters.
    characters : str
        The known ones, in the order of their code points.

    Returns
    -------
    array
        (T,) the place of each character in `characters`, counted from 1; 0 where it is not among them. Of the
        smallest type that holds every place: uint8, int16 or int32.
    """
    known, codes = _code_points(characters), _code_points(text)
    place = np.searchsorted(known, codes)
    found = known[np.minimum(place, len(known) - 1)] == codes
    size = vocabulary_size(characters)
    index_type = np.uint8 if size <= 2**8 else np.int16 if size <= 2**15 else np.int32
    return np.where(found, place + 1, 0).astype(index_type)


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
