"""The IDX format of MNIST: a short header, then the numbers, often inside gzip.

Layout (yann.lecun.com/exdb/mnist): two zero bytes, one byte for the type (0x08: unsigned byte), one byte for the number
of dimensions, each dimension as a big-endian 32-bit number, then the numbers, last dimension fastest. Knows nothing of
images.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from auxrnn.errors import InputError

MAX_BYTES = 2**30  # of numbers in one file; MNIST's largest holds 47,040,000


def read_idx(path: str | Path, expected_dims: int) -> npt.NDArray[np.uint8]:
    """The uint8 array of `expected_dims` dimensions (1 for labels, 3 for images) in the IDX file `path`, gzip or plain.

    InputError, naming the file, for whatever does not fit. Never reads more than the header announces plus one byte,
    and never more than `MAX_BYTES`, so that a file of a few kilobytes cannot fill the memory.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            start = raw.peek(2)[:2]
            if start == b"\x1f\x8b":
                with gzip.open(raw) as stream:
                    return _parse(stream, path, expected_dims)  # type: ignore[arg-type]
            if path.suffix == ".gz":
                raise InputError(
                    f"{path}: expected a gzip file, which starts with the bytes 1f 8b, found "
                    f"{raw.read(4).hex(' ') or 'nothing'}. It may be a saved error page, or already unpacked (then "
                    "take .gz off its name)."
                )
            return _parse(raw, path, expected_dims)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: expected a whole gzip file, found a damaged one ({error}). Download it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path}: expected an IDX file that can be read, found: {error.strerror or error}.") from error


def _parse(stream: IO[bytes], path: Path, expected_dims: int) -> npt.NDArray[np.uint8]:
    size = 4 + 4 * expected_dims
    header = stream.read(size)
    if header[:2].strip(b"\0"):
        raise InputError(
            f"{path}: expected an IDX file, which starts with the bytes 00 00, found {header[:4].hex(' ')}."
        )
    if header[2:3] not in (b"", b"\x08"):
        raise InputError(f"{path}: expected IDX type 0x08 (unsigned byte), found 0x{header[2]:02x}.")
    if header[3:4] not in (b"", bytes([expected_dims])):
        raise InputError(
            f"{path}: expected {expected_dims} dimensions, found {header[3]}. Labels have 1 and images 3: "
            "are the two files exchanged?"
        )
    if len(header) < size:
        raise InputError(f"{path}: expected an IDX header of {size} bytes, found {len(header)} bytes.")
    shape = tuple(np.frombuffer(header[4:], dtype=">u4").tolist())
    announced = math.prod(shape)
    sizes = " x ".join(f"{size:,}" for size in shape)
    if announced == 0:
        raise InputError(f"{path}: expected sizes of at least 1, found {sizes}.")
    if announced > MAX_BYTES:
        raise InputError(f"{path}: expected at most {MAX_BYTES:,} numbers, found a header that announces {sizes}.")
    numbers = bytearray(stream.read(announced))  # which an array may write to
    if len(numbers) < announced:
        raise InputError(
            f"{path}: expected {announced:,} bytes after the header ({sizes}), found {len(numbers):,}. "
            "The file is cut off: download it again."
        )
    if stream.read(1):  # reading on to the end also makes gzip compare its checksum
        raise InputError(f"{path}: expected {announced:,} bytes after the header ({sizes}), found more behind them.")
    return np.frombuffer(numbers, dtype=np.uint8).reshape(shape)
