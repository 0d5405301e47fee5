"""Tar archives from outside: unpacked so that nothing lands outside the folder and nothing fills the disk.

Files and folders only: a link, a device, an absolute path, `..` or more than the limits allow is refused with the
member's name. Members are written by hand: neither owners nor permissions nor times are taken over.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from auxrnn.errors import InputError
from auxrnn.storage.files import naming

CHUNK = 2**20
HEADERS = 2**20  # bytes that the headers of an archive may take besides its members
HEADER_BYTES = 4096  # and for each member


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most: members (files and folders), and bytes of all files together."""

    files: int
    bytes: int

    @property
    def stream(self) -> int:
        """Bytes of the archive itself after decompression, headers and padding included."""
        return self.bytes + HEADERS + self.files * HEADER_BYTES


def unpack(archive: Path, folder: Path, limits: Limits) -> None:
    """Unpack a tar file, plain or gzip, into `folder`, its top entries appearing there whole.

    What is there already under the name of a top entry stays. InputError for a damaged or refused archive; then
    nothing is left behind.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as aside:
        with _opened(archive, limits) as tar:
            for member, name in _checked(tar, archive, limits):
                target = Path(aside, *name.parts)
                try:
                    (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
                except (FileExistsError, NotADirectoryError) as error:
                    raise InputError(
                        f"{archive}: expected a folder for {member.name}, found a file of that name before it."
                    ) from error
                if member.isdir():
                    continue
                source = tar.extractfile(member)
                assert source is not None
                try:
                    with naming(target), target.open("xb") as file:
                        shutil.copyfileobj(source, file, CHUNK)
                except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                    raise InputError(
                        f"{archive}: expected each name once, found {member.name} twice; get the file anew."
                    ) from error
                if target.stat().st_size != member.size:
                    raise InputError(f"{archive}: expected {member.size:,} bytes of {member.name}, found fewer.")
        for entry in sorted(Path(aside).iterdir()):
            if not (folder / entry.name).exists():
                entry.rename(folder / entry.name)


@contextmanager
def open_member(archive: Path, wanted: str, limits: Limits) -> Iterator[IO[bytes]]:
    """The file called `wanted` in a tar file, read where it lies: nothing is unpacked. InputError without it."""
    with _opened(archive, limits) as tar:
        for member, name in _checked(tar, archive, limits):
            if str(name) == wanted and member.isreg():
                source = tar.extractfile(member)
                assert source is not None
                yield source
                return
    raise InputError(f"{archive}: expected {wanted} in it, found none.")


@contextmanager
def _opened(archive: Path, limits: Limits) -> Iterator[tarfile.TarFile]:
    try:
        with archive.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if zipped else raw as plain:
                stream = _Limited(plain, archive, limits.stream)  # type: ignore[arg-type]
                with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
                    yield tar
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"{archive}: expected a whole tar archive, found a damaged one ({error}). Download it again."
        ) from error


class _Limited:
    """Reads a stream up to a number of bytes: headers, too, can be made to swell."""

    def __init__(self, stream: IO[bytes], archive: Path, most: int) -> None:
        self.stream, self.archive, self.most, self.seen = stream, archive, most, 0

    def read(self, number: int) -> bytes:
        data = self.stream.read(number)
        self.seen += len(data)
        if self.seen > self.most:
            raise InputError(
                f"{self.archive}: expected an archive of at most {self.most:,} bytes, found more; it is not unpacked."
            )
        return data


def _checked(tar: tarfile.TarFile, archive: Path, limits: Limits) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Each member with its name as a safe relative path, before any of its bytes is read."""
    total = 0
    for index, member in enumerate(tar):
        name = PurePosixPath(member.name)
        refused = f"{archive}: refused to unpack {member.name!r}: "
        if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
            raise InputError(refused + "expected a path inside the folder.")
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise InputError(refused + "expected a file or a folder, found a link, a device or a sparse file.")
        total += member.size
        if index >= limits.files:
            raise InputError(refused + f"expected at most {limits.files:,} entries, found more.")
        if total > limits.bytes:
            raise InputError(refused + f"expected at most {limits.bytes:,} bytes in all, found more.")
        if name.parts:
            yield member, name
