"""Recordings as sequences of samples, in every form that libsndfile reads under the suffixes below."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.reader import Array, Schema

FORMS = {
    ".wav": ("a wav file", ("WAV", "WAVEX", "RF64"), (b"RIFF", b"RF64", b"RIFX")),
    ".flac": ("a flac file", ("FLAC",), (b"fLaC", b"ID3")),
    ".ogg": ("an ogg file", ("OGG",), (b"OggS",)),
    ".oga": ("an ogg file", ("OGG",), (b"OggS",)),
    ".opus": ("an opus file", ("OGG",), (b"OggS",)),
    ".mp3": ("an mp3 file", ("MP3",), (b"ID3", b"\xff")),
    ".aif": ("an aiff file", ("AIFF",), (b"FORM",)),
    ".aiff": ("an aiff file", ("AIFF",), (b"FORM",)),
}
"""By suffix: what it is called, the library's names for it, and how it begins: the library would try anything."""

LARGEST_RECORDING = 2**30  # bytes of one recording's samples
BLOCK = 2**20  # samples that are decoded at once
MOST_UNEQUAL = 200_000  # of two rates, the larger over what divides both: the filter has 20 weights for each
MOST_SHOWN = 6  # rates that are named
UNKNOWN = 2**62  # samples of a flac file that does not say how many they are, or more
UNKNOWN_BYTES = 2**31 - 2**16  # from here on a program that wrote into a pipe did not know how many would come
WHOLE = {"PCM_24": ("int32", 1 / 2**16), "PCM_32": ("int32", 1 / 2**16)}
DEEP = ("FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")

_CUT = re.compile(r"^(?:data|SSND) *: ([0-9]+) \(should be ([0-9]+)\)", re.MULTILINE)


class Recordings:
    """Sound as (T, C) in the units of 16-bit samples: int16 where every file has at most 16 bits, else float32.

    All files must have one number of channels, else they are refused. They are read at one sampling rate: that of
    `like`, else `--rate`, else the commonest (the lower of two); others are resampled, as float32.
    """

    uses = frozenset({"rate"})

    def __init__(self, paths: Sequence[Path], options: ReadingOptions, like: Schema | None = None) -> None:
        deep = False
        first: int | None = None
        rates: Counter[int] = Counter()
        for path in paths:
            with _opened(path) as sound:
                channels = sound.channels
                rates[sound.samplerate] += 1
                deep = deep or _type_of(sound)[0] != "int16"
            first = first or channels
            if channels != first:
                raise InputError(
                    f"{path}: expected {_voices(first)} as in {paths[0]}, found {_voices(channels)}. Convert the files "
                    "to one form first."
                )
        assert first is not None
        known = None if like is None else like.rate
        rate = known or options.rate or min(rates, key=lambda one: (-rates[one], one))
        others = {one: number for one, number in sorted(rates.items()) if one != rate}
        self.schema = Schema(
            f"recordings, {_voices(first)}, {rate:,} Hz",
            "values",
            first,
            "float32" if deep or others else "int16",
            rate=rate,
            notes=(_resampled_note(others, rate),) if others else (),
        )
        if like is not None and like.channels != first:
            raise InputError(
                f"{paths[0]}: expected {like.description} as in training, found {self.schema.description}."
            )

    def read(self, path: Path) -> Array:
        parts: list[Array] = []
        left = LARGEST_RECORDING // 4
        with _opened(path) as sound:
            kind, unit = _type_of(sound)
            announced = sound.frames
            rate = sound.samplerate
            if sound.channels != self.schema.channels:
                raise InputError(f"{path}: expected {self.schema.channels} channels, found {sound.channels}.")
            try:
                while not parts or len(parts[-1]) == BLOCK:  # a header may announce anything
                    parts.append(sound.read(BLOCK, dtype=kind, always_2d=True))
                    left -= parts[-1].size
                    if left < 0:
                        raise InputError(
                            f"{path}: expected a recording of at most 1 GiB, found a longer one. Cut it up."
                        )
            except (RuntimeError, OSError) as error:
                raise InputError(f"{path}: expected a whole recording, found: {error}.") from error
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if len(samples) != announced < UNKNOWN:
            raise InputError(f"{path}: expected {announced:,} samples as its header says, found {len(samples):,}.")
        assert self.schema.rate is not None
        if unit == 1 and rate == self.schema.rate:
            return samples.astype(self.schema.dtype, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):  # not finite then, and refused as such
            samples = samples if unit == 1 else samples * unit
            if rate != self.schema.rate:
                samples = resampled(samples, rate, self.schema.rate, path)
            return samples.astype(self.schema.dtype, copy=False)


def resampled(samples: Array, rate: int, other: int, path: Path) -> Array:
    """Samples (T, C) at `rate` Hz as they are at another: (ceil(T * other / rate), C) float32.

    SciPy's polyphase filter, which keeps what both rates can hold. InputError for what would not fit into memory.
    """
    from scipy.signal import resample_poly

    common = math.gcd(rate, other)
    up, down = other // common, rate // common
    if max(up, down) > MOST_UNEQUAL or -(-samples.size * up // down) > LARGEST_RECORDING // 4:
        raise InputError(
            f"{path}: expected a recording that can be resampled to {other:,} Hz, found {len(samples):,} samples at "
            f"{rate:,} Hz. Convert it first."
        )
    return np.asarray(resample_poly(samples.astype(np.float32), up, down, axis=0), dtype=np.float32)


def _voices(channels: int) -> str:
    return "mono" if channels == 1 else f"{channels} channels"


def _resampled_note(others: Mapping[int, int], rate: int) -> str:
    found = ", ".join(f"{number:,} of {one:,} Hz" for one, number in list(others.items())[:MOST_SHOWN])
    more = " ..." if len(others) > MOST_SHOWN else ""
    return f"Resampled to {rate:,} Hz: {found}{more} (--rate says another)."


def _type_of(sound: Any) -> tuple[str, float]:
    """The type that holds what a file has, and what a number of it is in the units of 16-bit samples."""
    subtype = sound.subtype
    if subtype in DEEP:
        return "float32", 2.0**15
    return WHOLE.get(subtype, ("int16", 1))


def _opened(path: Path) -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise InputError(f"{path}: expected soundfile for sound. Install it: pip install 'auxrnn[audio]'") from error
    called, schemas, beginnings = FORMS[path.suffix.lower()]
    try:
        with open(path, "rb", buffering=0) as file:
            begin = file.read(4)
        if not begin.startswith(beginnings):
            raise InputError(f"{path}: expected {called}, found one that begins with {begin!r}.")
        sound = soundfile.SoundFile(path)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error
    except (RuntimeError, TypeError) as error:  # LibsndfileError
        raise InputError(f"{path}: expected {called}, found: {error}.") from error
    if sound.format not in schemas:
        sound.close()
        raise InputError(f"{path}: expected {called}, found one of {sound.format}.")
    cut = _CUT.search(sound.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < UNKNOWN_BYTES:
        announced = int(cut[1]) * sound.frames // max(int(cut[2]), 1)
        sound.close()
        raise InputError(f"{path}: expected {announced:,} samples as its header says, the file is shorter.")
    return sound
