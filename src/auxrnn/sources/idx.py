"""The IDX format of MNIST: a short header, then the numbers, often inside gzip.

Layout (yann.lecun.com/exdb/mnist): two zero bytes, one byte for the type (0x08: unsigned byte), one byte for the number
of dimensions, each dimension as a big-endian 32-bit number, then the numbers, last dimension fastest. Strict: whatever
does not fit is an InputError that names the file, what was expected and what was found. Knows nothing of images.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from auxrnn.errors import InputError

MAX_BYTES = 2**30  # of numbers in one file; MNIST's largest holds 47,040,000

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
_OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_CHUNK = 2**20


def read_idx(path: str | Path, expected_dims: int) -> npt.NDArray[np.uint8]:
    """The uint8 array of `expected_dims` dimensions (1 for labels, 3 for images) in the IDX file `path`, gzip or plain.

    Never reads more than the header announces plus one byte, and never more than `MAX_BYTES`, so that a file of a few
    kilobytes cannot fill the memory.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=raw) as stream:
                    return _parse(stream, path, expected_dims)  # type: ignore[arg-type]
            if path.suffix == ".gz":
                raise InputError(
                    f"{path}: expected a gzip file, which starts with the bytes 1f 8b, found {_hex(raw.read(4))}. "
                    "It may be a saved error page, or already unpacked (then take .gz off its name)."
                )
            return _parse(raw, path, expected_dims)
    except EOFError as error:
        raise InputError(
            f"{path}: expected a whole gzip file, found one that is cut off after {path.stat().st_size:,} bytes. "
            "Download it again."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: expected a sound gzip file, found a damaged one ({error}). Download it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path}: expected an IDX file that can be read, found: {error.strerror or error}.") from error


def _parse(stream: BinaryIO, path: Path, expected_dims: int) -> npt.NDArray[np.uint8]:
    magic = _read(stream, 4)
    if len(magic) < 4:
        raise InputError(f"{path}: expected an IDX header of {4 + 4 * expected_dims} bytes, found {len(magic)} bytes.")
    if magic[:2] != b"\0\0":
        raise InputError(f"{path}: expected an IDX file, which starts with the bytes 00 00, found {_hex(magic)}.")
    if magic[2] != _UNSIGNED_BYTE:
        found = _OTHER_TYPES.get(magic[2], "no known type")
        raise InputError(f"{path}: expected IDX type 0x08 (unsigned byte), found 0x{magic[2]:02x} ({found}).")
    if magic[3] != expected_dims:
        raise InputError(
            f"{path}: expected {expected_dims} dimensions, found {magic[3]}. Labels have 1 and images 3: "
            "are the two files exchanged?"
        )
    header = _read(stream, 4 * expected_dims)
    if len(header) < 4 * expected_dims:
        raise InputError(
            f"{path}: expected an IDX header of {4 + 4 * expected_dims} bytes, found {4 + len(header)} bytes."
        )
    shape = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
    announced = math.prod(shape)
    sizes = " x ".join(f"{size:,}" for size in shape)
    if announced == 0:
        raise InputError(f"{path}: expected sizes of at least 1, found {sizes}.")
    if announced > MAX_BYTES:
        raise InputError(f"{path}: expected at most {MAX_BYTES:,} numbers, found a header that announces {sizes}.")
    numbers = _read(stream, announced)
    if len(numbers) < announced:
        raise InputError(
            f"{path}: expected {announced:,} bytes after the header ({sizes}), found {len(numbers):,}. "
            "The file is cut off: download it again."
        )
    if _read(stream, 1):  # reading on to the end also makes gzip compare its checksum
        raise InputError(f"{path}: expected {announced:,} bytes after the header ({sizes}), found more behind them.")
    return np.frombuffer(numbers, dtype=np.uint8).reshape(shape)


def _read(stream: BinaryIO, number: int) -> bytearray:
    """Up to `number` bytes, fewer only at the end of the file; memory grows with what is there, not with `number`."""
    read = bytearray()
    while len(read) < number:
        chunk = stream.read(min(_CHUNK, number - len(read)))
        if not chunk:
            break
        read += chunk
    return read


def _hex(data: bytes | bytearray) -> str:
    return data.hex(" ") or "nothing"
