"""Images against the pixels that were written, as people see them."""

import numpy as np
import pytest
from PIL import Image

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.media import medium_of
from own_files import write_image


def read(path, **given):
    return medium_of([path], ReadingOptions(**given)).read(path)


def test_grey_pixels_row_by_row(tmp_path):
    pixels = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
    path = write_image(tmp_path / "a.png", pixels)
    medium = medium_of([path], ReadingOptions())
    assert medium.read(path).tolist() == pixels.reshape(-1, 1).tolist()
    assert (medium.schema.kind, medium.schema.channels, medium.schema.image_shape) == ("pixels", 1, (2, 3))


def test_one_coloured_image_makes_all_coloured(tmp_path):
    grey = write_image(tmp_path / "a.png", np.full((2, 2), 9, np.uint8))
    red = write_image(tmp_path / "b.png", np.tile(np.array([255, 0, 0], np.uint8), (2, 2, 1)))
    medium = medium_of([grey, red], ReadingOptions())
    assert medium.read(grey).tolist() == [[9, 9, 9]] * 4
    assert medium.read(red).tolist() == [[255, 0, 0]] * 4


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    path = write_image(tmp_path / "a.png", np.array([[0, 256 * 77, 65535]], np.uint16))
    assert read(path)[:, 0].tolist() == [0, 77, 255]


def test_images_of_two_sizes_need_one(tmp_path):
    paths = [write_image(tmp_path / f"{n}.png", np.full((n, 2), 9, np.uint8)) for n in (2, 3)]
    with pytest.raises(InputError, match=r"3\.png: expected images of one size.*--size 2x2"):
        medium_of(paths, ReadingOptions())
    medium = medium_of(paths, ReadingOptions(size="4x1"))
    assert [medium.read(path).tolist() for path in paths] == [[[9]] * 4] * 2


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"not an image"])
def test_broken_images(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: expected an image"):
        read(path)


def test_an_image_cut_short(tmp_path):
    path = write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="expected an image that can be read"):
        read(path)


def test_an_enormous_image(tmp_path, monkeypatch):
    from PIL import Image

    path = write_image(tmp_path / "a.png", np.zeros((20, 20), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with pytest.raises(InputError, match="expected an image of a usual size"):
        read(path)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_32_bits_are_refused(tmp_path, dtype):
    write_image(tmp_path / "a.tif", np.ones((2, 2), dtype))
    with pytest.raises(InputError, match=r"a\.tif: expected pixels of 8 or 16 bits, found 32"):
        medium_of([tmp_path / "a.tif"], ReadingOptions())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_in_every_form(tmp_path, suffix):
    write_image(tmp_path / f"a{suffix}", np.array([[0, 256], [65535, 511]], np.uint16))
    medium = medium_of([tmp_path / f"a{suffix}"], ReadingOptions())
    assert medium.read(tmp_path / f"a{suffix}").tolist() == [[0], [1], [255], [1]]


def save(path, image, **options):
    image.save(path, **options)
    return path


PIXELS = np.arange(0, 180, 30, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_the_camera_was_held(tmp_path, orientation, suffix):
    """By the table of EXIF 2.3: where row 0 and column 0 of the stored pixels stand in the upright picture."""
    stored = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.T,
        6: np.rot90(PIXELS),
        7: PIXELS[::-1, ::-1].T,
        8: np.rot90(PIXELS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"a{suffix}", Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    medium = medium_of([path, write_image(tmp_path / "b.png", PIXELS)], ReadingOptions())
    assert medium.schema.image_shape == (2, 3)
    assert medium.read(path)[:, 0].tolist() == PIXELS.reshape(-1).tolist()


def test_white_shows_through(tmp_path):
    hidden = np.array([[[255, 0, 0, 0], [255, 0, 0, 255], [0, 0, 0, 128]]], np.uint8)
    path = save(tmp_path / "a.png", Image.fromarray(hidden, "RGBA"))
    medium = medium_of([path], ReadingOptions())
    assert medium.read(path).tolist() == [[255, 255, 255], [255, 0, 0], [127, 127, 127]]
    assert medium.schema.notes == ("Images with an alpha channel: what is transparent is laid over white.",)
    grey = save(tmp_path / "b.png", Image.fromarray(np.array([[[9, 0], [9, 255]]], np.uint8), "LA"))
    assert read(grey).tolist() == [[255], [9]]
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    assert read(save(tmp_path / "c.gif", palette, transparency=0)).tolist() == [[255, 255, 255], [0, 0, 255]]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_several_frames_are_asked_about(tmp_path, suffix):
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (0, 200)]
    path = save(tmp_path / f"a{suffix}", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"a\..*: expected one image, found several frames or pages"):
        read(path)
    assert read(save(tmp_path / f"b{suffix}", frames[0])).shape[0] == 16
