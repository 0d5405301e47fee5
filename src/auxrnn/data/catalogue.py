"""Data sets by name: load them, fetch their files, verify what lies on the disk.

The table itself is in `presets`; each set's own reading is in the module of its kind (`pixels`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from auxrnn.data import pixels
from auxrnn.data.dataset import SequenceData
from auxrnn.data.presets import find_preset
from auxrnn.data.sources import RemoteFile, algorithm_of, data_folder, fetch, file_hash
from auxrnn.data.splits import limit_stratified
from auxrnn.errors import InputError


@dataclass(frozen=True)
class TrainTest:
    """Sequences to learn from (validation is still to be cut from them) and sequences to be read once, at the end."""

    train: SequenceData
    test: SequenceData


@dataclass(frozen=True)
class FileCheck:
    """What `verify` found for one file.

    state: `ok`; `missing`; `different` (readable, but not the published bytes: usable, results are not comparable);
    `damaged` (training would refuse it). found_hash is empty where there is no file; count and per_class (labels
    only) are what the file holds.
    """

    name: str
    path: Path | None
    state: Literal["ok", "missing", "different", "damaged"]
    message: str
    expected_hash: str = ""
    found_hash: str = ""
    bytes: int = 0
    count: int = 0
    per_class: tuple[int, ...] = ()


_Loader = Callable[[pixels.Split, Path, bool], SequenceData]
_Contents = Callable[[RemoteFile, Path], tuple[int, tuple[int, ...]]]

_EMBEDDED: dict[str, Callable[[pixels.Split], SequenceData]] = {
    "digits": pixels.load_digits,
    "digits-long": lambda split: pixels.load_digits(split, pixels.LONG_DIGITS),
}
_FROM_FILES: dict[str, _Loader] = {
    "mnist": lambda split, folder, download: pixels.load_mnist(split, folder, download=download),
    "pmnist": lambda split, folder, download: pixels.load_pmnist(split, folder, download=download),
}
_CONTENTS: dict[str, _Contents] = {"mnist": pixels.mnist_contents, "pmnist": pixels.mnist_contents}


def load(
    name: str,
    data_dir: str | Path | None = None,
    *,
    limit_train: int | None = None,
    seed: int = 0,
    download: bool = True,
) -> TrainTest:
    """The data set `name`, its files taken from `data_folder(data_dir)` and downloaded there if need be.

    limit_train: keep that many training sequences, by class and drawn with `seed`; the test set stays whole.
    """
    find_preset(name)
    if name in _EMBEDDED:
        train, test = _EMBEDDED[name]("train"), _EMBEDDED[name]("test")
    else:
        folder = data_folder(data_dir)
        train, test = (_FROM_FILES[name](split, folder, download) for split in ("train", "test"))
    if limit_train is not None:
        assert train.labels is not None
        train = train.subset(limit_stratified(train.labels, limit_train, seed))
    return TrainTest(train, test)


def fetch_files(name: str, data_dir: str | Path | None = None) -> list[Path]:
    """The paths of all files of the data set `name`, downloaded where they are missing; none for an embedded set."""
    preset = find_preset(name)
    return [fetch(file, data_folder(data_dir), preset.folder) for file in preset.files]


def verify(name: str, data_dir: str | Path | None = None) -> list[FileCheck]:
    """Compare each file of the data set `name` with the published one; downloads nothing, never raises over a file."""
    preset = find_preset(name)
    if not preset.files:
        return [_verify_embedded(name, split) for split in ("train", "test")]
    folder = data_folder(data_dir) / preset.folder
    return [_verify_file(file, folder / file.name, _CONTENTS[name]) for file in preset.files]


def _verify_file(file: RemoteFile, path: Path, contents: _Contents) -> FileCheck:
    if not path.is_file():
        message = f"{path} is not there; `auxrnn data fetch` downloads it."
        return FileCheck(file.name, path, "missing", message, expected_hash=file.hash)
    found, size = "", 0
    try:
        found = file_hash(path, algorithm_of(file.hash))
        size = path.stat().st_size
        count, per_class = contents(file, path)
    except (InputError, OSError) as error:
        return FileCheck(file.name, path, "damaged", str(error), file.hash, found, size)
    if found == file.hash:
        return FileCheck(file.name, path, "ok", "the published file", file.hash, found, size, count, per_class)
    message = f"{path}: expected {file.hash} and {file.bytes:,} bytes, found {found} and {size:,} bytes."
    return FileCheck(file.name, path, "different", message, file.hash, found, size, count, per_class)


def _verify_embedded(name: str, split: pixels.Split) -> FileCheck:
    data = _EMBEDDED[name](split)
    assert data.labels is not None
    per_class = tuple(torch.bincount(data.labels, minlength=len(data.classes)).tolist())
    return FileCheck(
        f"{name} ({split})", None, "ok", "comes with an installed package", count=len(data), per_class=per_class
    )
