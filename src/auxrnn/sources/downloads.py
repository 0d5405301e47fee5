"""Files from the network: resumed where a connection was cut, checked by size and hash, whole or not there.

Knows nothing of what is inside a file.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.sources.presets import DATA_DIR_VARIABLE, RemoteFile, algorithm_of, file_hash
from auxrnn.storage.files import naming
from auxrnn.storage.lock import own_part

TIMEOUT_SECONDS = 30.0
CHUNK = 2**14  # bytes; so many at most are lost where a connection is cut

logger = logging.getLogger(__name__)


class MissingFileError(InputError):
    """A published file is not there, and no address gave it."""


def fetch(file: RemoteFile, folder: Path, dataset: str, *, download: bool = True) -> Path:
    """The path `folder/dataset/file.name`, downloaded first if nothing lies there.

    A file laid there by hand is used as it is; the parser judges it, and `auxrnn data verify` compares its hash. A
    download goes into a `.part` file whose name has the expected hash; a cut connection goes on there, now or the next
    time, from whichever address. It is checked by size and hash, flushed, then renamed: what bears the final name is
    always whole. Two processes at once download once. InputError if there is no file and `download` is off or every
    address fails; then a folder that was made for it is gone, unless a resumable part lies in it.
    """
    path = folder / dataset / file.name
    if path.is_file():
        return path
    if path.exists():
        raise InputError(f"{path}: expected a file, found something else there.")
    if not download:
        raise MissingFileError(_not_there(file, path, "it is not there, and downloading is switched off"))
    failures = []
    try:
        with _folder(path.parent), own_part(_part_of(file, path)) as part:
            if path.is_file():  # another process was faster
                return path
            for url in file.urls:
                size = "" if file.bytes is None else f" ({file.bytes / 1e6:.1f} MB)"
                logger.info("Downloading %s%s from %s", file.name, size, url)
                try:
                    _complete(part, file, url)
                    part.replace(path)
                    return path
                except (OSError, ValueError) as error:  # requests' errors are OSErrors
                    failures.append(f"{url} ({_in_short(error)})")
                    logger.info("That failed: %s", _in_short(error))
    except OSError as error:
        raise InputError(f"{path.parent}: expected a folder that can be written to: {error}.") from error
    raise MissingFileError(_not_there(file, path, "no address gave it: " + "; ".join(failures)))


def _part_of(file: RemoteFile, path: Path) -> Path:
    return path.with_name(f".{file.name}.{file.hash.partition(':')[2][:12]}.part")


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make the folder; take away again what was made where nothing lies in it at the end."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for place in made:
            if any(place.iterdir()):
                break
            place.rmdir()


def _complete(part: Path, file: RemoteFile, url: str) -> None:
    """Bring the part to the whole file; OSError or ValueError if the address does not give it whole and right.

    The part keeps what a cut connection left, and is emptied where the bytes turned out wrong.
    """
    while True:
        start = part.stat().st_size
        try:
            _append(part, file, url)
        except OSError:
            if part.stat().st_size <= start:  # no progress: another address, or another day
                raise
            logger.info("The connection was cut after %.1f MB; going on from there", part.stat().st_size / 1e6)
            continue
        try:
            _check(part, file)
            return
        except ValueError:
            os.truncate(part, 0)
            if not start:
                raise
            # what lay there was not the beginning of this file: once more, from nothing


def _append(part: Path, file: RemoteFile, url: str) -> None:
    """Ask for what the part lacks, or for all where the server cannot go on in the middle."""
    import requests  # slow to import, needed by few

    start = part.stat().st_size
    if start and start == file.bytes:
        return
    headers = {"Accept-Encoding": "identity"}  # the bytes as they are stored, also of a .gz
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:  # the part is as long, or too long
            return
        answer.raise_for_status()
        goes_on = answer.status_code == requests.codes.partial_content and _start_of(answer) == start
        if start and not goes_on:
            if answer.status_code == requests.codes.partial_content:
                raise ValueError(f"expected bytes from {start:,} on, got {answer.headers.get('Content-Range')!r}")
            os.truncate(part, 0)
        with naming(part), part.open("ab") as stream:
            try:
                for data in answer.iter_content(CHUNK):
                    stream.write(data)
                    if file.bytes is not None and stream.tell() > file.bytes:
                        break
            finally:
                stream.flush()
                os.fsync(stream.fileno())


def _start_of(answer: Any) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _check(part: Path, file: RemoteFile) -> None:
    size = part.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise ValueError(f"expected {file.bytes:,} bytes, got {'more' if size > file.bytes else f'{size:,}'}")
    found = file_hash(part, algorithm_of(file.hash))
    if found != file.hash:
        raise ValueError(f"expected {file.hash}, got {found}")


def _not_there(file: RemoteFile, path: Path, why: str) -> str:
    addresses = " or ".join(file.urls)
    return (
        f"Expected the file {file.name} in {path.parent}, but {why}. "
        f"Get it from {addresses} and lay it in {path.parent}, or name the folder above "
        f"that holds {path.parent.name}/ with --data-dir or ${DATA_DIR_VARIABLE}."
    )


def _in_short(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:200]
