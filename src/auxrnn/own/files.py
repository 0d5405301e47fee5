"""Sources that are many files: a folder with one subfolder a class, and lists of files with labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.columns import PATH_NAMES, label_cell, named, split_column
from auxrnn.own.labels import label_columns
from auxrnn.own.media import SUFFIXES, Medium, kind_of, medium_of
from auxrnn.own.rows import SPLIT_WORDS, Form, Label, Row, Split, split_of, validation_notes
from auxrnn.own.tables import Table
from auxrnn.reading import ReadingOptions


@dataclass(frozen=True)
class Entry:
    """One file of a source."""

    path: Path
    label: Label | None = None
    split: Split | None = None
    where: str = ""


@dataclass(frozen=True)
class FileReader:
    """One sequence a file. source: what lists them, e.g. "folder of classes". table: the list, where it is one."""

    entries: tuple[Entry, ...]
    medium: Medium
    source: str
    notes: tuple[str, ...] = ()
    target: str = "class"
    labels: tuple[str, ...] = ()
    table: Table | None = None

    @property
    def form(self) -> Form:
        form = self.medium.form
        return Form(
            f"{self.source}: {form.description}",
            form.kind,
            form.channels,
            form.dtype,
            form.channel_names,
            form.image_shape,
            form.rate,
            self.notes,
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
    """A folder with one subfolder a class; or with `train` and `test`, each of them such a folder."""
    if options.kind != "class":
        raise InputError(
            f"{folder}: expected one class a file in a folder of classes, got --target {options.target}. Make a table "
            "with a column of paths and columns of labels instead."
        )
    subfolders = visible_folders(folder)
    entries: list[Entry] = []
    ignored = 0
    splits = {path: SPLIT_WORDS.get(path.name.lower()) for path in subfolders}
    if set(splits.values()) == {"train", "test"}:
        names = [path.name for path in sorted(subfolders, key=lambda path: splits[path] or "", reverse=True)]
        source = f"{' and '.join(names)} folders with one subfolder a class"
        for path, split in splits.items():
            classes = visible_folders(path)
            if not classes:
                raise InputError(f"{path}: expected one subfolder a class, found none.")
            for subfolder in classes:
                found, other = class_files(subfolder)
                ignored += other
                entries += [Entry(file, subfolder.name, split) for file in found]
    else:
        source = "folder with one subfolder a class"
        for subfolder in subfolders:
            found, other = class_files(subfolder)
            ignored += other
            entries += [Entry(file, subfolder.name) for file in found]
    notes = [f"{ignored:,} files of other kinds are left out."] if ignored else []
    if set(splits.values()) == {"train", "test"}:
        notes += validation_notes((path.name, split) for path, split in splits.items())
    return FileReader(tuple(entries), medium_of([entry.path for entry in entries], options), source, tuple(notes))


def find_list_reader(table: Table, options: ReadingOptions) -> FileReader:
    """A table with a column of paths, relative to the table's own folder, and a column of labels."""
    column = named(table, PATH_NAMES)
    assert column is not None
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
            raise InputError(f"{where}: expected the path of a file in {column!r}, found no file {name!r}.")
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
    )


def is_file_list(table: Table, options: ReadingOptions) -> bool:
    """Whether there is one column of paths, and no text or id is asked for."""
    return options.text is None and options.id is None and named(table, PATH_NAMES) is not None


def visible_folders(folder: Path) -> list[Path]:
    """Subfolders in the order of their names, hidden ones left out."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def check_regular(path: Path, where: str | None = None) -> None:
    """InputError for a pipe, a socket or a device, which may be waited for without an end. where: what to call it."""
    if os.path.exists(path) and not path.is_file() and not path.is_dir():
        raise InputError(f"{where or path}: expected a regular file, found a pipe, a socket or a device. Take it out.")


def class_files(folder: Path) -> tuple[list[Path], int]:
    """Files of known kinds at any depth, in order, and the number of others; InputError for a class without any."""
    found, other = known_files(folder)
    if not found:
        if other:
            kind_of(next(path for path in sorted(folder.rglob("*")) if path.is_file()))
        raise InputError(f"{folder}: expected files of class {folder.name!r}, found none. Remove the empty folder.")
    return found, other


def known_files(folder: Path) -> tuple[list[Path], int]:
    """Files of known kinds at any depth, in order, and the number of others."""
    found, other = [], 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = Path(parent, name)
            if any(path.suffix.lower() in suffixes for suffixes in SUFFIXES.values()):
                check_regular(path)
                found.append(path)
            else:
                other += 1
    return found, other
