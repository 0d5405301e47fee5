"""Arrays on the disk, read part by part."""

import pickle
import zlib

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.sources.filed import FiledArray, SummedFile, sum_of, sum_of_file


@pytest.fixture
def numbers(tmp_path):
    numbers = np.arange(24, dtype=np.int16).reshape(12, 2)
    numbers.tofile(tmp_path / "a.bin")
    return numbers


def test_parts_are_those_of_the_array(tmp_path, numbers):
    filed = FiledArray(tmp_path / "a.bin", "int16", (12, 2))
    assert len(filed) == 12
    for part in (slice(0, 12), slice(3, 5), slice(5, 5), slice(11, 99), slice(None)):
        assert np.array_equal(filed[part], numbers[part])
        assert filed[part].dtype == np.int16
    assert np.array_equal(np.asarray(filed), numbers)
    assert np.array_equal(pickle.loads(pickle.dumps(filed))[2:4], numbers[2:4])
    assert np.array_equal(FiledArray(tmp_path / "a.bin", "int16", (24,))[1:3], [1, 2])


def test_a_file_that_is_cut_meanwhile(tmp_path, numbers):
    filed = FiledArray(tmp_path / "a.bin", "int16", (12, 2))
    with open(tmp_path / "a.bin", "r+b") as file:
        file.truncate(10)
    assert np.array_equal(filed[0:2], numbers[:2])
    with pytest.raises(InputError, match=r"a\.bin: expected 48 bytes, found fewer: the file was cut while it was read"):
        filed[2:4]


def test_sums(tmp_path, numbers):
    expected = zlib.crc32(numbers.tobytes())
    assert sum_of(numbers) == expected
    assert sum_of_file(tmp_path / "a.bin") == expected
    assert sum_of(numbers[::-1]) != expected
    with open(tmp_path / "b.bin", "wb") as file:
        summed = SummedFile(file)
        summed.write(numbers[:5].copy().data)
        assert summed.write(numbers[5:].tobytes()) == 28
    assert summed.sum == expected
