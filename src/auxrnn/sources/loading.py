"""Load a path for training: draw the test split, learn the preprocessing from the training split, prepare both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.collect import SPLIT_NUMBERS
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.findings import describe_findings, describe_preprocessing
from auxrnn.sources.importing import check_used_of_set, read_source
from auxrnn.sources.prepared import Indices, PreparedSequences, labels_at, learn_preprocessing
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.sources.reader import Schema
from auxrnn.sources.splits import limit_stratified, stratified_split
from auxrnn.sources.stored import SequenceSet, is_set, open_set, verify_values
from auxrnn.targets import Target

SPLIT_SEED = 0  # of the test split, whatever the run's own seed: all runs are measured on the same sequences


@dataclass(frozen=True)
class FileData:
    """Training and test sequences of a person's own files, and the preprocessing that made them. findings: lines to
    show before training. schema, options: what the source is and how it was read, for reading others like it.
    """

    sequences: TrainTest
    preprocessing: Preprocessing
    schema: Schema
    options: ReadingOptions
    findings: tuple[str, ...]

    @property
    def train(self) -> SequenceData:
        return self.sequences.train

    @property
    def test(self) -> SequenceData:
        return self.sequences.test


def open_source(path: Path, options: ReadingOptions, *, like: bool = False) -> SequenceSet:
    """A stored set mapped from the disk, anything else read into memory. like: as for `read_source`."""
    if not is_set(path):
        return read_source(path, options, like=like)
    if not like:
        check_used_of_set(path, options)
    stored = open_set(path)
    if options.target not in ("auto", stored.target.kind):
        raise InputError(
            f"{path}: expected --target {stored.target.kind} as it was imported with, got {options.target}; import it "
            "again for another."
        )
    return stored


def load_files(
    path: Path,
    options: ReadingOptions,
    *,
    limit_train: int | None = None,
    limit_test: int | None = None,
    validation_fraction: float = 0.0,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
    target: Target | None = None,
    other: bool = False,
) -> FileData:
    """Load the sequences of a file, a folder or a stored set, prepared for a network.

    The test split is the source's own, else `options.test_fraction` of each class drawn with a fixed seed.

    Parameters
    ----------
    path : Path
    options : ReadingOptions
        How the files are read.
    limit_train, limit_test : int, optional
        Keep so many sequences, by class.
    validation_fraction, seed
        What `stratified_split` takes off the training sequences before anything is learned from them.
    preprocessing : Preprocessing, optional
        Of a trained model; learned from the training sequences where None.
    target : Target, optional
        With the numbers that a model has learned; used where the labels are of that target.
    other : bool
        Whether these are other files than the model was trained on: they may lack some of its classes, and too few
        sequences to draw a split from are no fault.

    Returns
    -------
    FileData

    Raises
    ------
    InputError
        For files that cannot be used as the options say.
    """
    stored = open_source(path, options, like=preprocessing is not None)
    findings = describe_findings(stored)
    if other and target is not None:
        stored = _with_classes_of(target, stored)
    train, test, told = _split(stored, options, other)
    train = _limited(stored, train, limit_train, seed, "--limit_train")
    if not other or (limit_test is not None and limit_test < len(test)):
        test = _limited(stored, test, limit_test, seed, "--limit_test")
    if limit_train is not None or limit_test is not None:
        told += f"; limited to {len(train):,} and {len(test):,}"
    learned, _ = _held_out(stored, train, validation_fraction, seed)
    if preprocessing is None:
        preprocessing = learn_preprocessing(stored, learned)
    if target is None or (target.kind, target.names) != (stored.target.kind, stored.target.names):
        target = stored.target.fitted(labels_at(stored, learned), str(path))
    findings += [
        told,
        describe_preprocessing(stored, preprocessing.mean, preprocessing.scale, len(preprocessing.characters)),
    ]
    learn, judge, every = (
        _data(stored, indices, preprocessing, target, path) for indices in (train, test, np.arange(len(stored)))
    )
    drawn = not _names_a_test(stored)
    parts = TrainTest(learn, judge, drawn=drawn, whole=every if other and drawn else None)
    return FileData(parts, preprocessing, stored.schema, stored.options, tuple(findings))


def verify_files(path: Path, options: ReadingOptions) -> tuple[str, ...]:
    """Read every sequence as a training would, and say what is there; InputError at the first that cannot be used."""
    if is_set(path):
        verify_values(path)
    loaded = load_files(path, options)
    for part in (loaded.train, loaded.test):
        for index in range(len(part)):
            part.inputs[index]
    return loaded.findings


def _with_classes_of(target: Target, stored: SequenceSet) -> SequenceSet:
    """The set as one of a model's target, where it has some of the model's classes and no others."""
    alike = (target.one_class or target.per_step) and target.kind == stored.target.kind
    return stored.named(target) if alike and set(stored.target.names) < set(target.names) else stored


def _names_a_test(stored: SequenceSet) -> bool:
    return bool(np.isin(stored.splits, (SPLIT_NUMBERS["test"], SPLIT_NUMBERS["validation"])).any())


def _split(stored: SequenceSet, options: ReadingOptions, other: bool) -> tuple[Indices, Indices, str]:
    """Places of training and test sequences, and a line that says where the split comes from; other: as above."""
    parts = {name: np.flatnonzero(stored.splits == number) for name, number in SPLIT_NUMBERS.items()}
    train, validation, test = parts["train"], parts["validation"], parts["test"]
    if _names_a_test(stored):
        named = "test" if len(test) else "validation"
        if not len(train) and not other:
            raise InputError(f"{stored.source}: expected training sequences beside the {named} split, found none.")
        told = "the source's own" if len(test) else "the source's validation split, for it has no test split"
        if len(test) and len(validation):
            train = np.sort(np.concatenate([train, validation]))
            told += (
                f" ({len(validation):,} validation sequences are to train on, for --validation_fraction is cut anew)"
            )
        test = test if len(test) else validation
        absent = stored.target.absent(labels_at(stored, train), labels_at(stored, test))
        if absent is not None and not other:
            raise InputError(
                f"{stored.source}: expected every class of the {named} split in the training split too, "
                f"found {absent!r} in the {named} split alone."
            )
        return train, test, f"Test split: {told}, {len(train):,} to train and {len(test):,} to test"
    everything = train if len(train) else np.arange(len(stored))
    train, test = _held_out(stored, everything, options.test_fraction, SPLIT_SEED)
    if not len(test) and not other:
        raise InputError(
            f"{stored.source}: expected enough sequences for a test split of {options.test_fraction:g}, "
            f"got {len(everything)}. Take more with --test_fraction."
        )
    each = " of each class" if stored.target.one_class else ""
    cut = "" if options.window is None else "; neighbouring windows lie in both, which flatters the score"
    return (
        train,
        test,
        (
            f"Test split: none named (--split COLUMN would), so {options.test_fraction:.0%}{each}, "
            f"always the same: {len(train):,} to train and {len(test):,} to test{cut}"
        ),
    )


def _held_out(stored: SequenceSet, indices: Indices, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Of some sequences those that are kept, and those that are held out."""
    kept, other = stratified_split(stored.target.strata(labels_at(stored, indices)), fraction, seed)
    return indices[kept.numpy()], indices[other.numpy()]


def _limited(stored: SequenceSet, indices: Indices, number: int | None, seed: int, option: str) -> Indices:
    if number is None:
        return indices
    strata = stored.target.strata(labels_at(stored, indices))
    return indices[limit_stratified(strata, number, seed, option=option).numpy()]


def _data(
    stored: SequenceSet, indices: Indices, preprocessing: Preprocessing, target: Target, path: Path
) -> SequenceData:
    return SequenceData(
        str(path),
        preprocessing.spec,
        PreparedSequences(stored, indices, preprocessing),
        labels_at(stored, indices),
        target=target,
        image_shape=stored.schema.image_shape,
        characters=preprocessing.characters,
        rate=stored.schema.rate,
    )
