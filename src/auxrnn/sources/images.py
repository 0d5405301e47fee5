"""Images as sequences of pixels: what all of a source have in common, and each one's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.pictures import as_seen, is_grey, may_be_transparent, opened_image, upright_size
from auxrnn.sources.reader import Array, Schema

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
TRANSPARENT = "Images with an alpha channel: what is transparent is laid over white."


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
