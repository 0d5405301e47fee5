"""Where data files lie and what is published of each; `downloads` gets them. Knows nothing of what is in a file.

Files of the data set `mnist` lie in `<data folder>/mnist/`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_dir

DATA_DIR_VARIABLE = "AUXRNN_DATA_DIR"


@dataclass(frozen=True)
class RemoteFile:
    """One published file: name, hash as `md5:...` or `sha256:...`, size in bytes (None: not published), the addresses
    to try in turn.
    """

    name: str
    hash: str
    bytes: int | None
    urls: tuple[str, ...]


def data_folder(given: str | Path | None = None) -> Path:
    """The folder of all data sets: `given`, else `$AUXRNN_DATA_DIR`, else the user's cache. It may not exist yet."""
    chosen = given if given is not None else os.environ.get(DATA_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(user_cache_dir("auxrnn"))


def file_hash(path: Path, algorithm: str) -> str:
    """The hash of the file's bytes in the form `algorithm:hex`, e.g. `md5:...`; reads the file once, in pieces."""
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def algorithm_of(known_hash: str) -> str:
    """`md5` of `md5:f68b...`."""
    return known_hash.partition(":")[0]
