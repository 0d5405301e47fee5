"""Sources that are many files: a folder with one subfolder a class, and lists of files with labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.columns import PATH_NAMES, holds_words, label_cell, named, row_numbers, split_column, unread_notes
from auxrnn.own.labels import label_columns
from auxrnn.own.media import MEDIA, Medium, is_known, kind_of, medium_of
from auxrnn.own.rows import Form, Label, Row, Split
from auxrnn.own.split_names import split_named, split_of
from auxrnn.own.tables import Table
from auxrnn.reading import ReadingOptions, join_names


@dataclass(frozen=True)
class Entry:
    """One file of a source."""

    path: Path
    label: Label | None = None
    split: Split | None = None
    where: str = ""


@dataclass(frozen=True)
class FileReader:
    """One sequence a file. source: what lists them, e.g. "folder of classes". table: the list, where it is one.

    columns: what its columns are for.
    """

    entries: tuple[Entry, ...]
    medium: Medium
    source: str
    notes: tuple[str, ...] = ()
    target: str = "class"
    labels: tuple[str, ...] = ()
    table: Table | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> Form:
        form = self.medium.form
        return replace(
            form,
            description=f"{self.source}: {form.description}",
            notes=(*self.notes, *form.notes),
            columns={**form.columns, **self.columns},
            target=self.target,
            labels=self.labels,
        )

    @property
    def files(self) -> list[Path]:
        return [*([self.table.path] if self.table else []), *(entry.path for entry in self.entries)]

    def rows(self, skip: int = 0) -> Iterator[Row]:
        for entry in self.entries[skip:]:
            yield Row(entry.where or str(entry.path), self.medium.read(entry.path), entry.label, entry.split)


def find_class_folder(folder: Path, options: ReadingOptions) -> FileReader:
    """A folder with one subfolder a class; or with folders of splits, each of them such a folder.

    A folder named like a split is one where it holds folders alone: a class may be called `train`.
    """
    if options.kind != "class":
        raise InputError(
            f"{folder}: expected one class a file in a folder of classes, got --target {options.target}. Make a table "
            "with a column of paths and columns of labels instead."
        )
    subfolders = visible_folders(folder)
    named: dict[Path, Split] = {path: split for path in subfolders if (split := split_named(path.name))}
    parted = {path: split for path, split in named.items() if _holds_folders_alone(path)}
    source = "folder with one subfolder a class"
    if parted:
        others = [path.name for path in subfolders if path not in parted]
        if others:
            raise InputError(
                f"{folder}: expected folders of splits alone or of classes alone, found {others[0]!r} beside "
                f"{next(iter(parted)).name!r}, which is named as a split. Move one of them elsewhere, or rename it."
            )
        if "train" not in parted.values():
            raise InputError(
                f"{folder}: expected a folder of training data, found {', '.join(path.name for path in parted)}."
            )
        order = ("train", "validation", "test")
        names = [path.name for path in sorted(parted, key=lambda path: (order.index(parted[path]), path.name))]
        source = f"{' and '.join(names)} folders with one subfolder a class"
    elif len(named) == len(subfolders):
        raise InputError(f"{subfolders[0]}: expected one subfolder a class in a folder named as a split, found none.")
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
    return FileReader(tuple(entries), medium_of([entry.path for entry in entries], options), source, tuple(notes))


def _class_entries(classes: Sequence[Path], split: Split | None) -> tuple[list[Entry], int]:
    """The files of each class, and the number of files of other kinds; a class may hold folders of splits."""
    inner = [visible_folders(path) for path in classes]
    within = split is None and all(
        parts and all(split_named(part.name) for part in parts) and _holds_folders_alone(path)
        for path, parts in zip(classes, inner, strict=True)
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
    files = (path for path in folder.iterdir() if is_known(path) and not path.name.startswith("."))
    return bool(visible_folders(folder)) and not any(path.is_file() for path in files)


def find_list_reader(table: Table, options: ReadingOptions) -> FileReader:
    """A table with a column of paths, relative to the table's own folder, and a column of labels."""
    column = named(table, PATH_NAMES)
    if column is None:
        raise InputError(f"{table.path}: expected a column of paths, {', '.join(PATH_NAMES)}, found none.")
    split = split_column(table, options.split)
    if options.kind == "tags":
        raise InputError(f"{table.path}: expected one step a row for --target tags, found a list of files.")
    label = label_columns(table, options, used=[column, *([split] if split else [])])
    places = {name: table.columns.index(name) for name in (column, *([split] if split else []))}
    entries = []
    for number, cells in table.rows():
        where = f"{table.path}, row {number}"
        name = label_cell(cells[places[column]])
        path = table.path.parent / (name or "")
        if name is None or not os.path.isfile(path):  # False for a name that no file can have
            check_regular(path, f"{where} ({name})")
            raise InputError(
                f"{where}: expected the path of a file in {column!r}, found no file {name!r} in {table.path.parent}. "
                f"If the files are elsewhere, put {table.path.name} beside them or write where they are; if it says "
                f"which sequence a row belongs to, say --id {column}."
            )
        entries.append(
            Entry(
                path,
                label.label(cells, where),
                split_of(str(cells[places[split]]), where) if split else None,
                f"{where} ({name})",
            )
        )
    if not entries:
        raise InputError(f"{table.path}: expected at least one file, found a table without rows.")
    return FileReader(
        tuple(entries),
        medium_of([entry.path for entry in entries], options),
        f"list of files (path {column!r}, {label}" + (f", split {split!r})" if split else ")"),
        target=label.kind,
        labels=label.values,
        table=table,
        columns={"rows": "files", "label": join_names(label.names)},
        notes=unread_notes(table, [column, split, *label.names], row_numbers(table), ""),
    )


def is_file_list(table: Table, options: ReadingOptions) -> bool:
    """Whether there is one column of paths, and no text or id is asked for."""
    column = named(table, PATH_NAMES)
    return options.text is None and options.id is None and column is not None and holds_words(table, column)


def visible_folders(folder: Path) -> list[Path]:
    """Subfolders in the order of their names, hidden ones left out."""
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith((".", "__"))]
        return sorted(Path(entry) for entry in seen if entry.is_dir(follow_symlinks=False) or _leads_to_folder(entry))


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and os.path.isdir(entry)


def check_regular(path: Path, where: str | None = None) -> None:
    """InputError for a pipe, a socket or a device, which may be waited for without an end. where: what to call it."""
    if not os.path.isfile(path) and not os.path.isdir(path) and os.path.exists(path):
        raise InputError(f"{where or path}: expected a regular file, found a pipe, a socket or a device. Take it out.")


def class_files(folder: Path) -> tuple[list[Path], int]:
    """Files of known kinds at any depth, in order, and the number of others; InputError for a class without any."""
    found, other = known_files(folder)
    if not found:
        if other:
            kind_of(next(path for path in sorted(folder.rglob("*")) if path.is_file() and not is_known(path)))
        raise InputError(f"{folder}: expected files of class {folder.name!r}, found none. Remove the empty folder.")
    return found, other


def known_files(folder: Path) -> tuple[list[Path], int]:
    """Files of known kinds at any depth, in order, and the number of others. Links to folders are followed once."""
    found, other = [], 0
    seen: set[str] = set()
    root = os.path.realpath(folder)
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen or root.startswith(real + os.sep):  # a link to what has been read, or to what holds this
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = Path(parent, name)
            if is_known(path):
                check_regular(path)
                found.append(path)
            else:
                other += 1
    return found, other
