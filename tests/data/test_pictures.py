"""Whatever is no whole image of a usual size is refused in one line; what a person does with it may raise its own."""

import warnings

import numpy as np
import pytest
from PIL import Image

from auxrnn.data.pictures import opened_image
from auxrnn.errors import InputError
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
