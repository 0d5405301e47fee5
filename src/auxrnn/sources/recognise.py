"""Find the reader for a path, or say in one line what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.archive import find_ts
from auxrnn.sources.arrays import find_arrays
from auxrnn.sources.class_folders import find_class_folder
from auxrnn.sources.columns import comes_again, id_column, numeric_columns, text_column, time_named
from auxrnn.sources.encodings import inner_suffix
from auxrnn.sources.file_lists import find_list_reader, is_file_list, visible_folders
from auxrnn.sources.longform import find_long_form_reader
from auxrnn.sources.reader import Example, Reader, Schema, Split
from auxrnn.sources.series import check_as_wide, find_series_reader, is_series
from auxrnn.sources.splits import split_within
from auxrnn.sources.tables import TABLE_SUFFIXES, Table, open_table
from auxrnn.sources.texts import find_text_reader

KNOWN = "CSV, TSV, JSON lines, Parquet, .npz, .npy, .ts, a folder with one subfolder a class, or a list of files"
ARCHIVE_SUFFIXES = (".ts", ".tsv", ".txt")
"""Of the UCR archive, whose ..._TRAIN and ..._TEST belong together."""

Finder = Callable[[Table, ReadingOptions], Reader]
FINDERS: dict[str, Finder] = {
    "files": find_list_reader,
    "steps": find_long_form_reader,
    "series": find_series_reader,
    "texts": find_text_reader,
}
"""By what a row of a table is."""

UNLABELLED: dict[str, Callable[..., Reader]] = {kind: FINDERS[kind] for kind in ("steps", "series", "texts")}
"""Finders that read tables without labels too."""

_Part = tuple[Path, Split]
Part = tuple[Path, Reader, Split]


def recognise(path: Path, options: ReadingOptions) -> Reader:
    """The reader for a file or folder with labels; InputError for what is unknown, empty or not told."""
    if path.is_dir():
        return _folder(path, options)
    if not path.is_file():
        raise InputError(f"{path}: expected {KNOWN}, found nothing there.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: expected {KNOWN}, found an empty file.")
    pair = _pair(path)
    return _parts(pair, options, path) if pair else _file(path, options)


def _file(path: Path, options: ReadingOptions) -> Reader:
    suffix = inner_suffix(path)
    if suffix in (*TABLE_SUFFIXES, ".txt"):
        return _table(path, options)
    if path.suffix.lower() in (".npz", ".npy"):
        return find_arrays(path, kind=options.kind)
    if suffix == ".ts":
        return find_ts([(path, None)], options.encoding, options.target)
    raise InputError(
        f"{path}: expected {KNOWN}, found a file ending in {path.suffix or 'nothing'}. Rename what is one of these "
        "(a table set apart by tabs: .tsv; one JSON object a line: .jsonl); convert what is none."
    )


def _table(path: Path, options: ReadingOptions) -> Reader:
    table = open_table(path, options)
    if not table.sample:
        raise InputError(
            f"{path}: expected at least one sequence, found no rows below the columns {', '.join(table.columns[:6])}."
        )
    return FINDERS[_rows_are(table, options)](table, options)


def _rows_are(table: Table, options: ReadingOptions) -> str:
    """What a row of a table is, as `--rows` calls it; InputError where two readings are possible."""
    if options.rows != "auto":
        return options.rows
    if options.id is not None or options.time is not None or options.window is not None:
        return "steps"
    if options.text is not None:
        return "texts"
    text = text_column(table)
    if text is None and is_file_list(table, options):
        return "files"
    archive = not table.header and table.written and split_within(table.path.stem) is not None
    if text is None and is_series(table, options, archive=archive):
        return "series"
    if options.features is not None:
        return "steps"
    key, time = id_column(table), time_named(table)
    if key is None or key == text:
        return "texts"
    again = comes_again(table, key)
    if text is not None and again:
        raise InputError(
            f"{table.path}: expected to be told what a row is: a text ({text!r}) or one step of a sequence "
            f"({key!r} comes again). Say --text {text} or --id {key}."
        )
    steps = time is not None or (again and _has_numbers(table, {key, *options.label_names}))
    return "steps" if text is None and steps else "texts"


def _has_numbers(table: Table, used: set[str | None]) -> bool:
    return bool(numeric_columns(table, used=frozenset(name for name in used if name)))


def _folder(folder: Path, options: ReadingOptions) -> Reader:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        subfolders = visible_folders(folder)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder that can be read, found: {error.strerror}.") from error
    for suffixes in ((".ts",), TABLE_SUFFIXES, (".txt",)):
        alike = [path for path in files if inner_suffix(path) in suffixes]
        parts = [(path, split) for path in alike if (split := split_within(path.stem))]
        splits = {split for _, split in parts}
        if "train" in splits and len(splits) > 1:
            return _parts(parts, options, folder, [path for path in alike if split_within(path.stem) is None])
    if not subfolders and any(path.suffix.lower() == ".npy" for path in files):
        return find_arrays(folder, kind=options.kind)
    if len(subfolders) >= 2:
        return find_class_folder(folder, options)
    names = ", ".join(path.name for path in [*subfolders, *files][:6]) or "nothing"
    raise InputError(
        f"{folder}: expected one subfolder a class, train and test files, or X.npy and y.npy, found {names}."
    )


def _parts(parts: Sequence[_Part], options: ReadingOptions, source: Path, others: Sequence[Path] = ()) -> Reader:
    """Files of training, validation and test data as one source, all read as the first training file is.

    others: files of the same kind that belong to no split.
    """
    order = ("train", "validation", "test")
    parts = sorted(parts, key=lambda part: (order.index(part[1]), part[0]))
    notes = [f"Left out, for its name says no split: {path.name}." for path in others]
    if inner_suffix(parts[0][0]) == ".ts":
        if len(parts) > 2:
            names = ", ".join(path.name for path, _ in parts)
            raise InputError(f"{source}: expected one train and one test file ending in .ts, found {names}.")
        return find_ts([*parts], options.encoding, options.target)
    first = _table(parts[0][0], options)
    like = options.with_columns(first.schema.columns)
    kept = [(parts[0][0], first, parts[0][1])]
    for path, split in parts[1:]:
        table = open_table(path, like)
        if not table.sample and split == parts[0][1]:
            notes.append(f"{path.name} has no rows.")  # as tools leave behind that write many files
            continue
        if like.rows == "series" and options.features is None:
            check_as_wide(table, like, labelled=True)
        missing = [name for name in like.label_names if name not in table.places]
        if missing and split == "test":
            if like.rows in UNLABELLED:
                UNLABELLED[like.rows](table, like, labelled=False)  # which tells what else it lacks
            notes.append(
                f"{path.name} has no column {missing[0]!r}: it is data to predict (auxrnn predict), and not read here."
            )
        else:
            kept.append((path, _table(path, like), split))
    return join_readers(kept, notes)


def _pair(path: Path) -> list[_Part]:
    """A file called ..._TRAIN together with the ..._TEST beside it, as the UCR archive has them; none for others."""
    if inner_suffix(path) in ARCHIVE_SUFFIXES:
        for word, other in (("_TRAIN", "_TEST"), ("_train", "_test")):
            if path.stem.endswith(word):
                test = path.with_name(path.stem.removesuffix(word) + other + path.suffix)
                if test.is_file():
                    return [(path, "train"), (test, "test")]
    return []


def join_readers(parts: Sequence[Part], notes: Sequence[str] = ()) -> Reader:
    """The rows of each part with its split; InputError where the parts are not of one schema. notes: to be told too."""
    beginning, first, _ = parts[0]
    for path, reader, _ in parts:
        if _alike(reader.schema) != _alike(first.schema):
            raise InputError(
                f"{path}: expected {first.schema.description} as in {beginning}, found {reader.schema.description}."
            )
    told = [note for _, reader, _ in parts for note in reader.schema.notes]
    schema = replace(
        first.schema,
        description=f"{_counted(parts)}, {'each ' if len(parts) > 1 else ''}a {first.schema.description}",
        notes=(*notes, *dict.fromkeys(told)),
    )
    uses: frozenset[str] = frozenset().union(*(reader.uses for _, reader, _ in parts))
    return Reader(schema, uses, partial(_examples, parts))


def _examples(parts: Sequence[Part]) -> Iterator[Example]:
    for _, reader, split in parts:
        for example in reader.examples():
            yield replace(example, split=split)


def _counted(parts: Sequence[Part]) -> str:
    """`train and test`, or how many files there are of each."""
    numbers = Counter(split for _, _, split in parts)
    words = [f"{split}{f' in {number} files' if number > 1 else ''}" for split, number in numbers.items()]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _alike(schema: Schema) -> tuple[object, ...]:
    """What must be the same in all parts."""
    return schema.kind, schema.channels, schema.channel_names, schema.target, schema.labels
