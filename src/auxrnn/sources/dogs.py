"""Stanford Dogs: an image folder of 120 breeds with the official split lists, as square images of any size.

The paper names eight sizes, 40 to 128, and is silent on how they were made. Here the whole photograph is squashed to a
square by Pillow's box filter (area averaging), grey as Pillow's `convert("L")`. Images are decoded once, into an array
file that later runs map into memory; its name has size, colours, split, classes and a digest of the list.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.archives import unpack
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.downloads import fetch
from auxrnn.sources.file_lists import Entry
from auxrnn.sources.images import opened_image
from auxrnn.sources.matlab import read_names
from auxrnn.sources.presets import DOGS_IMAGES, DOGS_LISTS, SPLITS, PublishedSplit
from auxrnn.sources.resizing import with_note
from auxrnn.storage.lock import own_part

FOLDERS = ("stanford-dogs", "stanford_dogs")
SIDE = 128
CACHE_FOLDER = "cache"
TOLD_EVERY = 2000  # images

BOX = 4  # Pillow's number of its area-averaging filter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DogsFolder:
    """The folder of the set, those of its breeds below `Images`, sorted, and the images of its two lists.

    The label of an entry is the folder of its breed.
    """

    path: Path
    breeds: tuple[str, ...]
    lists: dict[PublishedSplit, tuple[Entry, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(_breed_name(breed) for breed in self.breeds)

    def labels(self, entries: Sequence[Entry]) -> list[int]:
        """The place of each image's breed."""
        places = {breed: label for label, breed in enumerate(self.breeds)}
        return [places[str(entry.label)] for entry in entries]


def find_folder(data_folder: Path) -> Path | None:
    """The folder that holds `Images` and a list of each split, `.mat` or `.txt`."""
    for name in FOLDERS:
        folder = data_folder / name
        if (folder / "Images").is_dir() and all(_list_path(folder, split) for split in SPLITS):
            return folder
    return None


def provide(data_folder: Path, *, download: bool = True) -> Path:
    """The folder of the set, unpacked from its archives, which are downloaded first if need be."""
    folder = find_folder(data_folder)
    if folder is not None:
        return folder
    top = next((data_folder / name for name in FOLDERS if (data_folder / name).is_dir()), data_folder / FOLDERS[0])
    if not (top / "Images").is_dir():
        unpack(fetch(DOGS_IMAGES, data_folder, top.name, download=download), top)
    if not all(_list_path(top, split) for split in SPLITS):
        unpack(fetch(DOGS_LISTS, data_folder, top.name, download=download), top)
    if find_folder(data_folder) is None:
        raise InputError(f"{top}: expected Images, train_list.mat and test_list.mat (or .txt), found not all of them.")
    return top


def _list_path(folder: Path, split: PublishedSplit) -> Path | None:
    paths = (folder / f"{split}_list{suffix}" for suffix in (".mat", ".txt"))
    return next((path for path in paths if path.is_file()), None)


def read_folder(folder: Path) -> DogsFolder:
    """Read both lists; InputError for a row that is no `folder/image` or that names an image twice."""
    lists: dict[PublishedSplit, tuple[Entry, ...]] = {}
    seen: dict[str, str] = {}
    for split in SPLITS:
        path = _list_path(folder, split)
        if path is None:
            continue
        entries = []
        for row, name in enumerate(read_list(path), 1):
            where = f"{path}, row {row:,}"
            if len(PurePosixPath(name).parts) != 2 or ".." in PurePosixPath(name).parts or name.startswith("/"):
                raise InputError(f"{where}: expected folder/image, found {name[:80]!r}.")
            if name in seen:
                raise InputError(f"{where}: expected each image once, found {name} again after {seen[name]}.")
            seen[name] = where
            entries.append(Entry(folder / "Images" / name, name.split("/")[0], split, where))
        lists[split] = tuple(entries)
    return DogsFolder(folder, tuple(sorted({name.split("/")[0] for name in seen})), lists)


def _breed_name(folder: str) -> str:
    """`Chihuahua` of `n02085620-Chihuahua`."""
    number, dash, name = folder.partition("-")
    return name if dash and number[:1] == "n" and number[1:].isdigit() else folder


def read_list(path: Path) -> list[str]:
    """The names in a list: lines of a text file, or the cells `file_list` of a MATLAB file."""
    if path.suffix == ".mat":
        names = read_names(path, "file_list")
    else:
        try:
            names = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: expected UTF-8, found the byte at {error.start:,} to be none.") from error
    if not names:
        raise InputError(f"{path}: expected a list of images, found none.")
    return names


def load_split(
    split: PublishedSplit, dogs: DogsFolder, side: int, grey: bool, limit_classes: int | None
) -> SequenceData:
    """One split as (N, side * side, 3 or 1) uint8 mapped from the cache, which is made first if need be."""
    breeds = dogs.breeds[:limit_classes]
    entries = [entry for entry in dogs.lists[split] if entry.label in breeds]
    labels = dogs.labels(entries)
    channels = 1 if grey else 3
    shape = (len(entries), side, side, channels)
    kind = f"{side}x{side}-{'grey' if grey else 'rgb'}-{split}-{len(set(labels))}-classes"
    path = dogs.path / CACHE_FOLDER / f"{kind}-{_digest(dogs.path, entries, labels)[:16]}.npy"
    if not path.is_file():
        _make_cache(path, entries, shape)
    return SequenceData(
        name="stanford-dogs",
        spec=InputSpec("pixels", size=channels),
        inputs=torch.from_numpy(_open_cache(path, shape).reshape(len(entries), side * side, channels)),
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=dogs.classes[:limit_classes],
        note=with_note(f"{side}x{side}, squashed to a square", None, grey),
        image_shape=(side, side),
    )


def _digest(folder: Path, entries: Sequence[Entry], labels: Sequence[int]) -> str:
    """Another one wherever the images may come out otherwise: over names, sizes and labels of the files."""
    digest = hashlib.sha256()
    for entry, label in zip(entries, labels, strict=True):
        try:
            size = entry.path.stat().st_size
        except OSError as error:
            raise InputError(f"{entry.where}: expected the image {entry.path}, found none.") from error
        digest.update(f"{entry.path.relative_to(folder)}\0{size}\0{label}\n".encode())
    return digest.hexdigest()


def _make_cache(path: Path, entries: Sequence[Entry], shape: tuple[int, ...]) -> None:
    """Decode into a part file and rename it whole; another process at the same waits and takes what it finds."""
    try:
        path.parent.mkdir(exist_ok=True)
        with own_part(path.with_name(f".{path.name}.part")) as part:
            if path.is_file():
                return
            logger.info("Decoding %s images to %s, once, into %s", f"{shape[0]:,}", path.name, path.parent)
            try:
                _decode_all(part, entries, shape)
            except BaseException:
                part.unlink()
                raise
            part.replace(path)
    except OSError as error:
        raise InputError(f"{path.parent}: expected a folder that the decoded images can be written to: {error}.") from (
            error
        )


def _decode_all(part: Path, entries: Sequence[Entry], shape: tuple[int, ...]) -> None:
    array: Any = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
    for index, entry in enumerate(entries):
        if index and index % TOLD_EVERY == 0:
            logger.info("%s of %s decoded", f"{index:,}", f"{shape[0]:,}")
        array[index] = decode(entry.path, entry.where, shape[1], grey=shape[3] == 1)
    array.flush()
    del array
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())


def decode(path: Path, where: str, side: int | None, *, grey: bool = False) -> npt.NDArray[np.uint8]:
    """One image as (side, side, 3 or 1), of its own size where `side` is None; InputError for a broken one."""
    with opened_image(path, where) as image:
        plain = image.convert("L" if grey else "RGB")
        if side is not None:
            plain = plain.resize((side, side), BOX)
    return np.asarray(plain).reshape(plain.height, plain.width, 1 if grey else 3)


def _open_cache(path: Path, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """The array of the cache, on the disk until it is read; writes to it stay in memory."""
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
        if array.shape != tuple(shape) or array.dtype != np.uint8:
            raise ValueError(f"{array.shape} of {array.dtype}")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected {tuple(shape)} of uint8, found: {error}. Delete the file.") from error
    return array
