"""Tar archives of published sets: unpacked so that nothing lands outside the folder.

Members are written by hand: neither owners nor permissions nor times are taken over.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from auxrnn.errors import InputError
from auxrnn.sources.downloads import fetch
from auxrnn.sources.presets import RemoteFile
from auxrnn.storage.files import naming

DAMAGED = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)
DOUBLED = (FileExistsError, IsADirectoryError, NotADirectoryError)


def find_unpacked(folder: Path, inner: str, names: Sequence[str]) -> Path | None:
    """`folder`, or the folder `inner` in it, where one holds all files of these names."""
    for place in (folder, folder / inner):
        if all((place / name).is_file() for name in names):
            return place
    return None


def provide_unpacked(
    archive: RemoteFile, data_folder: Path, dataset: str, inner: str, names: Sequence[str], *, download: bool
) -> Path:
    """As `find_unpacked`, the files unpacked from their archive, which is downloaded first if need be."""
    folder = data_folder / dataset
    found = find_unpacked(folder, inner, names)
    if found is None:
        unpack(fetch(archive, data_folder, dataset, download=download), folder)
        found = find_unpacked(folder, inner, names)
    if found is None:
        raise InputError(f"{folder}: expected {', '.join(names)} there or in {inner} below, found not all of them.")
    return found


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar file, plain or compressed, into `folder`, its top entries appearing there whole.

    What is there already under the name of a top entry stays. InputError for a damaged archive, and for one with a
    link, a device or a path that leads elsewhere; then nothing is left behind.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as aside:
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack_member(tar, member, Path(aside), archive)
        except DAMAGED as error:
            raise InputError(
                f"{archive}: expected a whole tar archive, found a damaged one ({error}). Download it again."
            ) from error
        except DOUBLED as error:
            raise InputError(f"{archive}: expected each name once, found one twice; get the file anew.") from error
        for entry in sorted(Path(aside).iterdir()):
            if not (folder / entry.name).exists():
                entry.rename(folder / entry.name)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, aside: Path, archive: Path) -> None:
    name = PurePosixPath(member.name)
    refused = f"{archive}: refused to unpack {member.name!r}: "
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
        raise InputError(refused + "expected a path inside the folder.")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise InputError(refused + "expected a file or a folder, found a link, a device or a sparse file.")
    target = aside / name
    (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
    if not member.isdir():
        source = tar.extractfile(member)
        assert source is not None
        with naming(target), target.open("xb") as file:
            shutil.copyfileobj(source, file)
