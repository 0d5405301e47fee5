"""MATLAB's lists of names as SciPy reads and writes them, and no crash whatever is wrong with the file."""

import io
import struct
import zlib
from contextlib import suppress
from random import Random

import numpy as np
import pytest
import scipy.io

from auxrnn.errors import InputError
from auxrnn.sources import matlab
from auxrnn.sources.matlab import read_names

NAMES = ["a/b.jpg", "n02-Ä/é 1.png", "𝄞", "x" * 300]


def write(path, names, variable="file_list", *, packed=False):
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = names
    found = io.BytesIO()
    scipy.io.savemat(found, {"before": np.eye(3), variable: cells, "after": "text"}, do_compression=packed)
    path.write_bytes(found.getvalue())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_the_same_as_scipy(tmp_path, packed):
    path = write(tmp_path / "a.mat", NAMES, packed=packed)
    expected = [str(cell.item()) for cell in scipy.io.loadmat(path)["file_list"].ravel()]
    assert read_names(path, "file_list") == expected == NAMES


def element(kind, data, order):
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_as_matlab_itself_writes_it(tmp_path, order):
    """16-bit characters and short names inside the tag, in both orders of bytes; written by hand."""

    def matrix(kind, size, content):
        name = element(1, b"file_list", order) if kind == 1 else struct.pack(f"{order}II", 1 << 16 | 1, 0)
        parts = [
            element(6, struct.pack(f"{order}II", kind, 0), order),
            element(5, struct.pack(f"{order}2i", *size), order),
        ]
        return element(14, b"".join([*parts, name, content]), order)

    encoding = {"<": "utf-16-le", ">": "utf-16-be"}[order]
    cells = b"".join(matrix(4, (1, len(name)), element(4, name.encode(encoding), order)) for name in ("a/b.jpg", "cé"))
    header = b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x100) + {"<": b"IM", ">": b"MI"}[order]
    (tmp_path / "a.mat").write_bytes(header + matrix(1, (2, 1), cells))
    assert read_names(tmp_path / "a.mat", "file_list") == ["a/b.jpg", "cé"]


@pytest.mark.parametrize("packed", [False, True])
def test_cut_anywhere(tmp_path, packed):
    path = write(tmp_path / "a.mat", NAMES[:2], packed=packed)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 100, 7):
        path.write_bytes(whole[:length])
        with suppress(InputError):
            assert read_names(path, "file_list") == NAMES[:2]


def test_any_byte_changed(tmp_path):
    path, random = write(tmp_path / "a.mat", NAMES[:2]), Random(0)
    whole = path.read_bytes()
    for _ in range(500):
        changed = bytearray(whole)
        changed[random.randrange(len(changed))] = random.randrange(256)
        path.write_bytes(changed)
        with suppress(InputError):
            read_names(path, "file_list")


def test_what_is_no_list_of_names(tmp_path):
    with pytest.raises(InputError, match="expected a variable file_list, found none"):
        read_names(write(tmp_path / "a.mat", NAMES, "other"), "file_list")
    with pytest.raises(InputError, match="a cell without a text in row 2"):
        read_names(write(tmp_path / "a.mat", ["a", np.zeros(2)]), "file_list")
    scipy.io.savemat(tmp_path / "a.mat", {"file_list": np.eye(2)})
    with pytest.raises(InputError, match="file_list is no list of cells"):
        read_names(tmp_path / "a.mat", "file_list")
    with pytest.raises(InputError, match=r"none\.mat: expected a file that can be read"):
        read_names(tmp_path / "none.mat", "file_list")


def test_a_million_fold_expansion_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mat", NAMES)
    packed = zlib.compress(bytes(2**20))
    path.write_bytes(path.read_bytes()[:128] + struct.pack("<II", 15, len(packed)) + packed)
    monkeypatch.setattr(matlab, "LARGEST", 2**16)
    with pytest.raises(InputError, match="packed into a few"):
        read_names(path, "file_list")
