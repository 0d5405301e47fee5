"""Whatever is no whole image of a usual size is refused in one line; what a person does with it may raise its own."""

import warnings

import numpy as np
import pytest
from PIL import Image

from auxrnn.errors import InputError
from auxrnn.sources.images import as_seen, is_grey, may_be_transparent, opened_image, upright_size
from own_files import write_image


def test_the_image_is_pillows(tmp_path):
    path = write_image(tmp_path / "a.png", np.arange(6, dtype=np.uint8).reshape(2, 3))
    with opened_image(path) as image:
        assert np.asarray(image).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_fault_anywhere_is_told_with_its_place(tmp_path):
    path = write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    with (
        pytest.raises(InputError, match=r"a\.png: expected an image that can be read, found"),
        opened_image(path) as image,
    ):
        image.load()
    told = r"list, row 3: expected an image that can be read at .*a\.png, found"
    with pytest.raises(InputError, match=told), opened_image(path, "list, row 3") as image:
        image.load()
    with pytest.raises(InputError, match=r"none\.png: expected an image"), opened_image(tmp_path / "none.png"):
        pass


def test_an_odd_error_of_a_decoder_and_an_error_of_the_caller(tmp_path):
    path = write_image(tmp_path / "a.png", np.eye(3, dtype=np.uint8))
    with pytest.raises(InputError, match="found: KeyError"), opened_image(path):
        raise KeyError
    with pytest.raises(InputError, match=r"^mine$"), opened_image(path):
        raise InputError("mine")


def test_an_enormous_one_is_refused_and_warnings_stay_inside(tmp_path, monkeypatch):
    path = write_image(tmp_path / "a.png", np.zeros((20, 20), np.uint8))
    for most in (300, 100):  # Pillow warns above this and raises above twice as much
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(InputError, match="expected an image of a usual size"), opened_image(path):
            pass
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with opened_image(path):
        warnings.warn("of a broken file", stacklevel=1)


@pytest.mark.parametrize(
    ("mode", "grey", "transparent"),
    [
        ("1", True, False),
        ("L", True, False),
        ("I;16", True, False),
        ("LA", True, True),
        ("P", False, False),
        ("RGB", False, False),
        ("RGBA", False, True),
        ("CMYK", False, False),
    ],
)
def test_what_the_mode_of_an_image_says(mode, grey, transparent):
    image = Image.new(mode, (2, 2))
    assert (is_grey(image), may_be_transparent(image)) == (grey, transparent)


def test_an_image_as_it_is_seen(tmp_path):
    pixels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # held so that the stored picture is to be turned by 90 degrees to the right
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    with opened_image(tmp_path / "a.png") as image:
        assert (image.size, upright_size(image)) == ((3, 2), (2, 3))
        assert np.array_equal(np.asarray(as_seen(image)), [[4, 1], [5, 2], [6, 3]])


def test_previews_beside_a_photograph_are_no_frames(tmp_path):
    first = Image.new("RGB", (4, 4), (9, 9, 9))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    with opened_image(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
        assert np.asarray(image).max() == 9
