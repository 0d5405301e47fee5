"""Folders of files with one subfolder a class, and folders of splits that each hold such subfolders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.files import Entry, FileReader, class_files, visible_folders
from auxrnn.own.media import MEDIA, is_known, kind_of, medium_of
from auxrnn.own.rows import Split
from auxrnn.own.split_names import split_named, split_within
from auxrnn.reading import ReadingOptions
from auxrnn.targets import KINDS


def find_class_folder(folder: Path, options: ReadingOptions) -> FileReader:
    """A folder with one subfolder a class; or with folders of splits, each of them such a folder.

    A folder named like a split is one where it holds folders alone: a class may be called `train`.
    """
    if not KINDS[options.kind].one_class:
        raise InputError(
            f"{folder}: expected one class a file in a folder of classes, got --target {options.target}. Make a table "
            "with a column of paths and columns of labels instead."
        )
    subfolders = visible_folders(folder)
    parted = _parts(folder, subfolders)
    unlabelled = [path.name for path in subfolders if parted and path not in parted]
    source = "folder with one subfolder a class"
    if parted:
        order = ("train", "validation", "test")
        names = [path.name for path in sorted(parted, key=lambda path: (order.index(parted[path]), path.name))]
        source = f"{' and '.join(names)} folders with one subfolder a class"
        parted = _innermost(parted)
    entries: list[Entry] = []
    ignored = 0
    if not parted:
        _refuse_like_subfolders(folder, subfolders)
    for path, split in parted.items() or [(folder, None)]:
        found, other = _class_entries(visible_folders(path), split)
        entries, ignored = entries + found, ignored + other
    kinds = {kind_of(entry.path) for entry in entries}
    if kinds & MEDIA:  # tables beside media tell something of them
        kept = [entry for entry in entries if kind_of(entry.path) in MEDIA]
        entries, ignored = kept, ignored + len(entries) - len(kept)
    notes = [f"{ignored:,} files of other kinds are left out."] if ignored else []
    notes += [
        f"{name} has no folders of classes: it is data to predict (auxrnn predict), and not read here."
        for name in unlabelled
    ]
    if beside := sum(len(_files_beside(path)) for path in parted):
        notes.append(f"{beside:,} files beside the folders of classes are left out.")
    return FileReader(tuple(entries), medium_of([entry.path for entry in entries], options), source, tuple(notes))


def _parts(folder: Path, subfolders: Sequence[Path]) -> dict[Path, Split]:
    """The folders that are parts, and of which split; none where folders are classes, InputError for a mixture.

    Where every name speaks of a split they are parts, but for test data without classes; else those alone that are
    named so and hold no files, for a class may be called `train`.
    """
    spoken: dict[Path, Split] = {path: split for path in subfolders if (split := split_within(path.name))}
    if len(spoken) == len(subfolders) and _are_splits(spoken.values()):
        parted = {path: split for path, split in spoken.items() if visible_folders(path)}
        without = [path for path in subfolders if path not in parted]
        if without and ("train" not in parted.values() or any(spoken[path] != "test" for path in without)):
            raise InputError(f"{without[0]}: expected one subfolder a class in a folder named as a split, found none.")
        return parted
    named: dict[Path, Split] = {path: split for path in subfolders if (split := split_named(path.name))}
    parted = {path: split for path, split in named.items() if _holds_folders_alone(path)}
    others = [path.name for path in subfolders if path not in (parted or named)]
    if others and (parted or _are_splits(named.values())):
        raise InputError(
            f"{folder}: expected folders of splits alone or of classes alone, found {others[0]!r} beside "
            f"{next(iter(parted or named)).name!r}, which is named as a split. Move one of them elsewhere, or rename "
            "it."
        )
    if named and not others and "train" not in named.values():
        raise InputError(
            f"{folder}: expected a folder of training data, found {', '.join(path.name for path in named)}."
        )
    return parted


def _are_splits(found: Iterable[Split | None]) -> bool:
    """Whether there is training data among several splits."""
    found = set(found)
    return "train" in found and len(found - {None}) > 1


def _innermost(parted: dict[Path, Split]) -> dict[Path, Split]:
    """The folders that hold those of the classes: each may hold one folder alone, as an unpacked archive does."""
    while all(len(visible_folders(path)) == 1 and _holds_folders_alone(visible_folders(path)[0]) for path in parted):
        parted = {visible_folders(path)[0]: split for path, split in parted.items()}
    return parted


def _class_entries(classes: Sequence[Path], split: Split | None) -> tuple[list[Entry], int]:
    """The files of each class, and the number of files of other kinds; a class may hold folders of splits."""
    inner = [visible_folders(path) for path in classes]
    within = split is None and all(
        parts and all(split_named(part.name) for part in parts) and _holds_folders_alone(path)
        for path, parts in zip(classes, inner, strict=True)
    )
    mixed = next((parts for parts in inner if _are_splits(split_named(part.name) for part in parts)), None)
    if mixed is not None and not within:
        raise InputError(
            f"{mixed[0].parent}: expected folders of splits, and they alone, in every class or in none, found "
            f"{', '.join(part.name for part in mixed[:3])} here. Move the files of a class into its own folder, or "
            "name the splits alike in all of them."
        )
    entries: list[Entry] = []
    ignored = 0
    for path in classes:
        found, other = class_files(path)
        ignored += other
        for file in found:
            own = split_named(file.relative_to(path).parts[0]) if within else split
            entries.append(Entry(file, path.name, own))
    return entries, ignored


def _refuse_like_subfolders(folder: Path, subfolders: Sequence[Path]) -> None:
    """Ask which of two levels names the classes, where each folder holds the same folders and no files.

    Folders of splits within classes tell it themselves.
    """
    inner = [[part.name for part in visible_folders(path)] for path in subfolders]
    alike = len(inner) > 1 and len(inner[0]) > 1 and all(names == inner[0] for names in inner)
    if alike and not all(map(split_named, inner[0])) and all(map(_holds_folders_alone, subfolders)):
        outer, classes = (" and ".join(names[:2]) for names in ([path.name for path in subfolders], inner[0]))
        raise InputError(
            f"{folder}: expected one level of folders that names the classes, found the folders {classes} in each of "
            f"{outer}. Name the outer ones train and test if they are splits; else move the files of a class into its "
            "own folder."
        )


def _holds_folders_alone(folder: Path) -> bool:
    """Whether there are folders in a folder, and no files that could be sequences."""
    return bool(visible_folders(folder)) and not _files_beside(folder)


def _files_beside(folder: Path) -> list[Path]:
    """Files that could be sequences and lie in a folder itself."""
    known = (path for path in folder.iterdir() if is_known(path) and not path.name.startswith("."))
    return [path for path in known if path.is_file()]
