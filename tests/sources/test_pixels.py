"""Images to sequences and back, without losing a level; the two fixed choices (split, permutation) can never change."""

import gzip
import hashlib
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.sources import pixels
from auxrnn.sources.pixels import fixed_permutation, load_digits, load_mnist, permuted


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path):
    """A data folder with a tiny MNIST: 12 train and 10 test images; the first train image holds all 256 levels."""
    (tmp_path / "mnist").mkdir()
    for prefix, number in (("train", 12), ("t10k", 10)):
        images = np.random.default_rng(number).integers(0, 256, (number, 28, 28), dtype=np.uint8)
        images[0] = np.resize(np.arange(256), (28, 28))
        write_idx(tmp_path / "mnist" / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", np.arange(number) % 10)
    return tmp_path


def test_mnist_keeps_every_level_and_the_row_order(folder):
    data = load_mnist("train", folder, download=False)
    assert data.inputs.shape == (12, 784, 1)
    assert data.inputs.dtype == torch.uint8
    assert data.inputs[0, :, 0].tolist() == [step % 256 for step in range(784)]
    assert set(data.batch([0]).inputs.flatten().tolist()) == set(range(256))
    assert data.labels.tolist() == [*range(10), 0, 1]
    assert data.image_shape == (28, 28)
    assert (data.spec.kind, data.spec.size, data.spec.levels) == ("pixels", 1, 256)
    assert len(load_mnist("test", folder, download=False)) == 10


def test_pmnist_is_mnist_in_another_order(folder):
    plain = load_mnist("train", folder, download=False)
    shuffled = permuted(plain)
    permutation = fixed_permutation(784)
    assert not torch.equal(plain.inputs, shuffled.inputs)
    for step in (0, 1, 783):
        assert torch.equal(shuffled.inputs[:, step], plain.inputs[:, permutation[step]])
    assert torch.equal(shuffled.inputs.sort(dim=1).values, plain.inputs.sort(dim=1).values)
    assert torch.equal(plain.labels, shuffled.labels)
    assert shuffled.note == "permutation seed 0"


def test_the_permutation_never_changes():
    """Recorded when it was chosen, with NumPy 2.4; the literal stands here a second time on purpose."""
    permutation = fixed_permutation(784)
    assert sorted(permutation.tolist()) == list(range(784))
    found = hashlib.sha256(permutation.astype("<i8").tobytes()).hexdigest()
    assert found == "3aa79b80c498bc4ee33c62762c6895443a58f28229ef2110a17c016a0653f9d5"


def test_other_lengths_have_a_permutation_of_their_own():
    assert fixed_permutation(196).tolist() == np.random.default_rng(0).permutation(196).tolist()


def test_another_permutation_is_refused(monkeypatch):
    monkeypatch.setattr(pixels, "PERMUTATION_SEED", 1)
    with pytest.raises(RuntimeError, match="pMNIST permutation"):
        fixed_permutation(784)


def test_count_side_and_label_range_are_checked(folder):
    labels = folder / "mnist" / "train-labels-idx1-ubyte.gz"
    write_idx(labels, np.arange(11) % 10)
    with pytest.raises(InputError, match=r"train-labels.*: expected 12 labels, .*train-images.*found 11"):
        load_mnist("train", folder, download=False)
    write_idx(labels, np.array([0, 1, 10] * 4))
    with pytest.raises(InputError, match=r"train-labels.*labels from 0 to 9, found 10 at position 2"):
        load_mnist("train", folder, download=False)
    write_idx(folder / "mnist" / "train-images-idx3-ubyte.gz", np.zeros((12, 27, 28)))
    with pytest.raises(InputError, match=r"train-images.*28x28 pixels, found 27x28"):
        load_mnist("train", folder, download=False)


def test_exchanged_files_are_named(folder):
    shutil.copy(folder / "mnist" / "t10k-labels-idx1-ubyte.gz", folder / "mnist" / "t10k-images-idx3-ubyte.gz")
    with pytest.raises(InputError, match=r"expected 3 dimensions, found 1.*exchanged"):
        load_mnist("test", folder, download=False)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits as load_bunch

    bunch = load_bunch()
    train, test = load_digits("train"), load_digits("test")
    assert train.inputs.shape == (1397, 64, 1)
    assert test.inputs.shape == (400, 64, 1)
    assert int(train.inputs.max()) == 16
    assert train.spec.levels == 17
    both = np.concatenate([train.inputs, test.inputs])[:, :, 0]
    assert sorted(map(bytes, both)) == sorted(map(bytes, bunch.data.astype(np.uint8)))
    assert (train.labels.bincount() + test.labels.bincount()).tolist() == np.bincount(bunch.target).tolist()
    known = {bytes(row): label for row, label in zip(bunch.data.astype(np.uint8), bunch.target, strict=True)}
    assert all(known[bytes(row)] == label for row, label in zip(both[:50], train.labels[:50].tolist(), strict=True))


def test_the_digits_split_never_changes():
    """Every class within one of 400/1797 of its members; the hash was recorded when it was chosen."""
    test = load_digits("test")
    counts = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])  # scikit-learn's documentation
    assert (abs(test.labels.bincount().numpy() - counts * 400 / 1797) < 1).all()
    assert hashlib.sha256(test.inputs.numpy().tobytes()).hexdigest()[:16] == "543501662f208d64"


def test_the_real_mnist():
    given = os.environ.get("AUXRNN_DATA_DIR", "")
    if not (given and (Path(given) / "mnist" / "t10k-images-idx3-ubyte.gz").is_file()):
        pytest.skip("needs the four MNIST files in $AUXRNN_DATA_DIR/mnist")
    test = load_mnist("test", Path(given), download=False)
    assert test.inputs.shape == (10_000, 784, 1)
    # The first ten test labels, as everyone who has trained on MNIST has seen them.
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
