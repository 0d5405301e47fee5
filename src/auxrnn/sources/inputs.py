"""Files to predict from with a model that does not know the files it was trained on: a preset's, or an estimator's.

PNG, JPEG, IDX, NPY, NPZ; texts as TXT or CSV. What the model expects comes as an `InputSpec`; the file must fit it
exactly, nothing is resized, inverted or guessed. Nothing is unpickled. Knows nothing of models.
"""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.encodings import read_csv, read_lines
from auxrnn.sources.idx import read_idx
from auxrnn.sources.images import as_seen, opened_image, upright_size
from auxrnn.sources.npy import LARGEST_ITEM, parse_header
from auxrnn.sources.reader import Array, Example

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
ARRAY_SUFFIXES = (".npy", ".npz")
TEXT_SUFFIXES = (".txt", ".csv")
NPZ_NAMES = ("inputs", "X", "x")


def read_inputs(
    path: Path,
    spec: InputSpec,
    *,
    characters: str = "",
    image_shape: tuple[int, int] | None = None,
    order: Sequence[int] | None = None,
) -> Iterator[Example]:
    """The sequences in one file, fit for `spec`; each is called what its answer is: `seven.png`, or `digits.npy[3]`.

    characters: those that a model of texts knows. image_shape: (rows, columns) that a model was trained on; needed for
    PNG, JPEG and IDX. Arrays may be (N, T), (N, T, C) or, with `image_shape`, (N, rows, columns) and
    (N, rows, columns, C). order: (T,) of the pixels where the model reads them in another than row by row (permuted
    MNIST). Raises InputError for a missing, damaged or unfitting file.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file to predict from, found {'a folder' if path.is_dir() else 'nothing'}."
        )
    sequences: Iterable[Array | str]
    if spec.kind != "characters":
        sequences = _read_numbers(path, spec, image_shape, order)
    elif not characters:
        raise InputError(f"{path}: expected a model with the characters it knows, found one without.")
    else:
        sequences = _read_texts(path)
    single = path.suffix.lower() in IMAGE_SUFFIXES
    for index, sequence in enumerate(sequences):
        yield Example(path.name if single else f"{path.name}[{index}]", sequence)


def _read_numbers(
    path: Path, spec: InputSpec, image_shape: tuple[int, int] | None, order: Sequence[int] | None
) -> Array:
    """(N, T, C) in the type of `spec`."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        array = _read_image(path, spec, _needed(image_shape, path))[np.newaxis]
    elif suffix in ARRAY_SUFFIXES:
        array = _read_array(path)
    elif "idx" in path.name.lower() or suffix == ".gz":
        _needed(image_shape, path)
        array = read_idx(path, 3)
    else:
        known = ", ".join((*IMAGE_SUFFIXES, *ARRAY_SUFFIXES))
        raise InputError(f"{path}: expected a file ending in {known}, or an IDX file with idx in its name.")
    sequences = _as_sequences(array, path, spec, image_shape)
    if order is not None:
        if sequences.shape[1] != len(order):
            raise InputError(f"{path}: expected sequences of {len(order)} steps, found {sequences.shape[1]}.")
        sequences = sequences[:, list(order)]
    return _as_type(sequences, path, spec)


def _read_texts(path: Path) -> list[str]:
    """Each line of a `.txt` in UTF-8, or each row's last field of a `.csv` without a header."""
    suffix = path.suffix.lower()
    if suffix not in TEXT_SUFFIXES:
        raise InputError(f"{path}: expected a file of texts ending in {' or '.join(TEXT_SUFFIXES)}.")
    with path.open("rb") as stream:
        if suffix == ".txt":
            texts = list(read_lines(str(path), stream))
        else:
            rows = [row for _, row in read_csv(str(path), stream)]
            for number, row in enumerate(rows, 1):
                if len(row) != len(rows[0]):
                    raise InputError(
                        f"{path}, row {number:,}: expected {len(rows[0])} fields as in row 1, found {len(row)}."
                    )
            texts = [row[-1] if row else "" for row in rows]
    for number, text in enumerate(texts, 1):
        if not text:
            raise InputError(f"{path}, row {number:,}: expected a text of at least one character, found none.")
    if not texts:
        raise InputError(f"{path}: expected at least one text, found none.")
    return texts


def _read_image(path: Path, spec: InputSpec, image_shape: tuple[int, int]) -> Array:
    """(rows, columns, C) uint8."""
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
        pixels = np.array(as_seen(image).convert(modes[spec.size]))
    return pixels.reshape(*image_shape, spec.size)


def _read_array(path: Path) -> Array:
    try:
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                stream.seek(0)
                return _whole(stream, path.stat().st_size, path)
            with zipfile.ZipFile(stream) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                known = names if len(names) == 1 else [name for name in NPZ_NAMES if name in names]
                if not known:
                    raise InputError(
                        f"{path}: expected one array, or one called {' or '.join(NPZ_NAMES)}, "
                        f"found {', '.join(names) or 'none'}."
                    )
                member = archive.getinfo(f"{known[0]}.npy")
                with archive.open(member) as inner:
                    return _whole(inner, member.file_size, path)
    except InputError:
        raise
    except (ValueError, OSError, EOFError, MemoryError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected a NumPy file of plain numbers, found: {error}.") from error


def _whole(stream: IO[bytes], size: int, path: Path) -> Array:
    """The array in a stream of `size` bytes; InputError, before any memory is taken, where it announces more."""
    shape, _, dtype = parse_header(stream)
    announced = math.prod(shape) * dtype.itemsize
    if any(isinstance(number, bool) for number in shape) or not 0 <= announced <= min(size, LARGEST_ITEM):
        raise InputError(
            f"{path}: expected a NumPy file of plain numbers, found one of {size:,} bytes that announces shape "
            f"{shape} of {dtype}."
        )
    stream.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Python 2 wrote it
        return np.asarray(npy.read_array(stream, allow_pickle=False))


def _as_sequences(array: Array, path: Path, spec: InputSpec, image_shape: tuple[int, int] | None) -> Array:
    """(N, T, C); images row by row."""
    found = array.shape
    if image_shape is not None and array.ndim in (3, 4) and found[1:3] == image_shape:
        array = array.reshape(found[0], image_shape[0] * image_shape[1], -1)
    elif array.ndim == 2 and spec.size == 1:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] != spec.size or 0 in array.shape:
        images = f" or images (N, {image_shape[0]}, {image_shape[1]}, {spec.size})" if image_shape else ""
        raise InputError(f"{path}: expected sequences (N, T, {spec.size}){images}, found {found}.")
    return array


def _as_type(sequences: Array, path: Path, spec: InputSpec) -> Array:
    """The type that `spec` asks for, without changing any number of pixels."""
    if sequences.dtype.kind not in "iuf":
        raise InputError(f"{path}: expected numbers, found {sequences.dtype}.")
    if spec.kind == "values":
        return np.ascontiguousarray(sequences, dtype=np.float32 if sequences.dtype == np.float32 else np.float64)
    if sequences.dtype.kind == "f" and np.isnan(sequences).any():
        first = np.argwhere(np.isnan(sequences))[0]
        raise InputError(
            f"{path}: expected whole pixel levels from 0 to {spec.levels - 1}, found NaN (no number) in sequence "
            f"{first[0]} at step {first[1]}. Fill in missing values first."
        )
    if sequences.dtype != np.uint8:
        with np.errstate(invalid="ignore"):
            pixels = np.clip(sequences, 0, 255).astype(np.uint8)
        if not np.array_equal(pixels, sequences):
            raise InputError(
                f"{path}: expected whole pixel levels from 0 to {spec.levels - 1}, found {sequences.dtype} "
                f"from {sequences.min()} to {sequences.max()}. Pixels are not scaled to 0..1 here."
            )
        sequences = pixels
    return np.ascontiguousarray(sequences)


def _needed(image_shape: tuple[int, int] | None, path: Path) -> tuple[int, int]:
    if image_shape is None:
        raise InputError(
            f"{path}: expected a model trained on images for an image file, found one trained on sequences."
        )
    return image_shape
