"""An array on the disk, read part by part, and the sums that tell whether files are as they were written."""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from auxrnn.errors import InputError
from auxrnn.sources.reader import Array

BLOCK = 2**24  # bytes that are summed at once


class FiledArray:
    """An array in a file whose slices are read when they are asked for.

    A file that is cut while it is read is told; a memory map would end the whole process.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self._path, self.dtype, self.shape = path, np.dtype(dtype), shape
        self._width = math.prod(shape[1:]) * self.dtype.itemsize
        self._file = open(path, "rb")  # noqa: SIM115 - open as long as the array is there

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Array:
        start, stop, _ = part.indices(len(self))
        size = max(stop - start, 0) * self._width
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            number = os.preadv(self._file.fileno(), [view[done:]], start * self._width + done)
            if not number:
                raise InputError(
                    f"{self._path}: expected {len(self) * self._width:,} bytes, found fewer: the file was cut while it "
                    "was read. Import it again."
                )
            done += number
        return np.frombuffer(data, self.dtype).reshape(-1, *self.shape[1:])

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)  # type: ignore[call-overload]

    def __reduce__(self) -> tuple[type[FiledArray], tuple[Path, str, tuple[int, ...]]]:
        return FiledArray, (self._path, self.dtype.name, self.shape)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


class SummedFile:
    """A file that is written from front to back, with the sum of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sum = file, 0

    def write(self, data: bytes | memoryview) -> int:
        self.sum = zlib.crc32(data, self.sum)
        return self._file.write(data)


def sum_of(numbers: Array) -> int:
    """The sum of a file that holds these numbers."""
    return zlib.crc32(np.ascontiguousarray(numbers).data)


def sum_of_file(path: Path) -> int:
    found = 0
    with open(path, "rb") as file:
        while data := file.read(BLOCK):
            found = zlib.crc32(data, found)
    return found
