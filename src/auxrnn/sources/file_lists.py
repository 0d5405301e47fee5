"""Sources that are many files: a folder with one subfolder a class, and lists of files with labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.columns import PATH_NAMES, holds_words, named, row_numbers, split_column, unread_notes
from auxrnn.sources.label_columns import LabelColumns, label_columns, with_labels
from auxrnn.sources.media import is_known, kind_of, medium_of
from auxrnn.sources.reader import Example, Reader, Split
from auxrnn.sources.splits import split_of
from auxrnn.sources.tables import Table
from auxrnn.targets import KINDS
from auxrnn.targets.labelling import Label, label_cell


@dataclass(frozen=True)
class Entry:
    """One file of a source."""

    path: Path
    label: Label | None = None
    split: Split | None = None
    where: str = ""


def file_reader(
    entries: Sequence[Entry],
    options: ReadingOptions,
    source: str,
    notes: Sequence[str],
    table: Table | None = None,
    label: LabelColumns | None = None,
) -> Reader:
    """One sequence a file. source: what lists them, e.g. "folder of classes". table: the list, where it is one.

    label: the columns of its labels.
    """
    medium = medium_of([entry.path for entry in entries], options)
    schema = replace(
        medium.schema,
        description=f"{source}: {medium.schema.description}",
        notes=(*notes, *medium.schema.notes),
        columns={**medium.schema.columns, **({"rows": "files"} if table else {})},
    )
    return Reader(
        with_labels(schema, label),
        medium.uses if table is None else medium.uses | table.uses,
        lambda: (
            Example(entry.where or str(entry.path), medium.read(entry.path), entry.label, entry.split)
            for entry in entries
        ),
    )


def find_list_reader(table: Table, options: ReadingOptions) -> Reader:
    """A table with a column of paths, relative to the table's own folder, and a column of labels."""
    column = named(table, PATH_NAMES)
    if column is None:
        raise InputError(f"{table.path}: expected a column of paths, {', '.join(PATH_NAMES)}, found none.")
    split = split_column(table, options)
    if KINDS[options.kind].per_step:
        raise InputError(f"{table.path}: expected one step a row for --target tags, found a list of files.")
    label = label_columns(table, options, used=[column, *([split] if split else [])])
    places = {name: table.columns.index(name) for name in (column, *([split] if split else []))}
    entries = [
        replace(
            entry,
            label=label.label(cells, where),
            split=split_of(str(cells[places[split]]), where) if split else None,
        )
        for where, cells, entry in _listed(table, column)
    ]
    source = f"list of files (path {column!r}, {label}" + (f", split {split!r})" if split else ")")
    notes = unread_notes(table, [column, split, *label.names], row_numbers(table), "")
    return file_reader(entries, options, source, notes, table, label)


def listed_files(table: Table) -> list[Entry]:
    """The files of a list, without labels."""
    column = named(table, PATH_NAMES)
    assert column is not None
    return [entry for _, _, entry in _listed(table, column)]


def _listed(table: Table, column: str) -> Iterator[tuple[str, Sequence[Any], Entry]]:
    """Where each row stands, its cells, and its file; InputError where there is none."""
    place = table.columns.index(column)
    for number, cells in table.rows():
        where = f"{table.path}, row {number}"
        name = label_cell(cells[place])
        path = table.path.parent / (name or "")
        if name is None or not os.path.isfile(path):  # False for a name that no file can have
            check_regular(path, f"{where} ({name})")
            raise InputError(
                f"{where}: expected the path of a file in {column!r}, found no file {name!r} in {table.path.parent}. "
                f"If the files are elsewhere, put {table.path.name} beside them or write where they are; if it says "
                f"which sequence a row belongs to, say --id {column}."
            )
        yield where, cells, Entry(path, where=f"{where} ({name})")


def is_file_list(table: Table, options: ReadingOptions) -> bool:
    """Whether there is one column of paths, and no text or id is asked for."""
    column = named(table, PATH_NAMES)
    return options.text is None and options.id is None and column is not None and holds_words(table, column)


def visible_folders(folder: Path) -> list[Path]:
    """Subfolders in the order of their names, hidden ones left out; InputError for a link to nothing."""
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith((".", "__"))]
    for entry in seen:
        if entry.is_symlink():
            check_linked(Path(entry))
    return sorted(Path(entry) for entry in seen if entry.is_dir())


def check_linked(path: Path, where: str | None = None) -> None:
    """InputError for a link to nothing, or to itself. where: what to call it."""
    if os.path.islink(path) and not os.path.exists(path):
        raise InputError(
            f"{where or path}: expected what it links to, found nothing there. Mend the link or remove it."
        )


def check_regular(path: Path, where: str | None = None) -> None:
    """InputError for a link to nothing, and for a pipe, a socket or a device, which may be waited for without an end.

    where: what to call it.
    """
    if os.path.isfile(path) or os.path.isdir(path):  # one look at what most are
        return
    check_linked(path, where)
    if os.path.exists(path):
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
                check_linked(path)
                other += 1
    return found, other
