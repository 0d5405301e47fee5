"""Recordings against the numbers that were written."""

import struct

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources import sounds
from auxrnn.sources.media import medium_of
from own_files import write_wave

soundfile = pytest.importorskip("soundfile")


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
    assert medium.schema.dtype == "float32"
    assert [medium.read(path).tolist() for path in paths] == [[[5.0]], [[5.0]]]


def test_flac(tmp_path):
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


def test_recordings_must_have_one_number_of_channels(tmp_path):
    first = write_wave(tmp_path / "a.wav", [1, 2])
    other = write_wave(tmp_path / "c.wav", [1, 2], channels=2)
    with pytest.raises(InputError, match=r"c\.wav: expected mono as in .*a\.wav, found 2 channels"):
        medium_of([first, other], ReadingOptions())
    schema = medium_of([first], ReadingOptions()).schema
    with pytest.raises(InputError, match="mono, 8,000 Hz as in training, found recordings, 2 channels, 8,000 Hz"):
        medium_of([other], ReadingOptions(), like=schema)


# Resampling -----------------------------------------------------------------------------------------------------------


def tone(path, rate, seconds=1.0, hertz=440.0):
    """A sine of 10,000 at its highest, begun and ended softly, as 16-bit samples."""
    times = np.arange(round(rate * seconds)) / rate
    sound = 10_000 * np.sin(2 * np.pi * hertz * times) * np.sin(np.pi * times / seconds) ** 2
    return write_wave(path, np.round(sound).astype(int), rate=rate), sound


@pytest.mark.parametrize("rate", [11_025, 16_000, 44_100, 4000])
def test_a_recording_of_another_rate_is_the_same_sound_at_the_models(tmp_path, rate):
    """Against the sine itself at the times of the other rate, to the rounding of 16 bits."""
    schema = medium_of([tone(tmp_path / "a.wav", 8000)[0]], ReadingOptions()).schema
    other, _ = tone(tmp_path / "b.wav", rate)
    found = medium_of([other], ReadingOptions(), like=schema).read(other)
    _, sound = tone(tmp_path / "c.wav", 8000)
    assert found.shape == (8000, 1)
    assert found.dtype == np.float32
    assert np.abs(found[:, 0] - sound).max() < 25  # of 10,000


def test_what_the_lower_rate_cannot_hold_is_filtered_out(tmp_path):
    path, _ = tone(tmp_path / "a.wav", 16_000, hertz=6000.0)  # would fold to 2,000 Hz
    assert np.abs(read(path, rate=8000)).max() < 100
    assert len(read(path)) == 16_000


def test_the_commonest_rate_is_taken_and_told_and_the_lower_of_two(tmp_path):
    paths = [tone(tmp_path / f"{index}.wav", rate)[0] for index, rate in enumerate([16_000, 16_000, 8000, 22_050])]
    schema = medium_of(paths, ReadingOptions()).schema
    assert (schema.rate, schema.dtype) == (16_000, "float32")
    assert schema.notes == ("Resampled to 16,000 Hz: 1 of 8,000 Hz, 1 of 22,050 Hz (--rate says another).",)
    assert medium_of(paths[1:3], ReadingOptions()).schema.rate == 8000
    assert medium_of(paths, ReadingOptions(rate=4000)).schema.rate == 4000
    alike = medium_of(paths[:2], ReadingOptions()).schema
    assert (alike.rate, alike.dtype, alike.notes) == (16_000, "int16", ())


def test_what_would_not_fit_is_refused(tmp_path, monkeypatch):
    path = write_wave(tmp_path / "a.wav", [1, 2], rate=2**31 - 1)
    with pytest.raises(
        InputError, match=r"a\.wav: expected a recording that can be resampled to 8,000 Hz, found 2 sam"
    ):
        read(path, rate=8000)
    monkeypatch.setattr(sounds, "LARGEST_RECORDING", 4 * 150)
    path = write_wave(tmp_path / "b.wav", range(100))
    assert len(read(path)) == 100
    with pytest.raises(InputError, match=r"resampled to 16,000 Hz, found 100 samples at 8,000 Hz\. Convert it first"):
        read(path, rate=16_000)


def test_flac_that_is_another_form_of_sound_or_cut_short(tmp_path):
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
    path = tmp_path / "a.flac"
    samples = np.random.default_rng(0).integers(-9, 9, (1000, 2), dtype=np.int16)
    soundfile.write(path, samples, 8000)
    monkeypatch.setattr(sounds, "BLOCK", 64)
    assert np.array_equal(medium_of([path], ReadingOptions()).read(path), samples)
    monkeypatch.setattr(sounds, "LARGEST_RECORDING", 1000)
    with pytest.raises(InputError, match="at most 1 GiB"):
        medium_of([path], ReadingOptions()).read(path)


def wave_of(path, data, *, kind=1, bits=16, announced=None, extension=b""):
    """A wav file by hand, as the format's description has it."""
    schema = struct.pack("<HHIIHH", kind, 1, 8000, 8000 * bits // 8, bits // 8, bits) + extension
    size = len(data) if announced is None else announced
    path.write_bytes(
        b"RIFF"
        + struct.pack("<I", min(size + 36, 2**32 - 1))
        + b"WAVEfmt "
        + struct.pack("<I", len(schema))
        + schema
        + b"data"
        + struct.pack("<I", size)
        + data
    )
    return path


PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def test_extensible(tmp_path):
    extension = struct.pack("<HHI", 22, 16, 4) + PCM_GUID
    path = wave_of(tmp_path / "a.wav", np.int16([1, -2, 3]).tobytes(), kind=0xFFFE, extension=extension)
    found = read(path)
    assert (found[:, 0].tolist(), found.dtype) == ([1, -2, 3], np.int16)


@pytest.mark.parametrize(("dtype", "bits"), [("<f4", 32), ("<f8", 64)])
def test_floats_in_the_units_of_16_bits(tmp_path, dtype, bits):
    path = wave_of(tmp_path / "a.wav", np.array([0.5, -1, 1.5], dtype).tobytes(), kind=3, bits=bits)
    found = read(path)
    assert (found[:, 0].tolist(), found.dtype) == ([16384, -32768, 49152], np.float32)


@pytest.mark.parametrize("announced", [0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_sizes_that_a_program_before_a_pipe_did_not_know(tmp_path, announced):
    assert read(wave_of(tmp_path / "a.wav", np.int16([1, 2]).tobytes(), announced=announced))[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("suffix", "form", "subtype"),
    [
        (".ogg", "OGG", "VORBIS"),
        (".opus", "OGG", "OPUS"),
        (".mp3", "MP3", "MPEG_LAYER_III"),
        (".aiff", "AIFF", "PCM_16"),
        (".wav", "WAV", "ULAW"),
        (".wav", "RF64", "PCM_24"),
    ],
)
def test_other_forms(tmp_path, suffix, form, subtype):
    wave = np.sin(np.arange(48_000) / 20) / 2
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, wave, 48_000, format=form, subtype=subtype)
    found = read(path)
    assert len(found) == 48_000
    assert np.abs(found[:, 0] / 2**15 - wave).mean() < 0.02


def test_a_suffix_that_says_something_else(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(10), 8000)
    for name in ("a.ogg", "a.flac", "a.aiff"):
        (tmp_path / name).write_bytes((tmp_path / "a.wav").read_bytes())
        with pytest.raises(InputError, match=rf"{name}: expected an? \w+ file, found one that begins with b'RIFF'"):
            read(tmp_path / name)


def test_floats_beyond_any_sound_are_no_numbers(tmp_path):
    found = read(wave_of(tmp_path / "a.wav", np.array([3e38, np.nan], "<f4").tobytes(), kind=3, bits=32))
    assert np.isinf(found[0, 0])
    assert np.isnan(found[1, 0])
