"""Arrays in NumPy's files, .npy and members of .npz, read item by item from the file. Nothing is ever unpickled."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from auxrnn.errors import InputError

Array = npt.NDArray[Any]

LARGEST_ITEM = 2**31  # bytes of an item, and of an array that is read whole
MOST_CODE_POINT = 0x10FFFF
DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading a file that is cut, damaged or encrypted leads to."""


@dataclass(frozen=True)
class ArrayFile:
    """One array in a .npy file, or in a member of an .npz file."""

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bytes: int  # of the file or member, as it says

    @property
    def where(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}, {self.member}"

    def items(self) -> Iterator[Array]:
        """The items along the first dimension, one after the other."""
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        if size > LARGEST_ITEM:
            raise InputError(f"{self.where}: expected sequences of at most 2 GiB, got shape {self.shape}.")
        if size > self.bytes and self.shape[0]:
            raise InputError(f"{self.where}: expected items of {size:,} bytes, found {self.bytes:,} bytes in all.")
        with _opened(self.path, self.member) as (stream, _):
            checked_header(stream, self.where)
            for index in range(self.shape[0]):
                data = stream.read(size)
                if len(data) != size:
                    raise InputError(f"{self.where}: expected {self.shape[0]} items, the file ends at {index}.")
                if self.dtype.kind == "U" and (np.frombuffer(data, np.uint32) > MOST_CODE_POINT).any():
                    raise InputError(f"{self.where}: expected texts, found numbers that are no characters.")
                yield np.frombuffer(data, self.dtype).reshape(self.shape[1:])

    def whole(self) -> Array:
        """The array itself, for what is small."""
        count = math.prod(self.shape)
        if count * self.dtype.itemsize > LARGEST_ITEM:
            raise InputError(f"{self.where}: expected at most 2 GiB of labels, got shape {self.shape}.")
        found = list(self.items())
        return np.array(found, self.dtype).reshape(self.shape) if found else np.empty(self.shape, self.dtype)


def member_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except DAMAGED as error:
        raise InputError(f"{path}: expected a NumPy file of plain numbers, found: {error}.") from error


def read_header(path: Path, member: str | None = None) -> ArrayFile:
    """The array in a .npy file, or in a member of an .npz file, nothing of it read yet."""
    with _opened(path, member) as (stream, size):
        shape, dtype = checked_header(stream, str(path) if member is None else f"{path}, {member}.npy")
        return ArrayFile(path, member, shape, dtype, size)


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[tuple[IO[bytes], int]]:
    """A .npy file or a member of an .npz file, and how many bytes it has; InputError where it cannot be read."""
    try:
        if member is None:
            with path.open("rb") as stream:
                yield stream, path.stat().st_size
        else:
            with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as stream:
                yield stream, archive.getinfo(f"{member}.npy").file_size
    except DAMAGED as error:
        raise InputError(f"{path}: expected a whole NumPy file, found: {error}.") from error


def checked_header(stream: Any, where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, leaving the stream at the numbers; InputError for what needs unpickling or is no row of items."""
    try:
        shape, columns_first, dtype = parse_header(stream)
    except ValueError as error:
        raise InputError(f"{where}: expected a NumPy array, found: {error}.") from error
    if dtype.hasobject or dtype.fields:
        raise InputError(
            f"{where}: expected plain numbers or texts, found Python objects or records, which are never unpickled. "
            'Labels from pandas: save y.astype(str); numbers: save X.astype("float32").'
        )
    if columns_first and len(shape) > 1:
        raise InputError(f"{where}: expected rows one after the other, found columns. Save np.ascontiguousarray(X).")
    if dtype.itemsize == 0 or any(isinstance(size, bool) or size < 0 for size in shape):
        raise InputError(f"{where}: expected a NumPy array, found one of {dtype} and shape {shape}.")
    return tuple(shape), dtype


def parse_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type, as a header says them; ValueError for a damaged one."""
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python 2 wrote it
            return read(stream)
    except (EOFError, SyntaxError, TokenError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error
