"""Folders of files with one subfolder a class, and folders of splits that each hold such subfolders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.file_lists import Entry, class_files, file_reader, visible_folders
from auxrnn.sources.media import MEDIA, is_known, kind_of
from auxrnn.sources.reader import Reader, Split
from auxrnn.sources.splits import split_named, split_within
from auxrnn.targets import KINDS


@dataclass(frozen=True)
class Folder:
    """A folder that is looked into once."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def folders(self) -> tuple[Folder, ...]:
        """The visible subfolders, in order of their names."""
        return tuple(map(Folder, visible_folders(self.path)))

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Files that could be sequences and lie in the folder itself."""
        known = (path for path in self.path.iterdir() if is_known(path) and not path.name.startswith("."))
        return tuple(path for path in known if path.is_file())

    @property
    def holds_folders_alone(self) -> bool:
        return bool(self.folders) and not self.files


def find_class_folder(path: Path, options: ReadingOptions) -> Reader:
    """A folder with one subfolder a class; or with folders of splits, each of them such a folder.

    A folder named like a split is one where it holds folders alone: a class may be called `train`.
    """
    if not KINDS[options.kind].one_class:
        raise InputError(
            f"{path}: expected one class a file in a folder of classes, got --target {options.target}. Make a table "
            "with a column of paths and columns of labels instead."
        )
    folder = Folder(path)
    parted = _parts(folder)
    source = "folder with one subfolder a class"
    notes = [
        f"{other.name} has no folders of classes: it is data to predict (auxrnn predict), and not read here."
        for other in (folder.folders if parted else ())
        if other not in parted
    ]
    if parted:
        order = ("train", "validation", "test")
        named = sorted(parted, key=lambda part: (order.index(parted[part]), part.path.name))
        source = f"{' and '.join(part.name for part in named)} folders with one subfolder a class"
        parted = _innermost(parted)
    else:
        _refuse_like_subfolders(folder)
    entries: list[Entry] = []
    ignored = 0
    for part, split in parted.items() or [(folder, None)]:
        found, other_files = _class_entries(part.folders, split)
        entries, ignored = entries + found, ignored + other_files
    if any(kind_of(entry.path) in MEDIA for entry in entries):  # tables beside media tell something of them
        kept = [entry for entry in entries if kind_of(entry.path) in MEDIA]
        entries, ignored = kept, ignored + len(entries) - len(kept)
    if ignored:
        notes.insert(0, f"{ignored:,} files of other kinds are left out.")
    if beside := sum(len(part.files) for part in parted):
        notes.append(f"{beside:,} files beside the folders of classes are left out.")
    return file_reader(entries, options, source, notes)


def _parts(folder: Folder) -> dict[Folder, Split]:
    """Return the folders that are splits, with their split; none where the folders are classes.

    Where every name speaks of a split, all are splits, but for test data without classes. Else those alone are whose
    whole name is that of a split and which hold no files, for a class may be called `train`. InputError for a mixture.
    """
    spoken: dict[Folder, Split] = {part: split for part in folder.folders if (split := split_within(part.name))}
    if len(spoken) == len(folder.folders) and _are_splits(spoken.values()):
        parted = {part: split for part, split in spoken.items() if part.folders}
        without = [part for part in folder.folders if part not in parted]
        if without and ("train" not in parted.values() or any(spoken[part] != "test" for part in without)):
            raise InputError(
                f"{without[0].path}: expected one subfolder a class in a folder named as a split, found none."
            )
        return parted
    named: dict[Folder, Split] = {part: split for part in folder.folders if (split := split_named(part.name))}
    parted = {part: split for part, split in named.items() if part.holds_folders_alone}
    others = [part.name for part in folder.folders if part not in (parted or named)]
    if others and (parted or _are_splits(named.values())):
        raise InputError(
            f"{folder.path}: expected folders of splits alone or of classes alone, found {others[0]!r} beside "
            f"{next(iter(parted or named)).name!r}, which is named as a split. Move one of them elsewhere, or rename "
            "it."
        )
    if named and not others and "train" not in named.values():
        raise InputError(
            f"{folder.path}: expected a folder of training data, found {', '.join(part.name for part in named)}."
        )
    return parted


def _are_splits(found: Iterable[Split | None]) -> bool:
    """Whether there is training data among several splits."""
    found = set(found)
    return "train" in found and len(found - {None}) > 1


def _innermost(parted: dict[Folder, Split]) -> dict[Folder, Split]:
    """The folders that hold those of the classes: each may hold one folder alone, as an unpacked archive does."""
    while all(len(part.folders) == 1 and part.folders[0].holds_folders_alone for part in parted):
        parted = {part.folders[0]: split for part, split in parted.items()}
    return parted


def _class_entries(classes: Sequence[Folder], split: Split | None) -> tuple[list[Entry], int]:
    """The files of each class, and the number of files of other kinds; a class may hold folders of splits."""
    within = split is None and all(
        one.holds_folders_alone and all(split_named(part.name) for part in one.folders) for one in classes
    )
    mixed = next((one for one in classes if _are_splits(split_named(part.name) for part in one.folders)), None)
    if mixed is not None and not within:
        raise InputError(
            f"{mixed.path}: expected folders of splits, and they alone, in every class or in none, found "
            f"{', '.join(part.name for part in mixed.folders[:3])} here. Move the files of a class into its own "
            "folder, or name the splits alike in all of them."
        )
    entries: list[Entry] = []
    ignored = 0
    for one in classes:
        found, other = class_files(one.path)
        ignored += other
        for file in found:
            part = split_named(file.relative_to(one.path).parts[0]) if within else split
            entries.append(Entry(file, one.name, part))
    return entries, ignored


def _refuse_like_subfolders(folder: Folder) -> None:
    """InputError where each folder holds the same folders and no files: either level may name the classes.

    Folders of splits within classes are no such case.
    """
    inner = [[part.name for part in one.folders] for one in folder.folders]
    alike = len(inner) > 1 and len(inner[0]) > 1 and all(names == inner[0] for names in inner)
    if alike and not all(map(split_named, inner[0])) and all(one.holds_folders_alone for one in folder.folders):
        outer, classes = (" and ".join(names[:2]) for names in ([one.name for one in folder.folders], inner[0]))
        raise InputError(
            f"{folder.path}: expected one level of folders that names the classes, found the folders {classes} in "
            f"each of {outer}. Name the outer ones train and test if they are splits; else move the files of a class "
            "into its own folder."
        )
