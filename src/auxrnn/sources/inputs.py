"""Files to predict from with a model that does not know the files it was trained on: a preset's, or an estimator's.

PNG, JPEG, NPY, NPZ; texts as TXT or CSV. What the model expects comes as an `InputSpec`; the file must fit it exactly,
nothing is resized, inverted or guessed. Knows nothing of models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.delimited import Dialect
from auxrnn.sources.encodings import text_lines
from auxrnn.sources.images import as_seen, opened_image, upright_size
from auxrnn.sources.npy import ArrayFile, member_names, read_header
from auxrnn.sources.reader import Array, Example

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
ARRAY_SUFFIXES = (".npy", ".npz")
TEXT_SUFFIXES = (".txt", ".csv")
NPZ_NAMES = ("inputs", "X", "x")


def read_inputs(
    path: Path,
    spec: InputSpec,
    *,
    image_shape: tuple[int, int] | None = None,
    order: Sequence[int] | None = None,
) -> Iterator[Example]:
    """The sequences in one file; each is called what its answer is: `seven.png`, or `digits.npy[3]`.

    Parameters
    ----------
    path : Path
    spec : InputSpec
        What the model reads.
    image_shape : (int, int), optional
        Rows and columns that the model was trained on; needed for PNG and JPEG. Arrays may be (N, T), (N, T, C) or,
        with it, (N, rows, columns) and (N, rows, columns, C).
    order : sequence of int, optional
        (T,) order of the pixels, where it is another than row by row (permuted MNIST).

    Raises
    ------
    InputError
        For a missing, damaged or unfitting file.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file to predict from, found {'a folder' if path.is_dir() else 'nothing'}."
        )
    suffix = path.suffix.lower()
    known = TEXT_SUFFIXES if spec.kind == "characters" else IMAGE_SUFFIXES + ARRAY_SUFFIXES
    if suffix not in known:
        raise InputError(f"{path}: expected a file ending in {' or '.join(known)}.")
    if spec.kind == "characters":
        for index, text in enumerate(_texts(path)):
            yield Example(f"{path.name}[{index}]", text)
    elif suffix in IMAGE_SUFFIXES:
        yield Example(path.name, _ordered(_image(path, spec, image_shape), order, path))
    else:
        for index, item in enumerate(_sequences(path, spec, image_shape)):
            yield Example(f"{path.name}[{index}]", _ordered(item, order, path))


def _texts(path: Path) -> Iterator[str]:
    """Each line of a `.txt` in UTF-8, or each row's last field of a `.csv` without a header."""
    number = width = 0
    if path.suffix.lower() == ".txt":
        rows = ([line.removesuffix("\n")] for line in text_lines(path, "utf-8"))
    else:
        rows = (row for _, row in Dialect(path, "utf-8", ",").rows())
    for number, row in enumerate(rows, 1):
        width = width or len(row)
        if len(row) != width:
            raise InputError(f"{path}, row {number:,}: expected {width} fields as in row 1, found {len(row)}.")
        if not row[-1]:
            raise InputError(f"{path}, row {number:,}: expected a text of at least one character, found none.")
        yield row[-1]
    if not number:
        raise InputError(f"{path}: expected at least one text, found none.")


def _image(path: Path, spec: InputSpec, image_shape: tuple[int, int] | None) -> Array:
    """(rows * columns, C) uint8."""
    if image_shape is None:
        raise InputError(
            f"{path}: expected a model trained on images for an image file, found one trained on sequences."
        )
    modes = {1: "L", 3: "RGB"}
    if spec.kind != "pixels" or spec.size not in modes:
        raise InputError(
            f"{path}: expected a model of grey or RGB pixels for an image, found {spec.size} channels of {spec.kind}."
        )
    with opened_image(path) as image:
        width, height = upright_size(image)
        if (height, width) != image_shape:
            rows, columns = image_shape
            raise InputError(
                f"{path}: expected an image of {columns}x{rows} pixels as the model was trained on, "
                f"found {width}x{height}. Resize it first."
            )
        return np.array(as_seen(image).convert(modes[spec.size])).reshape(-1, spec.size)


def _sequences(path: Path, spec: InputSpec, image_shape: tuple[int, int] | None) -> Iterator[Array]:
    """The items (T, C) of an array of sequences or of images, which are read row by row."""
    array = _array(path)
    shape = array.shape
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path}: expected numbers, found {array.dtype}.")
    steps = shape[1:]
    if image_shape is not None and len(shape) in (3, 4) and shape[1:3] == image_shape:
        steps = (math.prod(image_shape), *(shape[3:] or (1,)))
    elif len(shape) == 2:
        steps = (shape[1], 1)
    if len(steps) != 2 or steps[1] != spec.size or 0 in shape:
        images = f" or images (N, {image_shape[0]}, {image_shape[1]}, {spec.size})" if image_shape else ""
        raise InputError(f"{path}: expected sequences (N, T, {spec.size}){images}, found {shape}.")
    return (item.reshape(steps) for item in array.items())


def _array(path: Path) -> ArrayFile:
    """The array of an .npy file, the only one in an .npz file, or the one of a known name."""
    if path.suffix.lower() == ".npy":
        return read_header(path)
    names = member_names(path)
    known = names if len(names) == 1 else [name for name in NPZ_NAMES if name in names]
    if not known:
        raise InputError(
            f"{path}: expected one array, or one called {' or '.join(NPZ_NAMES)}, found {', '.join(names) or 'none'}."
        )
    return read_header(path, known[0])


def _ordered(steps: Array, order: Sequence[int] | None, path: Path) -> Array:
    if order is None:
        return steps
    if len(steps) != len(order):
        raise InputError(f"{path}: expected sequences of {len(order)} steps, found {len(steps)}.")
    return steps[list(order)]
