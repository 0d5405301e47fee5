"""Real files as people have them, laid out for `results/own-data.md`:

    python benchmarks/own_data.py OUT --recordings fsdd/recordings --mnist mnist --dbpedia dbpedia_csv.tar.gz

From the Free Spoken Digit Dataset, the four files of MNIST and the archive of DBpedia; OUT is a new folder:

```
spoken/train/7/7_theo_23.wav   recordings, one subfolder a class; index 0 to 4 of each digit and speaker are the test
bands_TRAIN.ts, bands_TEST.ts  the same as 13 log energies a frame of 20 ms, UCR/UEA format, unequal lengths
voices.csv                     the same as a long-form table, one frame a row; the label is who speaks
frames.npz                     the same, 80 samples a step
articles.csv                   a text and its topic a row
numbers/train/3/00007.png      images, one subfolder a class
```
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import sys
import tarfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.sources.idx import read_idx

FRAME = 160  # samples, 20 ms at 8 kHz
BANDS = 13
STEP = 80  # samples in a step of frames.npz
TEST_INDICES = range(5)  # of each digit and speaker: the set's usual test split
IMAGES = {"train": 6000, "test": 1000}

Array = npt.NDArray[Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    for name in ("--recordings", "--mnist", "--dbpedia"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True)
    recordings = sorted(options.recordings.glob("*.wav"))
    write_folder(recordings, out / "spoken")
    write_ts(recordings, out)
    write_table(recordings, out / "voices.csv")
    write_frames(recordings, out / "frames.npz")
    write_articles(options.dbpedia, out / "articles.csv")
    write_images(options.mnist, out / "numbers")
    return 0


def parts_of(recording: Path) -> tuple[str, str, str]:
    """Digit, speaker, and the split it belongs to."""
    digit, speaker, index = recording.stem.split("_")
    return digit, speaker, "test" if int(index) in TEST_INDICES else "train"


def samples_of(recording: Path) -> Array:
    """(samples,) between -1 and 1."""
    with wave.open(str(recording)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15


def bands_of(recording: Path) -> Array:
    """(frames, BANDS): the logarithm of the energy in bands of equal width up to 4 kHz."""
    samples = samples_of(recording)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) * np.hanning(FRAME)
    energies = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2
    return np.log10(np.stack([band.sum(1) for band in np.array_split(energies, BANDS, axis=1)], 1) + 1e-8)


def write_folder(recordings: list[Path], out: Path) -> None:
    for recording in recordings:
        digit, _, split = parts_of(recording)
        folder = out / split / digit
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recording, folder / recording.name)


def write_ts(recordings: list[Path], out: Path) -> None:
    for split in ("train", "test"):
        with open(out / f"bands_{split.upper()}.ts", "w", encoding="utf-8") as file:
            file.write("@problemName SpokenDigits\n@univariate false\n@equalLength false\n")
            file.write(f"@dimensions {BANDS}\n@classLabel true {' '.join('0123456789')}\n@data\n")
            for recording in recordings:
                digit, _, own = parts_of(recording)
                if own == split:
                    channels = bands_of(recording).round(4).T
                    file.write(":".join([*(",".join(map(str, row)) for row in channels.tolist()), digit]) + "\n")


def write_table(recordings: list[Path], out: Path) -> None:
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["recording", "second", *(f"band{band}" for band in range(BANDS)), "speaker", "split"])
        for recording in recordings:
            _, speaker, split = parts_of(recording)
            for index, row in enumerate(bands_of(recording).round(4).tolist()):
                writer.writerow([recording.stem, round(index * FRAME / 8000, 3), *row, speaker, split])


def write_frames(recordings: list[Path], out: Path) -> None:
    arrays: dict[str, Array] = {}
    for split in ("train", "test"):
        chosen = [recording for recording in recordings if parts_of(recording)[2] == split]
        steps = [samples_of(recording) for recording in chosen]
        steps = [samples[: len(samples) // STEP * STEP].reshape(-1, STEP) for samples in steps]
        lengths = np.array([len(sequence) for sequence in steps])
        padded = np.zeros((len(steps), lengths.max(), STEP), np.float32)
        for row, sequence in zip(padded, steps, strict=True):
            row[: len(sequence)] = sequence
        labels = np.array([int(parts_of(recording)[0]) for recording in chosen])
        arrays |= {f"X_{split}": padded, f"y_{split}": labels, f"lengths_{split}": lengths}
    np.savez_compressed(out, **arrays)


def write_articles(archive: Path, out: Path) -> None:
    with tarfile.open(archive) as tar:
        names = {Path(member.name).name: member for member in tar if member.isfile()}

        def lines(name: str) -> Iterator[str]:
            content = tar.extractfile(names[name])
            assert content is not None
            yield from io.TextIOWrapper(content, encoding="utf-8", newline="")

        topics = [line.strip() for line in lines("classes.txt")]
        with open(out, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "topic", "split"])
            for split in ("train", "test"):
                for topic, _, text in csv.reader(lines(f"{split}.csv")):
                    writer.writerow([text.strip(), topics[int(topic) - 1], split])


def write_images(folder: Path, out: Path) -> None:
    from PIL import Image

    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 3)
        labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 1)
        for index in range(IMAGES[split]):
            place = out / split / str(labels[index])
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(images[index])).save(place / f"{index:05}.png")


if __name__ == "__main__":
    sys.exit(main())
