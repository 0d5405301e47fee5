"""What a path is: the reader for it, or one line that says what is missing."""

from __future__ import annotations

from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.archive import find_ts
from auxrnn.own.arrays import find_arrays
from auxrnn.own.columns import TEXT_NAMES, named
from auxrnn.own.files import find_class_folder, find_list_reader, is_file_list, visible_folders
from auxrnn.own.joined import JoinedReader
from auxrnn.own.longform import find_long_form_reader, is_long_form
from auxrnn.own.rows import SPLIT_WORDS, Reader, Split
from auxrnn.own.tables import TABLE_SUFFIXES, open_table
from auxrnn.own.texts import find_text_reader
from auxrnn.reading import ReadingOptions

KNOWN = "CSV, TSV, Parquet, .npz, .npy, .ts, a folder with one subfolder a class, or a list of files"


def recognise(path: Path, options: ReadingOptions) -> Reader:
    """The reader for a file or folder with labels; InputError for what is unknown, empty or not told."""
    if path.is_dir():
        return _folder(path, options)
    if not path.is_file():
        raise InputError(f"{path}: expected {KNOWN}, found nothing there.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: expected {KNOWN}, found an empty file.")
    return _file(path, options)


def _file(path: Path, options: ReadingOptions) -> Reader:
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return _table(path, options)
    if suffix in (".npz", ".npy"):
        return find_arrays(path, kind=options.kind)
    if suffix == ".ts":
        return find_ts(_ts_pair(path), options.encoding, options.target)
    raise InputError(f"{path}: expected {KNOWN}, found a file ending in {suffix or 'nothing'}.")


def _table(path: Path, options: ReadingOptions) -> Reader:
    table = open_table(path, options)
    if is_file_list(table, options) and named(table, TEXT_NAMES) is None:
        return find_list_reader(table, options)
    if is_long_form(table, options):
        return find_long_form_reader(table, options)
    return find_text_reader(table, options)


def _folder(folder: Path, options: ReadingOptions) -> Reader:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        subfolders = visible_folders(folder)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder that can be read, found: {error.strerror}.") from error
    for suffixes in ((".ts",), TABLE_SUFFIXES):
        found = [(path, split) for path in files if path.suffix.lower() in suffixes and (split := _split_in(path.stem))]
        found.sort(key=lambda part: part[1], reverse=True)  # train, then test
        if {split for _, split in found} == {"train", "test"}:
            if suffixes == TABLE_SUFFIXES:
                return JoinedReader(tuple((_file(path, options), split) for path, split in found))
            if len(found) > 2:
                names = ", ".join(path.name for path, _ in found)
                raise InputError(f"{folder}: expected one train and one test file ending in .ts, found {names}.")
            return find_ts([*found], options.encoding, options.target)
    if not subfolders and any(path.suffix.lower() == ".npy" for path in files):
        return find_arrays(folder, kind=options.kind)
    if len(subfolders) >= 2:
        return find_class_folder(folder, options)
    names = ", ".join(path.name for path in [*subfolders, *files][:6]) or "nothing"
    raise InputError(
        f"{folder}: expected one subfolder a class, train and test files, or X.npy and y.npy, found {names}."
    )


def _ts_pair(path: Path) -> list[tuple[Path, Split | None]]:
    """A file called ..._TRAIN.ts together with the ..._TEST.ts beside it."""
    for word, other in (("_TRAIN", "_TEST"), ("_train", "_test")):
        if path.stem.endswith(word):
            test = path.with_name(path.stem.removesuffix(word) + other + path.suffix)
            if test.is_file():
                return [(path, "train"), (test, "test")]
    return [(path, None)]


def _split_in(stem: str) -> Split | None:
    """The split that a file's name speaks of: `train`, `Gestures_TEST`, `test-00000`; `validation` is to train on."""
    words = stem.lower().replace("-", "_").replace(".", "_").split("_")
    found = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None
