"""Read files to predict from as those of training were read. Labels are not needed and not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.archive import find_ts
from auxrnn.sources.arrays import find_arrays
from auxrnn.sources.collect import fill_missing, kept_steps
from auxrnn.sources.encodings import inner_suffix
from auxrnn.sources.file_lists import check_regular, is_file_list, known_files, listed_files
from auxrnn.sources.media import MEDIA, is_known, kind_of, medium_of
from auxrnn.sources.reader import Example, Schema
from auxrnn.sources.recognise import UNLABELLED, recognise
from auxrnn.sources.series import check_as_wide
from auxrnn.sources.stored import SequenceSet, is_set, open_set
from auxrnn.sources.tables import TABLE_SUFFIXES, open_table


def read_unlabelled(path: Path, schema: Schema, options: ReadingOptions) -> Iterator[Example]:
    """Read the sequences of a file, of all files in a folder, or of a stored set, as the training files were read.

    Parameters
    ----------
    path : Path
    schema, options
        Of the source that the model was trained on; columns have the names that they had there.

    Yields
    ------
    Example
        Without a label, missing values filled.

    Raises
    ------
    InputError
        For a sequence that is not of the schema of training, and where there are none.
    """
    if not path.exists():
        raise InputError(f"{path}: expected a file or folder to predict from, found nothing.")
    if is_set(path):
        examples = _stored(open_set(path))
    elif path.is_dir():
        files = known_files(path)[0]
        if not files:
            raise InputError(f"{path}: expected files to predict from, found none of a known kind.")
        if any(kind_of(file) in MEDIA for file in files):
            files = [file for file in files if kind_of(file) in MEDIA]
        examples = _files(files, schema, options)
    else:
        check_regular(path)
        examples = _file(path, schema, options)
    empty = True
    for example in examples:
        empty = False
        filled = _as_in_training(example, schema, options)
        if not len(filled.sequence):
            raise InputError(f"{example.where}: expected at least one step, got a sequence of length 0. Leave it out.")
        yield filled
    if empty:
        raise InputError(f"{path}: expected at least one sequence, found none.")


def read_without_label(path: Path, schema: Schema, options: ReadingOptions) -> Iterator[Example]:
    """The sequences of a labelled source that have no label themselves and are in no test split, empty ones left out.

    InputError where there are none.
    """
    empty = True
    for example in recognise(path, options).examples():
        if example.label is not None or example.split == "test":
            continue
        filled = _as_in_training(example, schema, options)
        if len(filled.sequence):
            empty = False
            yield filled
    if empty:
        raise InputError(f"{path}: expected rows without a label for --no_label learn, found none; leave it out.")


def _as_in_training(example: Example, schema: Schema, options: ReadingOptions) -> Example:
    """An example without its label, missing values filled; InputError where it is not of the schema of training."""
    if isinstance(example.sequence, str) != (schema.kind == "characters"):
        expected, found = ("a text", "numbers") if schema.kind == "characters" else ("numbers", "a text")
        raise InputError(f"{example.where}: expected {expected} as in training, found {found}.")
    if isinstance(example.sequence, str):
        return replace(example, label=None)
    steps, shape = example.sequence, (schema.channels,)
    if steps.shape[1:] != shape and steps.shape[:2] == schema.image_shape:
        steps = steps.reshape(len(steps) * steps.shape[1], -1)
    if steps.shape[1:] != shape:
        found = str(steps.shape[-1])
        if schema.image_shape is not None:
            found += " in {}; images have {} rows and {} columns".format(steps.shape, *schema.image_shape)
        raise InputError(f"{example.where}: expected {schema.channels} channels as in training, found {found}.")
    filled, _ = fill_missing(steps, options.missing, example.where, schema.channel_names)
    kept = kept_steps(steps) if len(filled) < len(steps) else None
    return replace(example, sequence=filled, label=None, kept=kept)


def _file(path: Path, schema: Schema, options: ReadingOptions) -> Iterator[Example]:
    suffix = inner_suffix(path)
    find = UNLABELLED.get(schema.columns.get("rows", ""))
    table = suffix in TABLE_SUFFIXES or (suffix == ".txt" and schema.kind == "values")
    table = table or (
        suffix == ".txt" and "text" in schema.columns and _is_table(path, options, schema.columns["text"])
    )
    if find is not None and table:
        like = options.with_columns(schema.columns)
        content = open_table(path, like)
        if like.rows == "series" and options.features is None:
            check_as_wide(content, like, labelled=False)
        return find(content, like, labelled=False).examples()
    if schema.columns.get("rows") == "files" and suffix in TABLE_SUFFIXES:
        listed = open_table(path, options)
        if is_file_list(listed, options):
            entries = listed_files(listed)
            if not entries:
                raise InputError(f"{path}: expected at least one sequence, found none.")
            medium = medium_of([entry.path for entry in entries], options, like=schema)
            return (Example(entry.where, medium.read(entry.path)) for entry in entries)
    if path.suffix.lower() in (".npz", ".npy") and "NumPy arrays of steps" not in schema.description:
        return find_arrays(path, labelled=False).examples()
    if is_known(path):
        return _files([path], schema, options)
    if suffix == ".ts":
        return find_ts([(path, None)], options.encoding, unlabelled=schema.channels).examples()
    raise InputError(
        f"{path}: expected a file like those of training ({schema.description}), "
        f"found one ending in {suffix or 'nothing'}."
    )


def _is_table(path: Path, options: ReadingOptions, text: str) -> bool:
    """Whether a .txt file is a table of texts: its first row names their column, or there are tabs, as no text has."""
    try:
        found = open_table(path, options)
    except InputError:
        return False
    return text in found.places and (found.header or found.delimiter == "\t") and len(found.columns) > 1


def _stored(content: SequenceSet) -> Iterator[Example]:
    for index in range(len(content)):
        sequence = content.text(index) if content.schema.kind == "characters" else content.sequence(index)
        yield Example(f"{content.source}, sequence {index}", sequence)


def _files(paths: list[Path], schema: Schema, options: ReadingOptions) -> Iterator[Example]:
    medium = medium_of(paths, options, like=schema)
    for path in paths:
        yield Example(str(path), medium.read(path))
