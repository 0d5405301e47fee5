"""Grey images as sequences, one pixel a step, row by row or permuted: scikit-learn's digits, MNIST.

The letters: N images, T steps, C = 1 channel. All grey levels are kept as they are in the file, as uint8.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.downloads import fetch
from auxrnn.sources.idx import read_idx
from auxrnn.sources.presets import (
    MNIST_TEST_IMAGES,
    MNIST_TEST_LABELS,
    MNIST_TRAIN_IMAGES,
    MNIST_TRAIN_LABELS,
    PublishedSplit,
)
from auxrnn.sources.splits import stratified_split

DIGIT_NAMES = tuple("0123456789")

# scikit-learn gives the digits without a split. Ours, fixed for good: 400 of the 1,797 for testing, drawn by class.
DIGITS_TEST_SIZE = 400
DIGITS_SPLIT_SEED = 0
DIGITS_LEVELS = 17  # 0 to 16: the number of inked points in a block of 4x4

MNIST_SIDE = 28

# The paper speaks of one fixed permutation and does not give it; this is ours, `default_rng(0).permutation(784)`.
PERMUTATION_SEED = 0
PERMUTATION_SHA256 = "3aa79b80c498bc4ee33c62762c6895443a58f28229ef2110a17c016a0653f9d5"


def load_digits(split: PublishedSplit) -> SequenceData:
    """The 1,797 8x8 digits that come with scikit-learn, (N, 64, 1): 1,397 to train, 400 to test."""
    package = find_spec("sklearn")  # found, not imported: that takes as long as all the rest
    assert package is not None
    assert package.origin is not None
    with gzip.open(Path(package.origin).with_name("datasets") / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    labels = torch.from_numpy(table[:, -1].astype(np.int64))
    train, test = stratified_split(labels, DIGITS_TEST_SIZE / len(labels), DIGITS_SPLIT_SEED)
    chosen = train if split == "train" else test
    images = table[chosen.numpy(), :-1].reshape(-1, 8, 8)
    return SequenceData(
        name="digits",
        spec=InputSpec("pixels", size=1, levels=DIGITS_LEVELS),
        inputs=torch.from_numpy(images.reshape(len(images), -1, 1)),
        labels=labels[chosen],
        classes=DIGIT_NAMES,
        image_shape=images.shape[1:],
    )


def load_mnist(split: PublishedSplit, folder: Path, *, download: bool = True) -> SequenceData:
    """MNIST from its IDX files in `folder/mnist/`: (N, 784, 1), officially 60,000 to train and 10,000 to test."""
    images_file, labels_file = {
        "train": (MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS),
        "test": (MNIST_TEST_IMAGES, MNIST_TEST_LABELS),
    }[split]
    images_path = fetch(images_file, folder, "mnist", download=download)
    labels_path = fetch(labels_file, folder, "mnist", download=download)
    images, labels = read_mnist_images(images_path), read_mnist_labels(labels_path)
    if len(images) != len(labels):
        raise InputError(
            f"{labels_path}: expected {len(images):,} labels, one for each image in {images_path.name}, "
            f"found {len(labels):,}."
        )
    return SequenceData(
        name="mnist",
        spec=InputSpec("pixels", size=1),
        inputs=torch.from_numpy(images.reshape(len(images), MNIST_SIDE * MNIST_SIDE, 1)),
        labels=torch.from_numpy(labels.astype(np.int64)),
        classes=DIGIT_NAMES,
        image_shape=(MNIST_SIDE, MNIST_SIDE),
    )


def permuted(data: SequenceData) -> SequenceData:
    """A set of whole images with the pixels of every image in the order of `fixed_permutation`.

    Step t shows pixel permutation[t].
    """
    assert isinstance(data.inputs, torch.Tensor)
    order = torch.from_numpy(fixed_permutation(data.inputs.shape[1]))
    note = f"permutation seed {PERMUTATION_SEED}"
    return replace(
        data,
        inputs=data.inputs[:, order],
        note=f"{data.note}, {note}" if data.note else note,
        pixel_order=order,
    )


def fixed_permutation(steps: int) -> npt.NDArray[np.int64]:
    """The fixed order of so many pixels, (steps,) int64, `default_rng(0).permutation(steps)`.

    NumPy does not promise that its generators shuffle alike in every version: MNIST's own 784 are compared with their
    recorded SHA-256 (of little-endian int64), and a RuntimeError says if they ever differ.
    """
    full = MNIST_SIDE * MNIST_SIDE
    permutation = np.random.default_rng(PERMUTATION_SEED).permutation(full).astype("<i8")
    found = hashlib.sha256(permutation.tobytes()).hexdigest()
    if found != PERMUTATION_SHA256:
        raise RuntimeError(
            f"Expected the pMNIST permutation with SHA-256 {PERMUTATION_SHA256}, got {found}: "
            f"NumPy {np.__version__} shuffles in another way than the one these results were made with."
        )
    if steps != full:
        permutation = np.random.default_rng(PERMUTATION_SEED).permutation(steps)
    return permutation.astype(np.int64)


def read_mnist_images(path: Path) -> npt.NDArray[np.uint8]:
    """(N, 28, 28) from an IDX file."""
    images = read_idx(path, 3)
    if images.shape[1:] != (MNIST_SIDE, MNIST_SIDE):
        raise InputError(
            f"{path}: expected images of {MNIST_SIDE}x{MNIST_SIDE} pixels, found {images.shape[1]}x{images.shape[2]}."
        )
    return images


def read_mnist_labels(path: Path) -> npt.NDArray[np.uint8]:
    """(N,) in 0..9 from an IDX file."""
    labels = read_idx(path, 1)
    outside = np.flatnonzero(labels > 9)
    if outside.size:
        raise InputError(f"{path}: expected labels from 0 to 9, found {labels[outside[0]]} at position {outside[0]:,}.")
    return labels
