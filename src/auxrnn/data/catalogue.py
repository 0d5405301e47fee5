"""Data sets by name: load them, fetch their files, verify what lies on the disk.

The table itself is in `presets`; each set's own reading is in the module of its kind (`pixels`, `cifar`, `dogs`,
`texts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from auxrnn.data import cifar, dogs, pixels, texts
from auxrnn.data.checks import FileCheck, counted
from auxrnn.data.dataset import SequenceData, TrainTest
from auxrnn.data.downloads import fetch
from auxrnn.data.images import fit_images
from auxrnn.data.options import DataOptions
from auxrnn.data.presets import Preset, find_preset
from auxrnn.data.sources import RemoteFile, algorithm_of, data_folder, file_hash
from auxrnn.data.splits import choose
from auxrnn.errors import InputError

SPLITS: tuple[pixels.Split, ...] = ("train", "test")
WHOLE = DataOptions()

_EMBEDDED: dict[str, Callable[[pixels.Split], SequenceData]] = {
    "digits": pixels.load_digits,
}


def load(
    name: str,
    data_dir: str | Path | None = None,
    options: DataOptions = WHOLE,
    *,
    seed: int = 0,
    download: bool = True,
) -> TrainTest:
    """The data set `name`, its files taken from `data_folder(data_dir)` and downloaded there if need be.

    Classes are limited first, numbers of sequences then (by class, drawn with `seed`), and images made grey and smaller
    last. What a reader of results must know is in the remarks. InputError for an option that does not fit the set.
    """
    preset = find_preset(name)
    options.check_for(preset)
    if name == "dbpedia":
        return _load_texts(preset, data_folder(data_dir), options, seed, download)
    if name in _EMBEDDED:
        train, test = (_EMBEDDED[name](split) for split in SPLITS)
        published = (len(train), len(test))
    elif name == "stanford-dogs":
        folder = dogs.read_folder(dogs.provide(data_folder(data_dir), download=download))
        published = (len(folder.lists["train"].files), len(folder.lists["test"].files))
        side = options.image_size or dogs.SIDE
        train, test = (dogs.load_split(split, folder, side, options.grey, options.limit_classes) for split in SPLITS)
    else:
        train, test = _read_images(name, data_folder(data_dir), download)
        published = (len(train), len(test))
    remarks = [*_as_published(preset, *published), *_limits(options, seed)]
    train = _fitted(train, options, "train", seed)
    test = _fitted(test, options, "test", seed)
    return TrainTest(train, test, tuple(remarks))


def _read_images(name: str, folder: Path, download: bool) -> tuple[SequenceData, SequenceData]:
    if name == "cifar10":
        found = cifar.provide(folder, download=download)
        return cifar.load_split("train", found), cifar.load_split("test", found)
    train, test = (pixels.load_mnist(split, folder, download=download) for split in SPLITS)
    return replace(train, name=name), replace(test, name=name)


def _load_texts(preset: Preset, folder: Path, options: DataOptions, seed: int, download: bool) -> TrainTest:
    train, test = (texts.read_split(split, folder, download=download) for split in SPLITS)
    loaded = texts.load_dbpedia(train, test, options, seed)
    published = _as_published(preset, len(train[0]), len(test[0]))
    return replace(loaded, remarks=(*published, *_limits(options, seed), *loaded.remarks))


def _fitted(data: SequenceData, options: DataOptions, split: pixels.Split, seed: int) -> SequenceData:
    """A set of images by the options; a permuted one is permuted at its final size."""
    assert data.labels is not None
    strata = data.target.strata(data.labels)
    kept = choose(strata, options.limit_classes, options.limit(split), seed, option=f"--limit_{split}")
    if kept is not None:
        data = replace(data.subset(kept), classes=data.classes[: options.limit_classes])
    if data.name != "stanford-dogs":  # decoded to size and colour
        data = fit_images(data, image_size=options.image_size, grey=options.grey)
    return pixels.permuted(data) if data.name == "pmnist" else data


def _as_published(preset: Preset, train: int, test: int) -> list[str]:
    """A line where the set on the disk is not the published one."""
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
    unpacked = {"cifar10": cifar.find_folder, "stanford-dogs": dogs.find_folder, "dbpedia": texts.find_folder}
    found = unpacked[name](folder) if name in unpacked else None
    if found is not None:
        return [found]
    return [fetch(file, folder, preset.folder) for file in preset.files]


def verify(name: str, data_dir: str | Path | None = None) -> list[FileCheck]:
    """Read and check each file of the data set `name`; downloads and unpacks nothing, never raises over a file.

    A file whose hash is published is compared with it; the others are read whole, and counts compared.
    """
    preset = find_preset(name)
    folder = data_folder(data_dir)
    if name in _EMBEDDED:
        return [_verify_embedded(name, split) for split in SPLITS]
    if name == "cifar10":
        return [*_verify_archives(preset, folder), *_verify_cifar(folder)]
    if name == "stanford-dogs":
        return [*_verify_archives(preset, folder), *_verify_dogs(preset, folder)]
    if name == "dbpedia":
        return [*_verify_archives(preset, folder), *_verify_texts(preset, folder)]
    return [_verify_file(file, folder / preset.folder / file.name, pixels.mnist_contents) for file in preset.files]


def _verify_file(
    file: RemoteFile, path: Path, contents: Callable[[RemoteFile, Path], tuple[int, tuple[int, ...]]]
) -> FileCheck:
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
    expected = "" if file.bytes is None else f" and {file.bytes:,} bytes"
    message = f"{path}: expected {file.hash}{expected}, found {found} and {size:,} bytes."
    return FileCheck(file.name, path, "different", message, file.hash, found, size, count, per_class)


def _verify_archives(preset: Preset, folder: Path) -> list[FileCheck]:
    """The archives that lie there: they may be deleted once unpacked."""
    paths = [(file, folder / preset.folder / file.name) for file in preset.files]
    return [_verify_file(file, path, lambda *_: (0, ())) for file, path in paths if path.is_file()]


def _missing(name: str, path: Path) -> FileCheck:
    return FileCheck(name, path, "missing", f"{path} has none; `auxrnn data fetch` downloads it.")


def _verify_cifar(folder: Path) -> list[FileCheck]:
    found = cifar.find_folder(folder)
    if found is None:
        return [_missing("cifar10", folder / "cifar10")]
    checks = []
    for name in (name for names in cifar.FILES.values() for name in names):
        path = found / name
        try:
            _, labels = cifar.read_batch(path)
        except InputError as error:
            checks.append(FileCheck(name, path, "damaged", str(error)))
        else:
            per_class = _per_class(labels.tolist(), len(cifar.CLASSES))
            checks.append(counted(name, path, per_class, 10_000, "whole rows; of this file no hash is published"))
    return checks


def _verify_texts(preset: Preset, folder: Path) -> list[FileCheck]:
    checks = []
    for split, expected in zip(SPLITS, (preset.train, preset.test), strict=True):
        name = f"{split}.csv"
        if texts.find_folder(folder) is None:
            checks.append(_missing(name, folder / preset.folder))
            continue
        try:
            labels, _ = texts.read_split(split, folder, download=False)
        except (InputError, OSError) as error:
            checks.append(FileCheck(name, folder / preset.folder, "damaged", str(error)))
        else:
            per_class = _per_class(labels, len(texts.CLASSES))
            checks.append(counted(name, folder / preset.folder, per_class, expected, "rows of class, title, content"))
    return checks


def _verify_dogs(preset: Preset, folder: Path) -> list[FileCheck]:
    """Both lists and every image that they name, decoded."""
    found = dogs.find_folder(folder)
    if found is None:
        return [_missing(preset.name, folder / preset.folder)]
    try:
        read = dogs.read_folder(found)
    except (InputError, OSError) as error:
        return [FileCheck(preset.name, found, "damaged", str(error))]
    checks = []
    for split, expected in zip(SPLITS, (preset.train, preset.test), strict=True):
        images = read.lists[split]
        broken = []
        for path, where in dogs.image_paths(found, images):
            try:
                dogs.decode(path, where, None)
            except InputError as error:
                broken.append(str(error))
        name, per_class = images.source.name, _per_class(images.labels, len(read.classes))
        if broken:
            message = f"{len(broken):,} images missing or broken, first {broken[0]}"
            checks.append(
                FileCheck(name, images.source, "damaged", message, count=len(images.files), per_class=per_class)
            )
        else:
            checks.append(counted(name, images.source, per_class, expected, "every image can be read"))
    return checks


def _per_class(labels: Iterable[int], classes: int) -> tuple[int, ...]:
    counts = Counter(labels)
    return tuple(counts[label] for label in range(classes))


def _verify_embedded(name: str, split: pixels.Split) -> FileCheck:
    data = _EMBEDDED[name](split)
    assert data.labels is not None
    per_class = tuple(torch.bincount(data.target.strata(data.labels), minlength=len(data.classes)).tolist())
    return FileCheck(
        f"{name} ({split})", None, "ok", "comes with an installed package", count=len(data), per_class=per_class
    )
