"""The data sets known by name: what they are and which files they need. A table; loading lives in `catalogue`.

Imports no torch, so that `auxrnn --help` and `auxrnn data list` answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from auxrnn.data.sources import RemoteFile
from auxrnn.errors import InputError, did_you_mean

# Both serve the four official files; the original page, yann.lecun.com/exdb/mnist, no longer does reliably.
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


@dataclass(frozen=True)
class Preset:
    """One row of the table: `steps` a sequence, numbers of `train` and `test` sequences, `classes`, files to have.

    `folder` is the subfolder of the data folder; several presets may share one. No files: embedded in a dependency.
    """

    name: str
    description: str
    steps: int
    train: int
    test: int
    classes: int
    folder: str = ""
    files: tuple[RemoteFile, ...] = ()


def _mnist_file(name: str, md5: str, size: int) -> RemoteFile:
    return RemoteFile(name, f"md5:{md5}", size, tuple(mirror + name for mirror in MNIST_MIRRORS))


# Hashes as in torchvision's `torchvision/datasets/mnist.py`.
MNIST_TRAIN_IMAGES = _mnist_file("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422)
MNIST_TRAIN_LABELS = _mnist_file("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881)
MNIST_TEST_IMAGES = _mnist_file("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877)
MNIST_TEST_LABELS = _mnist_file("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542)
MNIST_FILES = (MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS, MNIST_TEST_IMAGES, MNIST_TEST_LABELS)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("digits", "8x8 handwritten digits of scikit-learn, one pixel a step", 64, 1397, 400, 10),
        Preset(
            "digits-long",
            "the same digits within a blank margin of one pixel, as the demo uses them",
            100,
            1397,
            400,
            10,
        ),
        Preset("mnist", "28x28 handwritten digits, one pixel a step", 784, 60_000, 10_000, 10, "mnist", MNIST_FILES),
        Preset(
            "pmnist", "MNIST, its pixels in one fixed shuffled order", 784, 60_000, 10_000, 10, "mnist", MNIST_FILES
        ),
    )
}


def find_preset(name: str) -> Preset:
    """The preset called `name`; InputError with the nearest right name and the whole list if there is none."""
    if name not in PRESETS:
        raise InputError(f"Expected a data set among {', '.join(PRESETS)}, got {name!r}.{did_you_mean(name, PRESETS)}")
    return PRESETS[name]
