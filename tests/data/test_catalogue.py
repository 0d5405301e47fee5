"""Sets by name, their limits, and what verify says of good, missing, different and damaged files."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from auxrnn.data import catalogue
from auxrnn.data.catalogue import fetch_files, load, verify
from auxrnn.data.presets import MNIST_FILES, MNIST_MIRRORS, PRESETS
from auxrnn.errors import InputError, did_you_mean


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mnist").mkdir()
    for prefix, number in (("train", 40), ("t10k", 10)):
        write_idx(tmp_path / "mnist" / f"{prefix}-images-idx3-ubyte.gz", np.zeros((number, 28, 28)))
        write_idx(tmp_path / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", np.arange(number) % 10)
    return tmp_path


@pytest.mark.parametrize("name", ["digits", "digits-long"])
def test_the_table_tells_the_truth(name):
    row, data = PRESETS[name], load(name)
    assert (len(data.train), len(data.test)) == (row.train, row.test)
    assert data.train.name == data.test.name == row.name
    assert data.train.inputs.shape[1] == row.steps
    assert len(data.train.classes) == row.classes


def test_every_row_can_be_loaded_from_its_files(folder):
    for row in PRESETS.values():
        data = load(row.name, folder, download=False)
        assert data.train.inputs.shape[1] == row.steps
        assert data.train.name == row.name


def test_limit_train_is_by_class_and_leaves_the_test_set(folder):
    data = load("mnist", folder, limit_train=20, seed=1, download=False)
    assert data.train.labels.bincount().tolist() == [2] * 10
    assert len(data.test) == 10


def test_the_seed_of_the_limit_matters():
    inputs = [load("digits", limit_train=100, seed=seed).train.inputs for seed in (0, 0, 1)]
    assert torch.equal(inputs[0], inputs[1])
    assert not torch.equal(inputs[0], inputs[2])


def test_too_large_a_limit():
    with pytest.raises(InputError, match="at most the 1397"):
        load("digits", limit_train=1398)


def test_unknown_name():
    with pytest.raises(
        InputError, match=r"among digits, digits-long, mnist, pmnist, got 'mnits'\. Did you mean 'mnist'\?"
    ):
        load("mnits")
    with pytest.raises(InputError, match=r"got 'zzz'\.$"):
        verify("zzz")


def test_did_you_mean():
    assert did_you_mean("PMNIST", PRESETS) == " Did you mean 'pmnist'?"
    assert did_you_mean("", PRESETS) == ""


def test_verify_damaged_missing_and_different(folder):
    images = folder / "mnist" / "train-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:-9])
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    checks = verify("mnist", folder)
    assert [check.name for check in checks] == [file.name for file in MNIST_FILES]
    assert [check.state for check in checks] == ["damaged", "different", "different", "missing"]
    assert "whole gzip file" in checks[0].message
    assert checks[1].expected_hash in checks[1].message
    assert checks[1].found_hash in checks[1].message
    assert (checks[1].count, checks[1].per_class) == (40, (4,) * 10)
    assert (checks[2].count, checks[2].per_class) == (10, ())
    assert "auxrnn data fetch" in checks[3].message


def test_verify_knows_the_published_file(folder, monkeypatch):
    from dataclasses import replace

    from auxrnn.data.sources import file_hash

    file = MNIST_FILES[3]
    path = folder / "mnist" / file.name
    known = replace(file, hash=file_hash(path, "md5"), bytes=path.stat().st_size)
    check = catalogue._verify_file(known, path, lambda *_: (10, ()))
    assert (check.state, check.count) == ("ok", 10)


def test_verify_embedded():
    checks = verify("digits")
    assert [(check.state, check.count) for check in checks] == [("ok", 1397), ("ok", 400)]
    assert sum(checks[1].per_class) == 400


def test_fetch_files_takes_what_is_there(folder):
    assert fetch_files("pmnist", folder) == [folder / "mnist" / file.name for file in MNIST_FILES]
    assert fetch_files("digits", folder) == []


def test_every_file_has_two_addresses_and_an_md5():
    for file in MNIST_FILES:
        assert file.urls == tuple(mirror + file.name for mirror in MNIST_MIRRORS)
        assert len(file.hash) == len("md5:") + 32


def test_the_table_needs_no_torch():
    """`auxrnn --help` reads the table: neither torch nor anything else that is slow may come with it."""
    package = Path(catalogue.__file__).parents[2]
    code = (
        "import sys; import auxrnn.data.presets; "
        "print([name for name in ('torch', 'numpy', 'pooch', 'sklearn', 'PIL') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"


def test_the_real_files_are_the_published_ones():
    given = os.environ.get("AUXRNN_DATA_DIR", "")
    if not (given and all((Path(given) / "mnist" / file.name).is_file() for file in MNIST_FILES)):
        pytest.skip("needs the four MNIST files in $AUXRNN_DATA_DIR/mnist")
    checks = verify("mnist", given)
    assert [check.state for check in checks] == ["ok"] * 4
    assert [check.count for check in checks] == [60_000, 60_000, 10_000, 10_000]
