"""Every way an IDX file can be wrong is its own message that names the file."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.sources.idx import read_idx


def idx_bytes(array):
    """The format written out from its description, independent of the reader."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("array", [IMAGES, np.arange(256, dtype=np.uint8)], ids=["images", "labels"])
def test_reads_what_was_written(tmp_path, array, zipped):
    path = tmp_path / ("a-idx.gz" if zipped else "a-idx")
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    read = read_idx(path, array.ndim)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


GOOD = idx_bytes(IMAGES)
ZIPPED = gzip.compress(GOOD, mtime=0)
FLIPPED_CHECKSUM = ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:]

WRONG = {
    "empty": ("a-idx", b"", "header of 16 bytes, found 0 bytes"),
    "short magic": ("a-idx", GOOD[:3], "header of 16 bytes, found 3 bytes"),
    "short header": ("a-idx", GOOD[:11], "header of 16 bytes, found 11 bytes"),
    "magic": ("a-idx", b"<html>", "starts with the bytes 00 00, found 3c 68 74 6d"),
    "type": ("a-idx", b"\0\0\x0d" + GOOD[3:], r"0x08 \(unsigned byte\), found 0x0d"),
    "dimensions": ("a-idx", idx_bytes(np.zeros(3)), "expected 3 dimensions, found 1"),
    "zero size": ("a-idx", idx_bytes(np.zeros((0, 3, 4))), "at least 1, found 0 x 3 x 4"),
    "absurd size": (
        "a-idx",
        GOOD[:4] + b"\xff" * 12,
        "at most 1,073,741,824 numbers, found a header that announces 4,2",
    ),
    "cut off": ("a-idx", GOOD[:-1], "expected 24 bytes after the header .2 x 3 x 4., found 23. .*cut off"),
    "trailing": ("a-idx", GOOD + b"\0", "expected 24 bytes after the header .*found more"),
    "not gzip": ("a-idx.gz", b"<html>", "expected a gzip file, .* found 3c 68 74 6d"),
    "unpacked under its gzip name": ("a-idx.gz", GOOD, r"expected a gzip file, .*take \.gz off"),
    "empty gzip": ("a-idx.gz", b"", "expected a gzip file, .* found nothing"),
    "cut off gzip": ("a-idx.gz", ZIPPED[:-12], "expected a whole gzip file"),
    "gzip without its checksum": ("a-idx.gz", ZIPPED[:-8], "expected a whole gzip file"),
    "gzip with a wrong checksum": ("a-idx.gz", FLIPPED_CHECKSUM, "expected a whole gzip file, .*CRC"),
    "corrupt gzip": ("a-idx.gz", ZIPPED[:10] + b"\x07" + ZIPPED[11:], "expected a whole gzip file"),
    "bytes after gzip": ("a-idx.gz", ZIPPED + b"xx", "expected a whole gzip file"),
    "trailing in gzip": ("a-idx.gz", gzip.compress(GOOD + b"\0"), "found more"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_fault_is_named(tmp_path, case):
    name, data, message = WRONG[case]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as raised:
        read_idx(path, 3)
    assert str(path) in str(raised.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_idx(tmp_path / "none-idx", 3)
    with pytest.raises(InputError, match="Is a directory"):
        read_idx(tmp_path, 3)


def test_a_bomb_is_not_unpacked(tmp_path):
    """64 MiB of zeros in 64 KiB behind a header that announces 24: only 24 and one more byte are taken."""
    path = tmp_path / "bomb-idx.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(2**26)))
    tracemalloc.start()
    with pytest.raises(InputError, match="found more"):
        read_idx(path, 3)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
