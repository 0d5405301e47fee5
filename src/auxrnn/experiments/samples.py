"""A sheet of samples of a preset or of a person's own sequences, some of each class, as a PNG file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError, printable
from auxrnn.experiments.probes import as_images
from auxrnn.report.sheets import sheet_of_images, sheet_of_lines, sheet_of_texts
from auxrnn.sources import dbpedia, dogs
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.latching import load_latching
from auxrnn.sources.loading import open_source
from auxrnn.sources.presets import data_folder, find_preset
from auxrnn.sources.published import load
from auxrnn.storage.files import check_outside

COUNT = 20
DRAWN = (1, 3, 4)
"""Channels of a picture."""


def show_samples(name: str, out: Path, data_dir: str | None = None, count: int = COUNT) -> None:
    """Draw `count` training samples: the first of each class in turn, then the second, in the order of the classes.

    A permuted image is drawn as the network reads it, its steps row by row, above the image itself.
    """
    preset = find_preset(name)
    title = f"{name}: {preset.description}"
    with _written(out):
        if preset.kind == "texts":
            labels, contents = dbpedia.read_split("train", data_folder(data_dir))
            chosen = first_of_each(labels, count)
            names = [dbpedia.CLASSES[labels[index]] for index in chosen]
            sheet_of_texts(out, [contents[index] for index in chosen], names, title=title)
            return
        if preset.kind == "made values":
            made = load_latching("train").subset(torch.arange(count))
            names = [made.classes[place % 2] for place in range(count)]
            sheet_of_lines(out, [one.numpy() for one in made.inputs], names, title=title)
            return
        schemas, names, levels = _dogs(data_dir, count) if name == "stanford-dogs" else _images(name, data_dir, count)
        sheet_of_images(out, schemas, names, title=title, levels=levels)


def show_files(path: Path, out: Path, options: ReadingOptions, count: int = COUNT) -> None:
    """Draw `count` sequences of a person's own files or stored set, but none that these name as test data.

    The first of each class in turn, as `show_samples` does; simply the first where a sequence has other labels than one
    class. Images as they look, texts by their beginnings, all others as lines, one a channel.
    """
    check_outside(out, path)
    if out.resolve() == path.resolve():
        raise InputError(f"{out}: expected a new PNG file, got the data themselves; choose another --out.")
    stored = open_source(path, options)
    shown = np.flatnonzero(stored.splits != 2)
    shown = shown if len(shown) else np.arange(len(stored))
    strata = stored.labels[shown] if stored.target.one_class else np.zeros(len(shown), np.int64)
    chosen = [int(shown[place]) for place in first_of_each(strata, count)]
    names = [stored.target.words(stored.label(index)) for index in chosen]
    sequences = [stored.sequence(index) for index in chosen]
    schema, title = stored.schema, printable(f"{path.resolve().name}: {stored.schema.description}")
    with _written(out):
        if schema.kind == "characters":
            sheet_of_texts(out, [stored.text(index) for index in chosen], names, title=title)
        elif schema.channels in DRAWN and all(len(item) == np.prod(schema.image_shape or 0) for item in sequences):
            images = np.stack(sequences).reshape(len(sequences), *(schema.image_shape or ()), schema.channels)
            sheet_of_images(out, {"": images}, names, title=title, levels=256)
        else:
            sheet_of_lines(out, sequences, names, title=title, channels=schema.channel_names)


@contextmanager
def _written(out: Path) -> Iterator[None]:
    """Where a file is drawn: its folder is made; InputError where it cannot be written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a box
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise InputError(f"{out}: expected a file that can be written: {error}.") from error


def first_of_each(labels: Sequence[int] | npt.NDArray[Any], count: int) -> list[int]:
    """Indices of `count` sequences, sorted by class, each class as often as any other or once more."""
    numbers = np.asarray(labels)
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], numbers[order])
    turn = np.arange(len(numbers)) - starts  # 0 for the first of its class, 1 for the second, ...
    chosen = np.sort(np.lexsort((numbers[order], turn))[:count])
    return [int(index) for index in order[chosen]]


Forms = dict[str, npt.NDArray[Any]]


def _images(name: str, data_dir: str | None, count: int) -> tuple[Forms, list[str], int]:
    data = load(name, data_dir).train
    assert isinstance(data.labels, torch.Tensor)
    shown = data.subset(first_of_each(data.labels.tolist(), count))
    assert isinstance(shown.labels, torch.Tensor)
    names = [data.classes[label] for label in shown.labels.tolist()]
    if shown.pixel_order is None:
        return {"": _as_images(shown)}, names, data.spec.levels
    read = replace(shown, pixel_order=None)
    return {"as read": _as_images(read), "the image": _as_images(shown)}, names, data.spec.levels


def _as_images(data: SequenceData) -> npt.NDArray[Any]:
    """(N, rows, columns, channels)"""
    assert isinstance(data.inputs, torch.Tensor)
    images = as_images(data.inputs, data)
    return images.reshape(*images.shape[:3], data.spec.size)


def _dogs(data_dir: str | None, count: int) -> tuple[Forms, list[str], int]:
    """Only what is shown is decoded."""
    folder = dogs.read_folder(dogs.provide(data_folder(data_dir)))
    entries = folder.lists["train"]
    labels = folder.labels(entries)
    chosen = first_of_each(labels, count)
    images = [dogs.decode(entries[index].path, entries[index].where, dogs.SIDE) for index in chosen]
    return {"": np.stack(images)}, [folder.classes[labels[index]] for index in chosen], 256
