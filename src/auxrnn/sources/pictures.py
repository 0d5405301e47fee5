"""Opening an image file that may be anything: what is no whole image of a usual size is an InputError of one line.

An image counts as people see it: upright as its camera says, what is transparent over white.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError

ORIENTATION = 0x0112
"""EXIF's number of how a camera was held."""
LYING = (5, 6, 7, 8)


@contextmanager
def opened_image(path: Path, where: str = "") -> Iterator[Any]:
    """The Pillow image in a file; it is to be decoded inside, for a fault may lie anywhere in it.

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
