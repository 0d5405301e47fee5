"""Images, recordings and texts against the numbers that were written."""

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.own import sounds
from auxrnn.own.media import medium_of
from auxrnn.reading import ReadingOptions
from own_files import write_image, write_wave


def read(path, **given):
    return medium_of([path], ReadingOptions(**given)).read(path)


@pytest.mark.parametrize(
    ("width", "samples", "expected", "dtype"),
    [
        (1, [0, 128, 255], [-32768, 0, 32512], "int16"),
        (2, [-32768, 0, 32767], [-32768, 0, 32767], "int16"),
        (3, [-(2**23), 1, 2**23 - 1], [-32768, 1 / 256, 32767.99609375], "float32"),
        (4, [-(2**31), 65536], [-32768, 1], "float32"),
    ],
)
def test_samples_of_every_width_in_one_unit(tmp_path, width, samples, expected, dtype):
    path = write_wave(tmp_path / "a.wav", samples, width=width)
    found = read(path)
    assert found[:, 0].tolist() == expected
    assert found.dtype == dtype


def test_stereo_is_two_channels(tmp_path):
    assert read(write_wave(tmp_path / "a.wav", [1, 2, 3, 4], channels=2)).tolist() == [[1, 2], [3, 4]]


def test_files_of_two_widths_are_kept_in_the_finer_type(tmp_path):
    paths = [write_wave(tmp_path / "a.wav", [5]), write_wave(tmp_path / "b.wav", [256 * 5], width=3)]
    medium = medium_of(paths, ReadingOptions())
    assert medium.form.dtype == "float32"
    assert [medium.read(path).tolist() for path in paths] == [[[5.0]], [[5.0]]]


def test_flac(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "a.flac"
    soundfile.write(path, np.array([-32768, 7, 32767], np.int16), 8000)
    found = read(path)
    assert found[:, 0].tolist() == [-32768, 7, 32767]
    assert found.dtype == np.int16


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3 this is no wav", b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0"])
def test_broken_recordings(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.wav: expected a wav file"):
        read(path)
    pytest.importorskip("soundfile")
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.flac: expected a flac file"):
        read(path)


def test_a_recording_cut_short(tmp_path):
    path = write_wave(tmp_path / "a.wav", range(1000))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="expected 1,000 samples as its header says"):
        read(path)


def test_recordings_must_be_of_one_form(tmp_path):
    first = write_wave(tmp_path / "a.wav", [1, 2])
    for other in (write_wave(tmp_path / "b.wav", [1], rate=16000), write_wave(tmp_path / "c.wav", [1, 2], channels=2)):
        with pytest.raises(InputError, match=rf"{other.name}: expected 1 channels at 8,000 Hz as in .*a\.wav"):
            medium_of([first, other], ReadingOptions())
    form = medium_of([first], ReadingOptions()).form
    with pytest.raises(InputError, match="8,000 Hz as in training, found recordings, mono, 16,000 Hz"):
        medium_of([tmp_path / "b.wav"], ReadingOptions(), like=form)


def test_grey_pixels_row_by_row(tmp_path):
    pixels = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
    path = write_image(tmp_path / "a.png", pixels)
    medium = medium_of([path], ReadingOptions())
    assert medium.read(path).tolist() == pixels.reshape(-1, 1).tolist()
    assert (medium.form.kind, medium.form.channels, medium.form.image_shape) == ("pixels", 1, (2, 3))


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


def test_texts(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("größer\n", encoding="utf-8")
    assert read(path) == "größer\n"
    path.write_bytes("größer".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.txt: expected text in utf-8.*--encoding"):
        read(path)
    assert read(path, encoding="latin-1") == "größer"


def test_kinds_are_not_mixed(tmp_path):
    wav, text = write_wave(tmp_path / "a.wav", [1]), tmp_path / "b.txt"
    text.write_text("a")
    with pytest.raises(InputError, match=r"files of one kind, got recordings .* and texts"):
        medium_of([wav, text], ReadingOptions())
    with pytest.raises(InputError, match=r"b\.xyz: expected a file ending in \.png"):
        medium_of([tmp_path / "b.xyz"], ReadingOptions())


def test_flac_that_is_another_form_of_sound_or_cut_short(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 9000), 8000, format="OGG")
    with pytest.raises(InputError, match="expected a flac file, found one that begins with b'OggS'"):
        medium_of([path], ReadingOptions())
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 9000), 8000)
    medium = medium_of([path], ReadingOptions())
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InputError, match=r"a whole recording|as its header says"):
        medium.read(path)


def test_a_long_recording_is_read_in_blocks(tmp_path, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "a.flac"
    samples = np.random.default_rng(0).integers(-9, 9, (1000, 2), dtype=np.int16)
    soundfile.write(path, samples, 8000)
    monkeypatch.setattr(sounds, "BLOCK", 64)
    assert np.array_equal(medium_of([path], ReadingOptions()).read(path), samples)
    monkeypatch.setattr(sounds, "LARGEST_RECORDING", 1000)
    with pytest.raises(InputError, match="at most 1 GiB"):
        medium_of([path], ReadingOptions()).read(path)


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


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "U8"])
def test_a_mark_at_the_beginning_is_no_text(tmp_path, encoding):
    (tmp_path / "a.txt").write_text("abc", encoding="utf-8-sig")
    assert medium_of([tmp_path / "a.txt"], ReadingOptions(encoding=encoding)).read(tmp_path / "a.txt") == "abc"
