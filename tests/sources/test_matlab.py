"""MATLAB's lists of names as SciPy writes them, and an error whatever is wrong with the file."""

import io

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
def test_the_names_that_were_written(tmp_path, packed):
    assert read_names(write(tmp_path / "a.mat", NAMES, packed=packed), "file_list") == NAMES


def test_other_files(tmp_path):
    with pytest.raises(InputError, match="expected a variable file_list"):
        read_names(write(tmp_path / "a.mat", NAMES, "other"), "file_list")
    with pytest.raises(InputError, match="a cell without a text in row 2"):
        read_names(write(tmp_path / "a.mat", ["a", np.zeros(2)]), "file_list")
    whole = write(tmp_path / "a.mat", NAMES).read_bytes()
    (tmp_path / "a.mat").write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"a\.mat: expected a MATLAB file"):
        read_names(tmp_path / "a.mat", "file_list")
    with pytest.raises(InputError, match="No such file"):
        read_names(tmp_path / "none.mat", "file_list")


def test_a_reader_that_crashes_ends_its_own_process_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "READER", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(InputError, match=r"a\.mat: .*the reader's end by signal 11"):
        read_names(tmp_path / "a.mat", "file_list")
