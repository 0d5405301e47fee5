"""Small files of every form that can be one's own, written for tests."""

import wave
from pathlib import Path

import numpy as np


def write_csv(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def write_wave(path: Path, samples, *, width: int = 2, channels: int = 1, rate: int = 8000) -> Path:
    """samples: whole numbers as they stand in the file, (T * channels,)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(int(s).to_bytes(width, "little", signed=width > 1) for s in samples)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(data)
    return path


def write_image(path: Path, pixels) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path)
    return path


def write_texts(folder: Path, number: int = 6, name: str = "texts.csv") -> Path:
    """A table of texts: class `up` rises through the alphabet, `down` falls."""
    rows = [
        f"{'abcdef'[: i % 5 + 1] if i % 2 else 'fedcba'[: i % 5 + 1]},{'up' if i % 2 else 'down'}"
        for i in range(number)
    ]
    return write_csv(folder / name, "text,label", *rows)


def write_long_form(folder: Path, number: int = 6, name: str = "steps.csv") -> Path:
    """A long-form table: sequence i has i % 3 + 2 steps of channels a = i + t / 10, b = -a."""
    rows = [
        f"{i},{t},{i + t / 10},{-(i + t / 10)},{'odd' if i % 2 else 'even'}"
        for i in range(number)
        for t in range(i % 3 + 2)
    ]
    return write_csv(folder / name, "id,time,a,b,label", *rows)


def changed(path, start, stop, content=b""):
    """The file with some of its bytes replaced."""
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + content + whole[stop:])
    return path
