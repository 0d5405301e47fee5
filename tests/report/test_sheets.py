"""Sheets are PNG files in which the images can be found again."""

import numpy as np
import pytest

from auxrnn.report.sheets import draw_images, draw_texts


def pixels_of(path):
    image = pytest.importorskip("PIL.Image")
    with image.open(path) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened.convert("RGB"))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_in_lines_of_ten(tmp_path, channels):
    images = np.zeros((12, 4, 4, channels), dtype=np.uint8)
    draw_images(tmp_path / "a.png", {"": images}, [f"class_{n}" for n in range(12)], title="sheet", levels=17)
    black = (pixels_of(tmp_path / "a.png") < 5).all(-1)
    two, ten = black[:, : black.shape[1] // 5].mean(), black[: black.shape[0] // 2].mean()
    assert ten > 0.4  # a full line
    assert two > 0.4  # and a line with the two left


def test_two_forms_of_each_image(tmp_path):
    images = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    draw_images(tmp_path / "one.png", {"": images}, "abc", title="", levels=256)
    draw_images(tmp_path / "two.png", {"as read": images, "the image": images}, "abc", title="", levels=256)
    one, two = (pixels_of(tmp_path / f"{name}.png") for name in ("one", "two"))
    assert two.shape[0] > 1.5 * one.shape[0]


def test_texts_with_dollars_and_long_ones(tmp_path):
    draw_texts(tmp_path / "a", ["cost $5 and $6", "word " * 500], ["one", "two"], title="texts")
    assert (pixels_of(tmp_path / "a") < 100).any()
