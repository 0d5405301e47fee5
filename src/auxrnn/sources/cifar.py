"""CIFAR-10 in its binary version: six files of rows of one label and 3,072 pixel levels, no pickle.

A row is one byte of label, then 32x32 reds, greens and blues, row by row (https://www.cs.toronto.edu/~kriz/cifar.html).
Here an image is 1,024 steps of RGB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.archives import find_unpacked, provide_unpacked
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.presets import CIFAR10_ARCHIVE

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
NAMES = FILES["train"] + FILES["test"]
SIDE = 32
ROW_BYTES = 1 + 3 * SIDE * SIDE
ARCHIVE_FOLDER = "cifar-10-batches-bin"


def find_folder(data_folder: Path) -> Path | None:
    """The folder with all six files: `cifar10` in the data folder, or the archive's own below it."""
    return find_unpacked(data_folder / "cifar10", ARCHIVE_FOLDER, NAMES)


def provide(data_folder: Path, *, download: bool = True) -> Path:
    """The folder with all six files, unpacked from the archive, which is downloaded first if need be."""
    return provide_unpacked(CIFAR10_ARCHIVE, data_folder, "cifar10", ARCHIVE_FOLDER, NAMES, download=download)


def load_split(split: str, folder: Path) -> SequenceData:
    """One split from the folder of the six files: (N, 1024, 3) uint8, labels 0..9."""
    parts = [read_batch(folder / name) for name in FILES[split]]
    return SequenceData(
        name="cifar10",
        spec=InputSpec("pixels", size=3),
        inputs=torch.from_numpy(np.concatenate([pixels for pixels, _ in parts])),
        labels=torch.from_numpy(np.concatenate([labels for _, labels in parts])),
        classes=CLASSES,
        image_shape=(SIDE, SIDE),
    )


def read_batch(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(N, 1024, 3) pixels and (N,) labels of one file; InputError unless it is whole rows of labels 0..9."""
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror or error}.") from error
    if not content.size or content.size % ROW_BYTES:
        raise InputError(
            f"{path}: expected rows of {ROW_BYTES:,} bytes (30,730,000 bytes in the published files), found "
            f"{content.size:,} bytes. The file may be cut off: get it again."
        )
    rows = content.reshape(-1, ROW_BYTES)
    labels = rows[:, 0].astype(np.int64)
    outside = np.flatnonzero(labels >= len(CLASSES))
    if outside.size:
        raise InputError(
            f"{path}, row {outside[0] + 1:,}: expected a label from 0 to {len(CLASSES) - 1}, "
            f"found {labels[outside[0]]}."
        )
    pixels = rows[:, 1:].reshape(-1, 3, SIDE * SIDE).transpose(0, 2, 1)
    return np.ascontiguousarray(pixels), labels
