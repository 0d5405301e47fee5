"""Sheets are PNG files in which the images and lines can be found again."""

import itertools

import numpy as np
import pytest

from auxrnn.report.drawing import MOST_POINTS, outline
from auxrnn.report.sheets import sheet_of_images, sheet_of_lines, sheet_of_texts


def pixels_of(path):
    image = pytest.importorskip("PIL.Image")
    with image.open(path) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened.convert("RGB"))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_in_lines_of_ten(tmp_path, channels):
    images = np.zeros((12, 4, 4, channels), dtype=np.uint8)
    sheet_of_images(tmp_path / "a.png", {"": images}, [f"class_{n}" for n in range(12)], title="sheet", levels=17)
    black = (pixels_of(tmp_path / "a.png") < 5).all(-1)
    two, ten = black[:, : black.shape[1] // 5].mean(), black[: black.shape[0] // 2].mean()
    assert ten > 0.4  # a full line
    assert two > 0.4  # and a line with the two left


def test_two_forms_of_each_image(tmp_path):
    images = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    sheet_of_images(tmp_path / "one.png", {"": images}, "abc", title="", levels=256)
    sheet_of_images(tmp_path / "two.png", {"as read": images, "the image": images}, "abc", title="", levels=256)
    one, two = (pixels_of(tmp_path / f"{name}.png") for name in ("one", "two"))
    assert two.shape[0] > 1.5 * one.shape[0]


def test_texts_with_dollars_and_long_ones(tmp_path):
    sheet_of_texts(tmp_path / "a", ["cost $5 and $6", "word " * 500], ["one", "two"], title="texts")
    assert (pixels_of(tmp_path / "a") < 100).any()


def test_a_long_line_keeps_its_extremes():
    short = np.arange(5.0)
    assert [part.tolist() for part in outline(short)] == [[0, 1, 2, 3, 4], short.tolist()]
    line = np.random.default_rng(0).normal(size=10 * MOST_POINTS + 7)
    line[[3, 9_999]] = 50, -50
    steps, ends = outline(line)
    assert len(steps) == len(ends) == 2 * MOST_POINTS
    bounds = [*steps[::2].tolist(), len(line)]
    stretches = [line[start:stop] for start, stop in itertools.pairwise(bounds)]
    assert ends.tolist() == [end for stretch in stretches for end in (stretch.min(), stretch.max())]


@pytest.mark.parametrize("channels", [1, 2, 30])
def test_lines_of_unequal_lengths_one_of_them_constant(tmp_path, channels):
    sequences = [np.zeros((1, channels)), np.zeros((40, channels)), np.random.default_rng(0).random((9, channels))]
    sheet_of_lines(tmp_path / "a.png", sequences, ["a", "$b_c", "c"], title="lines")
    colours = {tuple(colour) for colour in pixels_of(tmp_path / "a.png").reshape(-1, 3).tolist()}
    assert ((31, 119, 180) in colours, (255, 127, 14) in colours) == (True, channels > 1)  # of the first two lines
