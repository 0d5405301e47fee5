"""From what people have (arrays, lists of arrays, texts) to what a network reads, the same way for new sequences.

A `Preprocessing` is learned from training sequences and kept with the model. Knows nothing of estimators, networks or
files.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.batch import InputKind, InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.array_likes import as_array, as_numbers, doubtful_layout
from auxrnn.sources.lazy import LazySequences
from auxrnn.sources.vocabulary import check_characters, encode, learn_characters, vocabulary_size
from auxrnn.targets.moments import channel_moments

Array = npt.NDArray[Any]

NUMBERS = "biuf"  # the kinds of numpy types that are real numbers
SHAPES = "an array (N, T, C) or (N, T), a list of arrays (T, C) or (T,), or a list of texts"
CHUNK = 4096  # sequences of an array whose sums are taken at once
PIECE = 2**16  # numbers that are standardised at once, within a processor's cache

LARGE = 2**24
"""Bytes of numbers of which no second copy is made: each sequence is standardised when it is asked for."""


@dataclass(frozen=True)
class RawSequences:
    """N sequences as they came, checked; none is empty.

    Parameters
    ----------
    items : array or list
        (N, T, C), or N arrays (T_i, C), or N texts.
    table : bool
        Whether they came as (N, T), a column a step, as scikit-learn's other estimators take their features.
    names : tuple of str
        Of the channels, where the sequences came as frames whose columns have names.
    """

    items: Array | list[Array] | list[str]
    table: bool = False
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def text(self) -> bool:
        return isinstance(self.items[0], str)

    @property
    def channels(self) -> int:
        """Channels of one step; 1 for a text."""
        return 1 if self.text else int(self.items[0].shape[-1])  # type: ignore[union-attr]

    @property
    def large(self) -> bool:
        """Whether they are too large to be copied."""
        if self.text:
            return False
        return sum(item.nbytes for item in cast("list[Array]", self.items)) > LARGE

    def subset(self, indices: torch.Tensor) -> RawSequences:
        """The sequences at `indices`, in that order; large ones share memory with all."""
        if isinstance(self.items, np.ndarray) and not self.large:
            return RawSequences(self.items[indices.numpy()], self.table)
        return RawSequences([self.items[index] for index in indices.tolist()], self.table, self.names)


def read_sequences(X: Any, name: str = "X", names: tuple[str, ...] = ()) -> RawSequences:
    """Check what a person passed as sequences, and return it unchanged.

    Whatever numpy takes as an array is one: tensors, tables of pandas and nested lists of one length included. A
    one-dimensional array of texts or of arrays counts as a list.

    Parameters
    ----------
    X
        An array (N, T, C) or (N, T), a list of arrays (T_i, C) or (T_i,), or a list of texts.
    name : str
        What messages call it.
    names : tuple of str
        Of the channels: the columns of frames in a list are found by them, in any order, else by those of the first
        frame.

    Returns
    -------
    RawSequences

    Raises
    ------
    InputError
        For what is empty, not finite, complex, sparse or of another shape.
    TypeError
        For objects that are no numbers, as numpy has it.
    """
    from scipy.sparse import issparse  # slow to import

    if issparse(X):
        raise InputError(f"{name}: expected dense sequences, got a sparse matrix. Convert it first: X.toarray().")
    if isinstance(X, str | bytes):
        raise InputError(f"{name}: expected a list of texts, got a single one; put it into a list.")
    if isinstance(X, list | tuple):
        if X and isinstance(X[0], list | tuple) and (array := _rectangular(X)) is not None:
            return _read_array(array, name)
        return _read_list(list(X), name, names)
    column_names(X, name)  # no two the same
    array = as_array(X, name)
    if array.ndim == 1 and array.dtype.kind in "OUT":
        return _read_list(array.tolist(), name, names)
    return _read_array(array, name)


def _rectangular(X: list[Any] | tuple[Any, ...]) -> Array | None:
    """Nested lists as an array of two or three dimensions, or None where their lengths differ."""
    try:
        array = as_array(X, "X")
    except (ValueError, TypeError):  # InputError is a ValueError
        return None
    return array if array.ndim in (2, 3) else None


def _read_array(array: Array, name: str) -> RawSequences:
    from sklearn.utils import check_array

    if array.ndim not in (2, 3):
        raise InputError(f"{name}: expected {SHAPES}, got an array of shape {array.shape}. Reshape your data.")
    try:
        array = check_array(as_numbers(array, name), ensure_2d=False, allow_nd=True, input_name=name)
    except ValueError as error:
        raise InputError(str(error)) from error
    if array.dtype.kind not in NUMBERS:
        raise InputError(f"{name}: expected numbers, got an array of {array.dtype}.")
    if 0 in array.shape:
        raise InputError(f"{name}: expected at least one step of at least one channel, got shape {array.shape}.")
    table = array.ndim == 2
    if not table and (doubt := doubtful_layout(*array.shape[1:])):
        warnings.warn(f"{name}: {doubt}, pass X.transpose(0, 2, 1).", UserWarning, stacklevel=5)
    return RawSequences(array[:, :, np.newaxis] if table else array, table)


def _read_list(items: list[Any], name: str, names: tuple[str, ...] = ()) -> RawSequences:
    if not items:
        raise InputError(f"{name}: expected at least one sequence, got none.")
    if isinstance(items[0], str):
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise InputError(
                    f"{name}: expected texts throughout as at 0, got {type(item).__name__} at sequence {index}."
                )
            if not item:
                raise InputError(f"{name}: expected texts of at least one character, got none at sequence {index}.")
        return RawSequences([str(item) for item in items])
    names = names or column_names(items[0], f"{name}, sequence 0")
    arrays = []
    for index, item in enumerate(items):
        where = f"{name}, sequence {index}"
        arrays.append(_read_item(by_name(item, names, where), where))
    for index, array in enumerate(arrays):
        if array.shape[1] != arrays[0].shape[1]:
            raise InputError(
                f"{name}: expected {arrays[0].shape[1]} channels throughout as at 0, "
                f"got {array.shape[1]} at sequence {index}."
            )
    if not names and (doubt := doubtful_layout(max(map(len, arrays)), arrays[0].shape[1])):
        warnings.warn(f"{name}: {doubt}, pass the transpose of each, x.T.", UserWarning, stacklevel=5)
    return RawSequences(arrays, names=names)


def column_names(frame: Any, where: str) -> tuple[str, ...]:
    """The names of a frame's columns, of whatever library, where all are texts; none for what is no frame."""
    columns = getattr(frame, "columns", None)
    if columns is None or not hasattr(columns, "__len__"):
        return ()
    names = tuple(columns)
    if not names or not all(isinstance(name, str) for name in names):
        return ()
    if len(set(names)) < len(names):
        raise InputError(f"{where}: expected columns of different names, got {', '.join(names)[:90]}.")
    return names


def by_name(frame: Any, names: tuple[str, ...], where: str) -> Any:
    """A frame with its columns in the order of `names`; what has no names is taken as it is."""
    found = column_names(frame, where)
    if not names or not found or found == names:
        return frame
    if set(found) != set(names):
        raise InputError(
            f"{where}: expected the columns {', '.join(names)[:90]} as in training, got {', '.join(found)[:90]}."
        )
    return frame[list(names)]


def _read_item(item: Any, where: str) -> Array:
    """One sequence as an array (T, C)."""
    from scipy.sparse import issparse

    if issparse(item):
        raise InputError(f"{where}: expected dense numbers, got a sparse matrix. Convert it first.")
    try:
        array = as_numbers(item, where)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: expected an array of numbers (T, C) or (T,), got: {error}.") from error
    if array.dtype.kind == "c":
        raise InputError(f"{where}: Complex data not supported; pass real and imaginary part as two channels.")
    if array.dtype.kind not in NUMBERS:
        raise InputError(f"{where}: expected numbers, got {array.dtype}.")
    if array.ndim not in (1, 2):
        raise InputError(
            f"{where}: expected an array of numbers (T, C) or (T,), got shape {array.shape}. X is {SHAPES}."
        )
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if 0 in array.shape:
        raise InputError(f"{where}: expected at least one step and one channel, got shape {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{where}: expected finite numbers, got NaN or inf. Fill in or leave out missing values.")
    return array


@dataclass(frozen=True)
class Preprocessing:
    """What is done to raw sequences before a network reads them.

    Parameters
    ----------
    kind : {"pixels", "values", "characters"}
        Pixels stay uint8. Of values each channel has `mean` taken off and is divided by `scale`; they stay as they
        are where both are empty. A character is its place in `characters`, counted from 1; 0 for any other.
    channels : int
        Of one step; 1 for characters.
    mean, scale : tuple of float
        One finite number a channel, the scale above 0.
    characters : str
        The known ones, in the order of their code points.
    columns : int, optional
        T, where training sequences came as a table (N, T).
    column_names : tuple of str
        Of such a table, where it had any; else of the channels, where frames had any.

    Raises
    ------
    InputError
        Where any of this does not hold.
    """

    kind: InputKind
    channels: int = 1
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    characters: str = ""
    columns: int | None = None
    column_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        InputSpec(self.kind, self.channels)
        numbers = self.kind == "values" and bool(self.mean or self.scale)
        for name in ("mean", "scale"):
            found = getattr(self, name)
            if len(found) != (self.channels if numbers else 0) or not np.isfinite(np.array(found, dtype=float)).all():
                raise InputError(f"Expected one finite {name} a channel ({self.channels}), got {found}.")
        if any(scale <= 0 for scale in self.scale):
            raise InputError(f"Expected scales above 0, got {self.scale}.")
        if (self.kind == "characters") != bool(self.characters):
            raise InputError("Expected different characters in the order of their code points, for characters alone.")
        check_characters(self.characters)
        columns = self.channels if self.columns is None else self.columns
        if self.column_names and len(self.column_names) != columns:
            raise InputError(f"Expected {columns} column names, got {len(self.column_names)}.")

    @classmethod
    def learn(cls, raw: RawSequences, column_names: tuple[str, ...] = ()) -> Preprocessing:
        """Learn from training sequences: uint8 is pixels, other numbers are values, texts are characters.

        A channel that never changes gets a scale of 1. column_names: of a table; those of a list are its own.
        """
        column_names = raw.names or column_names
        columns = len(raw.items[0]) if raw.table else None
        if raw.text:
            return cls("characters", characters=learn_characters(cast("list[str]", raw.items)))
        if all(block.dtype == np.uint8 for block in _blocks(raw)):
            return cls("pixels", raw.channels, columns=columns, column_names=column_names)
        mean, scale = channel_moments(lambda: _blocks(raw), "X")
        return cls("values", raw.channels, mean, scale, columns=columns, column_names=column_names)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """By which the columns of frames in a list are found; none where the training sequences had none."""
        return self.column_names if self.columns is None else ()

    @property
    def spec(self) -> InputSpec:
        """What one step is after this."""
        return InputSpec(self.kind, vocabulary_size(self.characters) if self.kind == "characters" else self.channels)

    def apply(self, raw: RawSequences, name: str = "X") -> torch.Tensor | list[torch.Tensor]:
        """Sequences as `SequenceData` holds them; shares memory with `raw` where nothing changes.

        Parameters
        ----------
        raw : RawSequences
        name : str
            What messages call them.

        Returns
        -------
        Tensor or list of Tensor
            (N, T, C), or N of (T_i, C), or N of (T_i,) characters.

        Raises
        ------
        InputError
            For sequences of another kind or width than in training.
        """
        if raw.text != (self.kind == "characters"):
            expected, got = ("texts", "numbers") if self.kind == "characters" else ("numbers", "texts")
            raise InputError(f"{name}: expected {expected} as in training, got {got}.")
        if raw.channels != self.channels:
            raise InputError(
                f"{name}: expected {self.channels} channels a step as in training, (N, T, {self.channels}), "
                f"got {raw.channels}."
            )
        if isinstance(raw.items, np.ndarray):
            return self.sequence(raw.items, name)
        items: list[Any] = raw.items
        return [self.sequence(item, f"{name}, sequence {index}") for index, item in enumerate(items)]

    def prepared(self, raw: RawSequences, name: str = "X") -> torch.Tensor | Sequence[torch.Tensor]:
        """As `apply` has them, without a copy of large values."""
        if not self.mean or raw.text or raw.channels != self.channels or not raw.large:
            return self.apply(raw, name)
        items = cast("list[Array]", raw.items)
        for index, item in enumerate(items):  # a sequence is finite where its extremes are
            self.sequence(np.stack([item.min(0), item.max(0)]), f"{name}, sequence {index}")
        return StandardisedSequences(items, self, name)

    def sequence(self, item: Array | str, where: str) -> torch.Tensor:
        """One sequence as a network reads it; InputError where it is not like those of training.

        Parameters
        ----------
        item : array or str
            (T, C) numbers, or a text; an array (N, T, C) likewise.
        where : str
            What messages call it.

        Returns
        -------
        Tensor
            (T, C) float32 or uint8, or (T,) characters.
        """
        if isinstance(item, str):
            return torch.from_numpy(encode(item, self.characters))
        if self.kind == "pixels":
            return torch.from_numpy(_own(_as_pixels(item, where)))
        if not self.mean:
            with np.errstate(over="ignore"):  # what is not finite then, a data set refuses
                return torch.from_numpy(_own(item.astype(np.float32, copy=False)))
        values = np.empty(item.shape, np.float32)
        steps = max(PIECE // self.channels, 1)
        with np.errstate(all="ignore"):
            for own, one in zip(values, item, strict=True) if item.ndim == 3 else ((values, item),):
                for first in range(0, len(one), steps):
                    standardised = np.subtract(one[first : first + steps], np.array(self.mean), dtype=np.float64)
                    own[first : first + steps] = standardised / np.array(self.scale)
        if not np.isfinite(values).all():
            raise InputError(f"{where}: expected finite values near those of training, got others or some too large.")
        return torch.from_numpy(values)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Preprocessing:
        """The reverse of `to_dict`; InputError for unknown or missing entries and wrong types."""
        known = {item.name for item in fields(cls)}
        if set(content) != known:
            raise InputError(f"expected preprocessing entries {sorted(known)}, found {sorted(content)}")
        columns = content["columns"]
        if not isinstance(content["characters"], str) or not (columns is None or isinstance(columns, int)):
            raise InputError("expected characters as a text and columns as a whole number or null in preprocessing")
        return cls(
            content["kind"],
            int(content["channels"]),
            tuple(float(value) for value in content["mean"]),
            tuple(float(value) for value in content["scale"]),
            content["characters"],
            columns,
            tuple(str(column) for column in content["column_names"]),
        )


class StandardisedSequences(LazySequences):
    """Arrays (T_i, C), standardised one by one when they are asked for."""

    has_parts = True

    def __init__(self, items: Sequence[Array], preprocessing: Preprocessing, name: str) -> None:
        self._items, self._preprocessing, self._name = items, preprocessing, name
        self.lengths = torch.tensor([len(item) for item in items])

    def at(self, index: int) -> torch.Tensor:
        return self.part(index, 0, len(self._items[index]))

    def part(self, index: int, first: int, stop: int) -> torch.Tensor:
        return self._preprocessing.sequence(self._items[index][first:stop], f"{self._name}, sequence {index}")

    def subset(self, indices: torch.Tensor) -> StandardisedSequences:
        items = [self._items[index] for index in indices.tolist()]
        return StandardisedSequences(items, self._preprocessing, self._name)


def _blocks(raw: RawSequences) -> Iterator[Array]:
    """The steps of all sequences, (steps, C) a block."""
    if isinstance(raw.items, np.ndarray):
        for start in range(0, len(raw.items), CHUNK):
            yield raw.items[start : start + CHUNK].reshape(-1, raw.items.shape[2])
    else:
        for item in raw.items:
            assert isinstance(item, np.ndarray)
            yield item


def _as_pixels(item: Array, where: str) -> Array:
    """Pixel levels as uint8; other numbers that are whole levels are taken, none is changed."""
    if item.dtype == np.uint8:
        return item
    with np.errstate(invalid="ignore"):  # of NaN
        pixels = np.clip(item, 0, 255).astype(np.uint8)
    if not np.array_equal(pixels, item):
        raise InputError(
            f"{where}: expected pixel levels 0 to 255 as in training, got {item.dtype} "
            f"from {item.min():.4g} to {item.max():.4g}."
        )
    return pixels


def _own(array: Array) -> Array:
    """An array that a tensor can share: in order, in the machine's byte order, writable."""
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return array if array.flags.writeable else array.copy()
