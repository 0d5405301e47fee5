"""Images as sequences of pixels: opened whatever is wrong with them, and read alike.

An image counts as people see it: upright as its camera says, what is transparent over white.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.reader import Array, Schema

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
TRANSPARENT = "Images with an alpha channel: what is transparent is laid over white."
ORIENTATION = 0x0112
"""EXIF's number of how a camera was held."""
LYING = (5, 6, 7, 8)


class Images:
    """Images as their pixels row by row, (rows * columns, C) uint8: grey where all are grey, else RGB."""

    uses = frozenset({"size"})

    def __init__(self, paths: Sequence[Path], options: ReadingOptions, like: Schema | None = None) -> None:
        self._size = options.image_size
        if like is not None and like.image_shape is not None:
            self._size = self._size or (like.image_shape[1], like.image_shape[0])
        grey, transparent = True, False
        first: tuple[tuple[int, int], Path] | None = None
        for path in paths:
            with opened_image(path) as image:
                size = upright_size(image)
                grey, transparent = grey and is_grey(image), transparent or may_be_transparent(image)
                if not _is_known_depth(image):
                    raise InputError(
                        f"{path}: expected pixels of 8 or 16 bits, found 32 (mode {image.mode}). Convert the images "
                        "first."
                    )
            first = first or (size, path)
            if self._size is None and size != first[0]:
                raise InputError(
                    f"{path}: expected images of one size, found {size[0]}x{size[1]} here and "
                    f"{first[0][0]}x{first[0][1]} in {first[1]}. Scale them all: --size {first[0][0]}x{first[0][1]}"
                )
        assert first is not None
        columns, rows = self._size or first[0]
        if like is not None:
            grey = like.channels == 1
        self._mode = "L" if grey else "RGB"
        scaled = f"scaled to {columns}x{rows}" if self._size else f"{columns}x{rows}"
        self._shape = (columns, rows)
        self.schema = Schema(
            f"{'grey' if grey else 'RGB'} images, {scaled}",
            "pixels",
            1 if grey else 3,
            "uint8",
            image_shape=(rows, columns),
            notes=(TRANSPARENT,) if transparent else (),
        )

    def read(self, path: Path) -> Array:
        with opened_image(path) as image:
            converted = as_seen(_eight_bits(image)).convert(self._mode)
            if converted.size != self._shape and self._size is None:
                found, expected = (f"{columns}x{rows}" for columns, rows in (converted.size, self._shape))
                raise InputError(f"{path}: expected an image of {expected}, found {found}.")
            scaled = converted if converted.size == self._shape else converted.resize(self._shape)
            return np.asarray(scaled, dtype=np.uint8).reshape(-1, self.schema.channels)


def _is_known_depth(image: Any) -> bool:
    """Whether a pixel has 8 or 16 bits: of 32 nobody says which value is white."""
    return image.mode != "F" and (image.mode != "I" or image.format == "PNG")  # which has no more than 16


def _eight_bits(image: Any) -> Any:
    """16-bit grey as 8-bit grey; Pillow alone would cut off at 255."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        from PIL import Image, ImageOps

        upright = ImageOps.exif_transpose(image)
        return Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    return image


@contextmanager
def opened_image(path: Path, where: str = "") -> Iterator[Any]:
    """The Pillow image in a file, which is to be decoded inside; InputError for what is no whole image of a usual size.

    where: the place to name in a message instead of the path alone, for example a row of a list.
    """
    place, at = where or str(path), f" at {path}" if where else ""
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(f"{place}: expected Pillow for images. Install it: pip install 'auxrnn[image]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a broken file leads to warnings before it leads to an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with (
                path.open("rb") as file,
                Image.open(file) as image,
            ):  # of a path Pillow maps TIFF as if none were turned
                if getattr(image, "is_animated", False) and image.format != "MPO":  # whose others are previews
                    raise InputError(
                        f"{place}: expected one image{at}, found several frames or pages. Save the one that is "
                        "meant as a file of its own."
                    )
                yield image
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{place}: expected an image of a usual size{at}, found: {error}") from error
    except Exception as error:  # of a broken file Pillow's decoders raise whatever happens to them
        raise InputError(
            f"{place}: expected an image that can be read{at}, found: {str(error) or type(error).__name__}."
        ) from error


def upright_size(image: Any) -> tuple[int, int]:
    """(columns, rows) of an image as its camera says that it was held; decodes none but TIFF, which Pillow turns."""
    if image.format == "TIFF":
        image.load()
    columns, rows = image.size
    return (rows, columns) if image.getexif().get(ORIENTATION) in LYING else (columns, rows)


def is_grey(image: Any) -> bool:
    return image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;16")


def may_be_transparent(image: Any) -> bool:
    """Whether an image has an alpha channel or a transparent colour; decodes nothing."""
    return image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info


def as_seen(image: Any) -> Any:
    """The image upright, and without transparency: whatever colours hide under it, white shows through."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image
    if not may_be_transparent(image):
        return upright
    grey = is_grey(image)
    layered = upright.convert("RGBA")
    white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layered).convert("L" if grey else "RGB")
