"""Where data files lie, and how they get there: laid by hand, or downloaded and checked by hash.

Files of the data set `mnist` lie in `<data folder>/mnist/`. Knows nothing of what is inside a file.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from auxrnn.errors import InputError

DATA_DIR_VARIABLE = "AUXRNN_DATA_DIR"
TIMEOUT_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """One published file: name, hash as `md5:...` or `sha256:...`, size in bytes, the addresses to try in turn."""

    name: str
    hash: str
    bytes: int
    urls: tuple[str, ...]


def data_folder(given: str | Path | None = None) -> Path:
    """The folder of all data sets: `given`, else `$AUXRNN_DATA_DIR`, else the user's cache. It may not exist yet."""
    chosen = given if given is not None else os.environ.get(DATA_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import pooch  # slow to import, needed by few

    return Path(pooch.os_cache("auxrnn"))


def fetch(file: RemoteFile, folder: Path, dataset: str, *, download: bool = True) -> Path:
    """The path `folder/dataset/file.name`, downloaded first if nothing lies there.

    A file laid there by hand is used as it is; the parser judges it, and `auxrnn data verify` compares its hash. A
    download is written beside its final name, checked by size and hash, flushed, then renamed: what bears the final
    name is always whole. InputError if there is no file and `download` is off or every address fails.
    """
    path = folder / dataset / file.name
    if path.is_file():
        return path
    if path.exists():
        raise InputError(f"{path}: expected a file, found something else there.")
    if not download:
        raise InputError(_not_there(file, path, "it is not there, and downloading is switched off"))
    failures = []
    for url in file.urls:
        logger.info("Downloading %s (%.1f MB) from %s", file.name, file.bytes / 1e6, url)
        try:
            _download(url, file, path)
            return path
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            failures.append(f"{url} ({_in_short(error)})")
            logger.info("That failed: %s", _in_short(error))
    raise InputError(_not_there(file, path, "no address gave it: " + "; ".join(failures)))


def file_hash(path: Path, algorithm: str) -> str:
    """The hash of the file's bytes in the form `algorithm:hex`, e.g. `md5:...`; reads the file once, in pieces."""
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def algorithm_of(known_hash: str) -> str:
    """`md5` of `md5:f68b...`."""
    return known_hash.partition(":")[0]


def _download(url: str, file: RemoteFile, path: Path) -> None:
    """OSError or ValueError if the address does not give the file whole and right; then nothing is left behind."""
    import pooch

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS)(url, stream, None)
            stream.flush()
            os.fsync(stream.fileno())
        size = part.stat().st_size
        if size != file.bytes:
            raise ValueError(f"expected {file.bytes:,} bytes, got {size:,}")
        found = file_hash(part, algorithm_of(file.hash))
        if found != file.hash:
            raise ValueError(f"expected {file.hash}, got {found}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
