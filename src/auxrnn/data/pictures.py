"""Opening an image file that may be anything: what is no whole image of a usual size is an InputError of one line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError


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
            with Image.open(path) as image:
                yield image
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{place}: expected an image of a usual size{at}, found: {error}") from error
    except Exception as error:  # of a broken file Pillow's decoders raise whatever happens to them
        raise InputError(
            f"{place}: expected an image that can be read{at}, found: {str(error) or type(error).__name__}."
        ) from error
