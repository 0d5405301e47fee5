"""Area averages against a slow loop in fractions, luminance against Pillow."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.resizing import fit_images, luminance, shrink


def slow_area(image, side):
    """Each new pixel by exact fractions of the old ones that it covers."""
    rows, columns, channels = image.shape
    made = np.empty((side, side, channels), dtype=np.uint8)
    for i, j, c in np.ndindex(side, side, channels):
        top, bottom = Fraction(i * rows, side), Fraction((i + 1) * rows, side)
        left, right = Fraction(j * columns, side), Fraction((j + 1) * columns, side)
        total = Fraction(0)
        for y in range(math.floor(top), math.ceil(bottom)):
            for x in range(math.floor(left), math.ceil(right)):
                part = (min(bottom, y + 1) - max(top, y)) * (min(right, x + 1) - max(left, x))
                total += part * int(image[y, x, c])
        made[i, j, c] = math.floor(total / ((bottom - top) * (right - left)) + Fraction(1, 2))
    return made


@pytest.mark.parametrize(("rows", "columns", "side"), [(8, 8, 4), (8, 8, 8), (7, 5, 3), (6, 9, 1), (10, 10, 7)])
def test_shrink_by_a_slow_loop(rows, columns, side):
    images = np.random.default_rng(0).integers(0, 256, (3, rows, columns, 2), dtype=np.uint8)
    assert np.array_equal(shrink(images, side), np.stack([slow_area(image, side) for image in images]))


def test_whole_factors_are_means_of_blocks_and_halves_go_up():
    image = np.array([[0, 1, 255, 255], [0, 1, 255, 255]], dtype=np.uint8).repeat(2, axis=0)[None, ..., None]
    assert shrink(image, 2)[0, :, :, 0].tolist() == [[1, 255], [1, 255]]


def test_images_are_not_enlarged():
    with pytest.raises(InputError, match=r"image_size of at most 4, got 5"):
        shrink(np.zeros((1, 4, 6, 1), dtype=np.uint8), 5)


def test_luminance_is_pillows():
    image = pytest.importorskip("PIL.Image")
    colours = np.random.default_rng(0).integers(0, 256, (4, 50, 60, 3), dtype=np.uint8)
    expected = [np.asarray(image.fromarray(picture).convert("L")) for picture in colours]
    assert np.array_equal(luminance(colours)[..., 0], np.stack(expected))


def test_a_set_keeps_its_labels_and_tells_what_was_done():
    colours = torch.randint(0, 256, (2, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([1, 0])
    data = SequenceData("set", InputSpec("pixels", 3), colours, labels, ("a", "b"), "noted", image_shape=(4, 4))
    small = fit_images(data, image_size=2, grey=True)
    assert small.spec == InputSpec("pixels", 1)
    assert small.image_shape == (2, 2)
    assert small.note == "noted, 2x2 by area averaging, grey"
    assert torch.equal(small.labels, labels)
    expected = shrink(luminance(colours.numpy().reshape(2, 4, 4, 3)), 2).reshape(2, 4, 1)
    assert small.inputs.tolist() == expected.tolist()
    assert fit_images(data) is data
