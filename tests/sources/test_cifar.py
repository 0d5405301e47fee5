"""Binary CIFAR-10, written here in tiny: planes to steps of RGB, and every fault with its file and row."""

import gzip
import io
import tarfile

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.sources import cifar

NAMES = [name for names in cifar.FILES.values() for name in names]


def rows(number, seed=0):
    made = np.random.default_rng(seed).integers(0, 256, (number, cifar.ROW_BYTES), dtype=np.uint8)
    made[:, 0] = np.arange(number) % 10
    return made


def write_set(folder, number=4):
    folder.mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        (folder / name).write_bytes(rows(number, seed).tobytes())


def test_planes_become_steps(tmp_path):
    write_set(tmp_path / "cifar10")
    data = cifar.load_split("train", cifar.provide(tmp_path, download=False))
    assert data.inputs.shape == (20, 1024, 3)
    assert (data.inputs.dtype, data.image_shape, len(data.classes)) == (torch.uint8, (32, 32), 10)
    third = rows(4, seed=1)[2]  # sequence 6: the third row of the second file
    for step in (0, 1, 500, 1023):
        assert data.inputs[6, step].tolist() == [third[1 + channel * 1024 + step] for channel in range(3)]
    assert data.labels.tolist() == [0, 1, 2, 3] * 5
    assert len(cifar.load_split("test", cifar.provide(tmp_path, download=False))) == 4


def test_the_archives_own_folder_and_the_archive(tmp_path):
    write_set(tmp_path / "made" / cifar.ARCHIVE_FOLDER)
    (tmp_path / "cifar10").mkdir()
    archive = tmp_path / "cifar10" / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / cifar.ARCHIVE_FOLDER, cifar.ARCHIVE_FOLDER)
    assert cifar.provide(tmp_path, download=False) == tmp_path / "cifar10" / cifar.ARCHIVE_FOLDER
    archive.unlink()
    assert len(cifar.load_split("test", cifar.provide(tmp_path, download=False))) == 4


def test_an_archive_of_something_else(tmp_path):
    (tmp_path / "cifar10").mkdir()
    with tarfile.open(fileobj=io.BytesIO(), mode="w") as tar:
        empty = tar.fileobj
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(empty.getvalue()))
    with pytest.raises(InputError, match=r"expected data_batch_1\.bin.* found not all of them"):
        cifar.provide(tmp_path, download=False)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match=r"cifar-10-binary\.tar\.gz.*switched off"):
        cifar.provide(tmp_path, download=False)


def test_faults_name_file_and_row(tmp_path):
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(rows(3).tobytes()[:-1])
    with pytest.raises(InputError, match=r"data_batch_3\.bin: expected rows of 3,073 bytes .*found 9,218"):
        cifar.read_batch(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="found 0 bytes"):
        cifar.read_batch(path)
    wrong = rows(3)
    wrong[1, 0] = 10
    path.write_bytes(wrong.tobytes())
    with pytest.raises(InputError, match=r"data_batch_3\.bin, row 2: expected a label from 0 to 9, found 10"):
        cifar.read_batch(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="expected a file that can be read"):
        cifar.read_batch(path)
