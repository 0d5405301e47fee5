"""Images made smaller or grey, exactly and the same on every machine. Knows nothing of files or of data sets by name.

The letters: N images, C channels. The paper changes no image; these serve small runs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData

Images = npt.NDArray[np.uint8]

CHUNK = 1024  # images at a time


def shrink(images: Images, side: int) -> Images:
    """Images (N, rows, columns, C) as (N, side, side, C), each new pixel the mean of the area it covers, halves up.

    A pixel that two areas share counts by its parts. Raises InputError for a side above the images' own.
    """
    number, rows, columns, channels = images.shape
    if side > min(rows, columns):
        raise InputError(f"Expected image_size of at most {min(rows, columns)}, got {side}: images are not enlarged.")
    down, across = _shares(rows, side), _shares(columns, side)
    area = rows * columns
    smaller = np.empty((number, side, side, channels), dtype=np.uint8)
    for start in range(0, number, CHUNK):
        planes = images[start : start + CHUNK].transpose(0, 3, 1, 2).astype(np.float64)
        sums = down @ planes @ across.T  # whole numbers far below 2^53: exact
        smaller[start : start + CHUNK] = np.floor((2 * sums + area) / (2 * area)).transpose(0, 2, 3, 1)
    return smaller


def _shares(old: int, new: int) -> npt.NDArray[np.float64]:
    """(new, old) how much of old pixel j lies in new pixel i, in units of 1/new; each row adds up to `old`."""
    starts, edges = np.arange(new)[:, None] * old, np.arange(old)[None, :] * new
    return np.maximum(np.minimum(starts + old, edges + new) - np.maximum(starts, edges), 0).astype(np.float64)


def luminance(colours: Images) -> Images:
    """(N, ..., 3) RGB as (N, ..., 1), ITU-R 601 in the whole-number form of Pillow's `convert("L")`."""
    grey = np.empty((*colours.shape[:-1], 1), dtype=np.uint8)
    for start in range(0, len(colours), CHUNK):
        red, green, blue = np.moveaxis(colours[start : start + CHUNK].astype(np.uint32), -1, 0)
        grey[start : start + CHUNK, ..., 0] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return grey


def fit_images(data: SequenceData, *, image_size: int | None = None, grey: bool = False) -> SequenceData:
    """A set of whole images, row by row, made grey first and smaller then; `image_shape` and `note` follow."""
    if image_size is None and not grey:
        return data
    assert data.image_shape is not None
    assert data.pixel_order is None
    assert isinstance(data.inputs, torch.Tensor)
    images = data.inputs.numpy().reshape(len(data), *data.image_shape, data.spec.size)
    if grey:
        images = luminance(images)
    if image_size is not None:
        images = shrink(images, image_size)
    sequences = torch.from_numpy(np.ascontiguousarray(images).reshape(len(data), -1, images.shape[3]))
    spec = InputSpec("pixels", images.shape[3], data.spec.levels)
    return replace(
        data, spec=spec, inputs=sequences, image_shape=images.shape[1:3], note=with_note(data.note, image_size, grey)
    )


def with_note(note: str, image_size: int | None, grey: bool) -> str:
    """The note of a set with what was done to its images."""
    made = [f"{image_size}x{image_size} by area averaging"] if image_size is not None else []
    return ", ".join([*([note] if note else []), *made, *(["grey"] if grey else [])])
