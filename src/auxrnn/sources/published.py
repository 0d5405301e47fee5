"""The published sets by name: load them, fetch their files, verify what lies on the disk.

The table itself is in `presets`; each set's own reading is in the module of its kind (`pixels`, `cifar`, `dogs`,
`dbpedia`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from auxrnn.errors import InputError
from auxrnn.sources import cifar, dbpedia, dogs, pixels
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.downloads import MissingFileError, fetch
from auxrnn.sources.latching import load_latching
from auxrnn.sources.options import DataOptions
from auxrnn.sources.presets import (
    SPLITS,
    Preset,
    PublishedSplit,
    RemoteFile,
    algorithm_of,
    data_folder,
    file_hash,
    find_preset,
)
from auxrnn.sources.resizing import fit_images
from auxrnn.sources.splits import choose

WHOLE = DataOptions()

UNPACKED = {"cifar10": cifar.find_folder, "stanford-dogs": dogs.find_folder, "dbpedia": dbpedia.find_folder}
"""Finds what was unpacked from a set's archives."""


@dataclass(frozen=True)
class Check:
    """What `verify` found for a published file, or for a split of the set as it is read.

    state: `ok`; `missing`; `different` (not what was published: results are not comparable); `damaged` (training would
    refuse it). per_class: how many sequences there are of each class.
    """

    name: str
    state: Literal["ok", "missing", "different", "damaged"]
    message: str
    count: int = 0
    per_class: tuple[int, ...] = ()


def load(
    name: str,
    data_dir: str | Path | None = None,
    options: DataOptions = WHOLE,
    *,
    seed: int = 0,
    download: bool = True,
) -> TrainTest:
    """Load a published set, downloading its files where they are missing.

    Classes are limited first, numbers of sequences then, by class, and images made grey and smaller last.

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    data_dir : path, optional
        The folder of all data sets; `$AUXRNN_DATA_DIR` or the user's cache where None.
    options : DataOptions
        What to take of the set.
    seed : int
        Of the draw of limited sequences.
    download : bool
        Whether missing files may be fetched.

    Returns
    -------
    TrainTest
        What a reader of results must know is in its remarks.

    Raises
    ------
    InputError
        For an unknown name, an option that does not fit the set, and missing or damaged files.
    """
    preset = find_preset(name)
    options.check_for(preset)
    folder = data_folder(data_dir)
    if preset.kind == "texts":
        rows = [dbpedia.read_split(split, folder, download=download) for split in SPLITS]
        numbers = [len(labels) for labels, _ in rows]
        loaded = dbpedia.load_dbpedia(rows[0], rows[1], options, seed)
    elif preset.kind == "made values":
        made = [load_latching(split, options.distance) for split in SPLITS]
        numbers = [len(data) for data in made]
        train, test = (_kept(data, options, split, seed) for split, data in zip(SPLITS, made, strict=True))
        loaded = TrainTest(train, test)
    else:
        images = [_read_images(name, split, folder, options, download) for split in SPLITS]
        numbers = [number for _, number in images]
        train, test = (_fitted(data, options, split, seed) for split, (data, _) in zip(SPLITS, images, strict=True))
        loaded = TrainTest(train, test)
    return replace(loaded, remarks=(*_as_published(preset, numbers), *_limits(options, seed), *loaded.remarks))


def _read_images(
    name: str, split: PublishedSplit, folder: Path, options: DataOptions, download: bool
) -> tuple[SequenceData, int]:
    """One split of a set of images, and how many it has before any limit."""
    if name == "stanford-dogs":
        read = dogs.read_folder(dogs.provide(folder, download=download))
        side = options.image_size or dogs.SIDE
        data = dogs.load_split(split, read, side, options.grey, options.limit_classes)
        return data, len(read.lists[split])
    if name == "digits":
        data = pixels.load_digits(split)
    elif name == "cifar10":
        data = cifar.load_split(split, cifar.provide(folder, download=download))
    else:
        data = replace(pixels.load_mnist(split, folder, download=download), name=name)
    return data, len(data)


def _fitted(data: SequenceData, options: DataOptions, split: PublishedSplit, seed: int) -> SequenceData:
    """A set of images by the options; a permuted one is permuted at its final size."""
    data = _kept(data, options, split, seed)
    if data.name != "stanford-dogs":  # decoded to size and colour
        data = fit_images(data, image_size=options.image_size, grey=options.grey)
    return pixels.permuted(data) if data.name == "pmnist" else data


def _kept(data: SequenceData, options: DataOptions, split: PublishedSplit, seed: int) -> SequenceData:
    """The classes and numbers of sequences that the options leave."""
    assert data.labels is not None
    strata = data.target.strata(data.labels)
    kept = choose(strata, options.limit_classes, options.limit(split), seed, option=f"--limit_{split}")
    return data if kept is None else replace(data.subset(kept), classes=data.classes[: options.limit_classes])


def _as_published(preset: Preset, numbers: Sequence[int]) -> list[str]:
    """A line that says so where the set on the disk has other numbers of sequences than the published one."""
    train, test = numbers
    if (train, test) == (preset.train, preset.test):
        return []
    return [
        f"{preset.name} as it lies here has {train:,} + {test:,} sequences, the published one {preset.train:,} + "
        f"{preset.test:,}: figures are not comparable"
    ]


def _limits(options: DataOptions, seed: int) -> list[str]:
    """A line for each limit that changes what is tested."""
    lines = []
    if options.limit_classes is not None:
        lines.append(f"the first {options.limit_classes} classes alone")
    if options.limit_test is not None:
        lines.append(f"tested on {options.limit_test:,} sequences, drawn by class with seed {seed}, not on all")
    return lines


def fetch_files(name: str, data_dir: str | Path | None = None) -> list[Path]:
    """The paths of all files of the data set `name`, downloaded where they are missing; none for an embedded set.

    Nothing is downloaded for a set whose unpacked files lie there.
    """
    preset = find_preset(name)
    folder = data_folder(data_dir)
    found = UNPACKED[name](folder) if name in UNPACKED else None
    if found is not None:
        return [found]
    return [fetch(file, folder, preset.folder) for file in preset.files]


def verify(name: str, data_dir: str | Path | None = None) -> list[Check]:
    """Compare each file of the data set `name` with its published hash, and read the set as a training would.

    Downloads nothing, and never raises over a file.
    """
    preset = find_preset(name)
    folder = data_folder(data_dir) / preset.folder
    files = [_verify_file(file, folder / file.name) for file in preset.files if (folder / file.name).is_file()]
    try:
        loaded = load(name, data_dir, download=False)
    except MissingFileError as error:
        return [*files, Check(name, "missing", f"{error} `auxrnn data fetch` downloads it.")]
    except (InputError, OSError) as error:
        return [*files, Check(name, "damaged", str(error))]
    return [
        *files,
        _verify_split(f"{name} (train)", loaded.train, preset.train),
        _verify_split(f"{name} (test)", loaded.test, preset.test),
    ]


def _verify_file(file: RemoteFile, path: Path) -> Check:
    found, size = file_hash(path, algorithm_of(file.hash)), path.stat().st_size
    if found == file.hash:
        return Check(file.name, "ok", "the published file")
    expected = "" if file.bytes is None else f" and {file.bytes:,} bytes"
    return Check(file.name, "different", f"{path}: expected {file.hash}{expected}, found {found} and {size:,} bytes.")


def _verify_split(name: str, data: SequenceData, expected: int) -> Check:
    assert isinstance(data.labels, torch.Tensor)
    per_class = tuple(data.labels.bincount(minlength=len(data.classes)).tolist())
    if len(data) == expected:
        return Check(name, "ok", "as many as published", len(data), per_class)
    message = f"expected {expected:,} as published: usable, figures are not comparable"
    return Check(name, "different", message, len(data), per_class)
