"""One file, one sequence: images, recordings, texts. What all files of a source have in common, and each one's numbers.

Nothing is guessed from a file's content: the suffix says what it is, and a file that is something else is refused.
"""

from __future__ import annotations

import struct
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from auxrnn.data.pictures import opened_image
from auxrnn.errors import InputError
from auxrnn.own.encodings import codec, encoding_hint
from auxrnn.own.rows import Array, Form
from auxrnn.reading import ReadingOptions

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
AUDIO_SUFFIXES = (".wav", ".flac")
DOCUMENT_SUFFIXES = (".txt", ".log", ".md")
LARGEST_DOCUMENT = LARGEST_RECORDING = 2**30  # bytes of one text, of one recording's samples
BLOCK = 2**20  # samples that are decoded at once
UNKNOWN = 2**62  # samples of a flac file that does not say how many they are, or more


class Medium(Protocol):
    """form: what every file gives. read: the sequence of one file; InputError where it is not of that form."""

    form: Form

    def read(self, path: Path) -> Array | str: ...


def medium_of(paths: Sequence[Path], options: ReadingOptions, like: Form | None = None) -> Medium:
    """Look into each of `paths`, all of one kind by their suffixes.

    like: the form that they must have, as a model was trained on; found from the files when left out.
    """
    suffixes = {kind_of(path): path for path in paths}
    if len(suffixes) > 1:
        (first, one), (second, other) = list(suffixes.items())[:2]
        raise InputError(f"Expected files of one kind, got {first} ({one}) and {second} ({other}).")
    kind = next(iter(suffixes))
    if kind == "images":
        return Images(paths, options, like)
    if kind == "recordings":
        return Recordings(paths, like)
    return Documents(options.encoding)


def kind_of(path: Path) -> str:
    """What a suffix says; InputError for an unknown one."""
    suffix = path.suffix.lower()
    for kind, suffixes in SUFFIXES.items():
        if suffix in suffixes:
            return kind
    known = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
    raise InputError(f"{path}: expected a file ending in {known}.")


SUFFIXES = {"images": IMAGE_SUFFIXES, "recordings": AUDIO_SUFFIXES, "texts": DOCUMENT_SUFFIXES}


class Images:
    """Images as their pixels row by row, (rows * columns, C) uint8: grey where all are grey, else RGB."""

    def __init__(self, paths: Sequence[Path], options: ReadingOptions, like: Form | None = None) -> None:
        self._size = options.image_size
        if like is not None and like.image_shape is not None:
            self._size = self._size or (like.image_shape[1], like.image_shape[0])
        grey = True
        first: tuple[tuple[int, int], Path] | None = None
        for path in paths:
            with opened_image(path) as image:
                size, mode = image.size, image.mode
                if not _is_known_depth(image):
                    raise InputError(
                        f"{path}: expected pixels of 8 or 16 bits, found 32 (mode {mode}). Convert the images first."
                    )
            grey = grey and (mode in ("1", "L", "I") or mode.startswith("I;16"))
            first = first or (size, path)
            if self._size is None and size != first[0]:
                raise InputError(
                    f"{path}: expected images of one size, found {size[0]}x{size[1]} here and "
                    f"{first[0][0]}x{first[0][1]} in {first[1]}. Scale them all: --size {first[0][0]}x{first[0][1]}"
                )
        assert first is not None
        columns, rows = self._size or first[0]
        if like is not None:
            grey = like.channels == 1
        self._mode = "L" if grey else "RGB"
        scaled = f"scaled to {columns}x{rows}" if self._size else f"{columns}x{rows}"
        self._shape = (columns, rows)
        self.form = Form(
            f"{'grey' if grey else 'RGB'} images, {scaled}", "pixels", 1 if grey else 3, "uint8", (), (rows, columns)
        )

    def read(self, path: Path) -> Array:
        with opened_image(path) as image:
            if image.size != self._shape and self._size is None:
                columns, rows = self._shape
                raise InputError(
                    f"{path}: expected an image of {columns}x{rows}, found {image.size[0]}x{image.size[1]}."
                )
            converted = _eight_bits(image).convert(self._mode)
            scaled = converted if converted.size == self._shape else converted.resize(self._shape)
            return np.asarray(scaled, dtype=np.uint8).reshape(-1, self.form.channels)


def _is_known_depth(image: Any) -> bool:
    """Whether a pixel has 8 or 16 bits: of 32 nobody says which value is white."""
    return image.mode != "F" and (image.mode != "I" or image.format == "PNG")  # which has no more than 16


def _eight_bits(image: Any) -> Any:
    """16-bit grey as 8-bit grey; Pillow alone would cut off at 255."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        from PIL import Image

        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


class Recordings:
    """Sound as (T, C) in the units of 16-bit samples: int16 where every file has at most 16 bits, else float32.

    All files must have one number of channels and one sampling rate, else they are refused.
    """

    def __init__(self, paths: Sequence[Path], like: Form | None = None) -> None:
        deep = False
        first: tuple[int, int] | None = None
        for path in paths:
            channels, rate, bits = _wave_header(path) if path.suffix.lower() == ".wav" else _flac_header(path)
            deep = deep or bits > 16
            first = first or (channels, rate)
            if (channels, rate) != first:
                raise InputError(
                    f"{path}: expected {first[0]} channels at {first[1]:,} Hz as in {paths[0]}, "
                    f"found {channels} at {rate:,} Hz. Convert the files to one form first."
                )
        assert first is not None
        self.form = Form(
            f"recordings, {'mono' if first[0] == 1 else f'{first[0]} channels'}, {first[1]:,} Hz",
            "values",
            first[0],
            "float32" if deep else "int16",
            rate=first[1],
        )
        if like is not None and (like.channels, like.rate) != first:
            raise InputError(f"{paths[0]}: expected {like.description} as in training, found {self.form.description}.")

    def read(self, path: Path) -> Array:
        samples = _read_wave(path) if path.suffix.lower() == ".wav" else _read_flac(path)
        if samples.shape[1] != self.form.channels:
            raise InputError(f"{path}: expected {self.form.channels} channels, found {samples.shape[1]}.")
        return samples.astype(self.form.dtype, copy=False)


def _wave_header(path: Path) -> tuple[int, int, int]:
    """(channels, sampling rate, bits)."""
    with _opened_wave(path) as sound:
        if sound.getsampwidth() not in (1, 2, 3, 4) or sound.getnchannels() < 1:
            raise InputError(f"{path}: expected PCM of 8, 16, 24 or 32 bits, found {8 * sound.getsampwidth()}.")
        return sound.getnchannels(), sound.getframerate(), 8 * sound.getsampwidth()


def _read_wave(path: Path) -> Array:
    """(T, C) in the units of 16-bit samples."""
    with _opened_wave(path) as sound:
        number, channels, width = sound.getnframes(), sound.getnchannels(), sound.getsampwidth()
        if number * channels * width > path.stat().st_size:
            raise InputError(f"{path}: expected {number:,} samples as its header says, the file is shorter.")
        data = sound.readframes(number)
    if len(data) != number * channels * width:
        raise InputError(f"{path}: expected {number:,} samples as its header says, found fewer.")
    if width == 1:
        samples: Array = (np.frombuffer(data, np.uint8).astype(np.int16) - 128) * np.int16(256)
    elif width == 2:
        samples = np.frombuffer(data, "<i2")
    elif width == 3:
        bytes_ = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(bytes_), 4), np.uint8)
        wide[:, 1:] = bytes_
        samples = wide.reshape(-1).view("<i4") / 2**16
    else:
        samples = np.frombuffer(data, "<i4") / 2**16
    return samples.reshape(-1, channels)


def _opened_wave(path: Path) -> wave.Wave_read:
    try:
        return wave.open(str(path), "rb")
    except (wave.Error, EOFError, RuntimeError, struct.error) as error:  # RuntimeError: a chunk longer than the file
        raise InputError(f"{path}: expected a wav file of PCM samples, found: {str(error) or 'its end'}.") from error
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error


def _flac_header(path: Path) -> tuple[int, int, int]:
    with _opened_sound(path) as sound:
        bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}.get(sound.subtype, 32)
        return sound.channels, sound.samplerate, bits


def _read_flac(path: Path) -> Array:
    """(T, C) in the units of 16-bit samples."""
    parts, left = [], LARGEST_RECORDING // 4
    with _opened_sound(path) as sound:
        announced = sound.frames
        try:
            while len(part := sound.read(BLOCK, dtype="int32", always_2d=True)):  # the header may announce anything
                parts.append(part)
                left -= part.size
                if left < 0:
                    raise InputError(f"{path}: expected a recording of at most 1 GiB, found a longer one. Cut it up.")
        except (RuntimeError, OSError) as error:
            raise InputError(f"{path}: expected a whole flac file, found: {error}.") from error
    samples = np.concatenate(parts) if parts else np.empty((0, 1), np.int32)
    if len(samples) != announced < UNKNOWN:
        raise InputError(f"{path}: expected {announced:,} samples as its header says, found {len(samples):,}.")
    return samples / 2**16


def _opened_sound(path: Path) -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise InputError(f"{path}: expected soundfile for flac. Install it: pip install 'auxrnn[audio]'") from error
    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin[:3] != b"ID3" and begin != b"fLaC":  # the library would try any other form of sound on it
            raise InputError(f"{path}: expected a flac file, found one that begins with {begin!r}.")
        sound = soundfile.SoundFile(path)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error
    except RuntimeError as error:  # LibsndfileError
        raise InputError(f"{path}: expected a flac file, found: {error}.") from error
    if sound.format != "FLAC":
        sound.close()
        raise InputError(f"{path}: expected a flac file, found one of {sound.format}.")
    return sound


class Documents:
    """A text file a sequence, by characters."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self.form = Form("text files", "characters", dtype="uint16")

    def read(self, path: Path) -> str:
        try:
            if path.stat().st_size > LARGEST_DOCUMENT:
                raise InputError(f"{path}: expected a text of at most 1 GiB, found {path.stat().st_size:,} bytes.")
            return path.read_text(encoding=codec(self._encoding))
        except UnicodeError as error:
            raise InputError(
                f"{path}: expected text in {self._encoding}, found other bytes ({error.args[-1]}). "
                f"{encoding_hint(path)}"
            ) from error
        except OSError as error:
            raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error
