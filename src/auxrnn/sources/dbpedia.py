"""DBpedia's ontology classes as characters: official CSV rows of class 1 to 14, title and content.

The content alone is read, in training and test alike, for some copies lack the titles of one of the two. The paper is
silent on this, on the vocabulary and on any cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.archives import find_unpacked, provide_unpacked
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.delimited import Dialect
from auxrnn.sources.options import DataOptions
from auxrnn.sources.presets import DBPEDIA_ARCHIVE, PublishedSplit
from auxrnn.sources.splits import choose
from auxrnn.sources.vocabulary import encode, learn_characters, vocabulary_size

CLASSES = (
    "Company",
    "EducationalInstitution",
    "Artist",
    "Athlete",
    "OfficeHolder",
    "MeanOfTransportation",
    "Building",
    "NaturalPlace",
    "Village",
    "Animal",
    "Plant",
    "Album",
    "Film",
    "WrittenWork",
)
ARCHIVE_FOLDER = "dbpedia_csv"
NAMES = ("train.csv", "test.csv")
FIELDS = 3

Rows = tuple[list[int], list[str]]  # labels from 0, contents


def find_folder(data_folder: Path) -> Path | None:
    """The folder with both CSV files: `dbpedia` in the data folder, or the archive's own below it."""
    return find_unpacked(data_folder / "dbpedia", ARCHIVE_FOLDER, NAMES)


def read_split(split: str, data_folder: Path, *, download: bool = True) -> Rows:
    """Labels 0..13 and contents of one split, unpacked from the archive, which is downloaded first if need be."""
    folder = provide_unpacked(DBPEDIA_ARCHIVE, data_folder, "dbpedia", ARCHIVE_FOLDER, NAMES, download=download)
    path = folder / f"{split}.csv"
    rows = list(read_rows(path))
    if not rows:
        raise InputError(f"{path}: expected rows of class, title and content, found none.")
    return [label for label, _ in rows], [content for _, content in rows]


def read_rows(path: Path) -> Iterator[tuple[int, str]]:
    """(label from 0, content) of each row; InputError with file and row for anything else."""
    classes = {str(number): number - 1 for number in range(1, len(CLASSES) + 1)}
    for number, row in Dialect(path, "utf-8", ",").rows():
        where = f"{path}, row {number:,}"
        if len(row) != FIELDS:
            raise InputError(f"{where}: expected {FIELDS} fields (class, title, content), found {len(row)}.")
        label = classes.get(row[0])
        if label is None:
            raise InputError(f"{where}: expected a class from 1 to {len(CLASSES)}, found {row[0][:40]!r}.")
        if not row[2]:
            raise InputError(f"{where}: expected a content of at least one character, found none.")
        yield label, row[2]


def load_dbpedia(train: Rows, test: Rows, options: DataOptions, seed: int) -> TrainTest:
    """Both splits as sequences of characters.

    The vocabulary is every character of the training contents that are kept, or the most frequent
    `options.max_vocabulary` of them; any other is unknown. Cuts and unknown characters are told in the remarks.
    """
    train = _chosen(train, options, "train", seed)
    test = _chosen(test, options, "test", seed)
    remarks = []
    if options.max_length is not None:
        longer = [sum(len(text) > options.max_length for text in texts) for _, texts in (train, test)]
        remarks.append(
            f"texts longer than {options.max_length:,} characters are cut there: {longer[0]:,} of {len(train[1]):,} "
            f"to train, {longer[1]:,} of {len(test[1]):,} to test"
        )
        train, test = (([*labels], [text[: options.max_length] for text in texts]) for labels, texts in (train, test))
    characters = learn_characters(train[1], options.max_vocabulary)
    sets = [_as_set(rows, characters, options) for rows in (train, test)]
    unknown = [_share_unknown(data) for data in sets]
    remarks.append(
        f"{len(characters):,} characters are known; {unknown[0]:.3%} of the training text and {unknown[1]:.3%} of the "
        "test text are others, all one number"
    )
    return TrainTest(sets[0], sets[1], tuple(remarks))


def _chosen(rows: Rows, options: DataOptions, split: PublishedSplit, seed: int) -> Rows:
    labels, texts = rows
    kept = choose(labels, options.limit_classes, options.limit(split), seed, option=f"--limit_{split}")
    if kept is None:
        return rows
    return [labels[index] for index in kept.tolist()], [texts[index] for index in kept.tolist()]


def _as_set(rows: Rows, characters: str, options: DataOptions) -> SequenceData:
    return SequenceData(
        name="dbpedia",
        spec=InputSpec("characters", vocabulary_size(characters)),
        inputs=[torch.from_numpy(encode(text, characters)) for text in rows[1]],
        labels=torch.tensor(rows[0], dtype=torch.int64),
        classes=CLASSES[: options.limit_classes],
        note="" if options.max_length is None else f"cut at {options.max_length:,} characters",
        characters=characters,
    )


def _share_unknown(data: SequenceData) -> float:
    unknown = sum(int((sequence == 0).sum()) for sequence in data.inputs)
    return unknown / max(int(data.lengths.sum()), 1)
