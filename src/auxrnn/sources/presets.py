"""The data sets known by name: what they are, where their files lie and come from. A table; `published` loads them.

Imports no torch, so that `auxrnn --help` and `auxrnn data list` answer at once.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from platformdirs import user_cache_dir

from auxrnn.errors import InputError, did_you_mean

PublishedSplit = Literal["train", "test"]
SPLITS: tuple[PublishedSplit, ...] = get_args(PublishedSplit)

# Both serve the four official files; the original page, yann.lecun.com/exdb/mnist, no longer does reliably.
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

DATA_DIR_VARIABLE = "AUXRNN_DATA_DIR"


@dataclass(frozen=True)
class RemoteFile:
    """One published file: name, hash as `md5:...` or `sha256:...`, size in bytes (None: not published), the addresses
    to try in turn.
    """

    name: str
    hash: str
    bytes: int | None
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """One row of the table, with the numbers as published.

    steps: of a sequence (dogs: at 128x128 pixels; texts: what the paper names, their lengths vary; made values: where
    no distance is asked for). train, test: numbers of sequences. folder: the subfolder of the data folder, which
    several presets may share. files: what can be downloaded into it; none where the set comes with a dependency or is
    made.
    """

    name: str
    description: str
    kind: Literal["grey images", "colour images", "texts", "made values"]
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

# Hash as on the page of the set, https://www.cs.toronto.edu/~kriz/cifar.html.
CIFAR10_ARCHIVE = RemoteFile(
    "cifar-10-binary.tar.gz",
    "md5:c32a1d4ab5d03f1284b67883e8d87530",
    170_052_171,
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
)
# Hash as in torchtext's `torchtext/datasets/dbpedia.py`, which does not give the size. The second address is the
# authors' own, which now and then answers with a page instead of the file.
DBPEDIA_ARCHIVE = RemoteFile(
    "dbpedia_csv.tar.gz",
    "md5:dca7b1ae12b1091090db52aa7ec5ca64",
    None,
    (
        "https://github.com/le-scientifique/torchDatasets/raw/master/dbpedia_csv.tar.gz",
        "https://drive.google.com/uc?export=download&id=0Bz8a_Dbh9QhbQ2Vic1kxMmZZQ1k&confirm=t",
    ),
)
# Hashes and sizes as in TensorFlow Datasets' `tensorflow_datasets/url_checksums/stanford_dogs.txt`.
DOGS_IMAGES = RemoteFile(
    "images.tar",
    "sha256:a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
    793_579_520,
    ("http://vision.stanford.edu/aditya86/ImageNetDogs/images.tar",),
)
DOGS_LISTS = RemoteFile(
    "lists.tar",
    "sha256:34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c",
    481_280,
    ("http://vision.stanford.edu/aditya86/ImageNetDogs/lists.tar",),
)

_ROWS = (
    Preset("digits", "8x8 handwritten digits of scikit-learn", "grey images", 64, 1397, 400, 10),
    Preset("mnist", "28x28 handwritten digits", "grey images", 784, 60_000, 10_000, 10, "mnist", MNIST_FILES),
    Preset(
        "pmnist",
        "MNIST, its pixels in one fixed shuffled order",
        "grey images",
        784,
        60_000,
        10_000,
        10,
        "mnist",
        MNIST_FILES,
    ),
    Preset(
        "cifar10",
        "32x32 colour photographs of ten kinds of things",
        "colour images",
        1024,
        50_000,
        10_000,
        10,
        "cifar10",
        (CIFAR10_ARCHIVE,),
    ),
    Preset(
        "stanford-dogs",
        "photographs of 120 breeds, 128x128 or smaller",
        "colour images",
        128 * 128,
        12_000,
        8_580,
        120,
        "stanford-dogs",
        (DOGS_IMAGES, DOGS_LISTS),
    ),
    Preset(
        "dbpedia",
        "encyclopaedia abstracts of 14 kinds of things, by characters",
        "texts",
        300,
        560_000,
        70_000,
        14,
        "dbpedia",
        (DBPEDIA_ARCHIVE,),
    ),
    Preset(
        "latching",
        "noise, of which the first 10 steps decide; --distance sets the rest",
        "made values",
        210,
        2000,
        500,
        2,
    ),
)
PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ROWS}


def find_preset(name: str) -> Preset:
    """The preset called `name`; InputError with the nearest right name and the whole list if there is none."""
    if name not in PRESETS:
        raise InputError(f"Expected a data set among {', '.join(PRESETS)}, got {name!r}.{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def path_of(data: str) -> Path | None:
    """The path that a run's data are: no preset is called so, and it is there or looks like one. None for a name."""
    path = Path(data)
    return path if data not in PRESETS and (path.exists() or "/" in data or "." in data) else None


def data_folder(given: str | Path | None = None) -> Path:
    """The folder of all data sets: `given`, else `$AUXRNN_DATA_DIR`, else the user's cache. It may not exist yet."""
    chosen = given if given is not None else os.environ.get(DATA_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(user_cache_dir("auxrnn"))


def file_hash(path: Path, algorithm: str) -> str:
    """The hash of the file's bytes in the form `algorithm:hex`, e.g. `md5:...`; reads the file once, in pieces."""
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def algorithm_of(known_hash: str) -> str:
    """`md5` of `md5:f68b...`."""
    return known_hash.partition(":")[0]
