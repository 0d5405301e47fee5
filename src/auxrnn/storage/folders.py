"""Replace several files of a folder at once: readers, also after a kill, find all old ones or all new ones."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from auxrnn.storage.files import Write, aside_of, clear_asides, remove, sync_folder, write_atomically

AT_FDCWD, RENAME_EXCHANGE = -100, 2
UNABLE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EBUSY, errno.EACCES, errno.EPERM)


def write_folder(folder: Path, files: Mapping[str, Write]) -> None:
    """Let each of `files` be written into `folder`, by name, all of them at once; what else lies there stays.

    A new folder is filled aside, with links to whatever else the old one holds, and the two change places. Where a
    folder cannot change its place (it is the current one, or a mount, or the system has no such call) the files are
    replaced one by one, each whole. OSError where that fails, and nothing has changed.
    """
    place = folder.resolve()
    for name in files:
        if (place / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place / name))
    if not _may_change_places(place) or not _written_aside(place, files):
        for name, write in files.items():
            write_atomically(folder / name, write)


def _written_aside(place: Path, files: Mapping[str, Write]) -> bool:
    """Whether the new folder has come in the place of the old one; False where the system cannot do that."""
    place.parent.mkdir(parents=True, exist_ok=True)
    clear_asides(place)
    aside = aside_of(place)
    try:
        try:
            aside.mkdir()
        except PermissionError:  # files may be changed in the folder, but none beside it
            return False
        if place.is_dir():
            _link_others(place, aside, files)
            shutil.copymode(place, aside)
        for name, write in files.items():
            write_atomically(aside / name, write)
        if not place.is_dir():
            os.rename(aside, place)
        elif not _exchange(aside, place):
            return False
        sync_folder(place.parent)
        return True
    finally:
        remove(aside)  # by now the old folder, or what failed


def _may_change_places(place: Path) -> bool:
    """Whether a folder may be replaced: it is no mount and not the current folder of this process, nor above it."""
    return not (place.exists() and (os.path.ismount(place) or Path.cwd().is_relative_to(place)))


def _link_others(place: Path, aside: Path, files: Mapping[str, Write]) -> None:
    """Everything in `place` but `files`, as further names of the same contents."""
    for entry in list(place.iterdir()):
        if entry.name in files or (entry.name.startswith(".") and entry.name.endswith(".part")):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, aside / entry.name, symlinks=True, copy_function=_link)
        else:
            _link(entry, aside / entry.name)


def _link(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a disk without further names
        shutil.copy2(source, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step; False where this system or disk has none."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(other))
