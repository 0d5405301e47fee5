"""Write files whole or not at all, check beforehand that a place can be written to, and read YAML of plain values."""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from auxrnn.errors import InputError, is_text
from auxrnn.storage.numbers import NUMBER

ASIDE = re.compile(r"\..+\.(\d+)-([0-9a-f]{6})-[0-9a-f]{8}\.part")
"""The names that `aside_of` gives."""
LARGEST_DESCRIPTION = 2**28  # bytes of a file of settings or results
LONGEST_NUMBER = 100  # characters
PLAIN = r"(?![+-]?0[0-9])"  # 010 is no number in a file of settings, for it is 8 to some


Write = Callable[[Path], Any]
"""Fills the file that it is given."""


def write_atomically(path: Path, write: Write) -> None:
    """Let `write` fill a file beside `path`, flush it to the disk, and rename it. OSError with `path` where that fails.

    The file has the mode that any other new file has, or that of the one before it. What a killed process left of an
    earlier attempt is cleared away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_asides(path)
    aside = aside_of(path)
    try:
        with naming(path):
            aside.touch(exist_ok=False)
            mode = (path if path.is_file() else aside).stat().st_mode & 0o7777
            aside.unlink()
            write(aside)
            os.chmod(aside, mode)
            with open(aside, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(aside, path)
    except (RuntimeError, SafetensorError) as error:  # what torch and safetensors make of a full disk
        aside.unlink(missing_ok=True)
        raise OSError(f"{path}: could not be written: {str(error).splitlines()[0]}") from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put `path` into an OSError that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def aside_of(path: Path) -> Path:
    """A name beside `path` that no other process takes, on this machine or another that shares the folder."""
    return path.with_name(f".{path.name}.{os.getpid()}-{_this_host()}-{secrets.token_hex(4)}.part")


def clear_asides(path: Path) -> None:
    """Remove what ended processes of this machine have left beside `path`. A process looks once for each path."""
    if path in _cleared:
        return
    _cleared.add(path)
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}.") and is_left_over(left):
            remove(left)


def is_left_over(path: Path) -> bool:
    """Whether a process of this machine has given this name by `aside_of` and is gone."""
    found = ASIDE.fullmatch(path.name)
    return found is not None and found[2] == _this_host() and not _is_running(int(found[1]))


def remove(path: Path) -> None:
    """A file, or a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Flush the names in a folder to the disk. OSError with `path` where that fails."""
    if os.name == "nt":  # which opens no folder
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(folder)
    finally:
        os.close(folder)


_cleared: set[Path] = set()


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # which cannot be asked without harm
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


@cache
def _this_host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def check_place(path: Path) -> None:
    """InputError unless files can be made where `path` is or will be. Ask before long work; leaves nothing behind."""
    near = next(
        folder for folder in path.absolute().parents if os.path.exists(folder)
    )  # False, too, where one may not look
    try:
        with tempfile.TemporaryFile(dir=near):
            return
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path}: expected a place that can be written to, found that {near} cannot: {reason}. Choose another."
        ) from error


def check_outside(place: Path, source: Path) -> None:
    """InputError where `place` lies in the folder `source`: what is written there would be read as part of it."""
    if source.is_dir() and place.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"{place}: expected a place outside of {source}, whose files are read, got one within: it would be read "
            "with them the next time. Choose another --out."
        )


def read_description(path: Path) -> str:
    """A text file of settings or results; ValueError where it is larger than any of these, before it is read."""
    size = path.stat().st_size
    if size > LARGEST_DESCRIPTION:
        raise ValueError(f"{size:,} bytes, where {LARGEST_DESCRIPTION:,} are the most that such a file has")
    return path.read_text(encoding="utf-8")


@contextmanager
def named_in_utf8(path: Path) -> Iterator[str]:
    """A name of a file for libraries that take names in UTF-8 alone, as that of safetensors does."""
    if is_text(str(path)):
        yield str(path)
        return
    with open(path, "rb") as file:
        yield f"/dev/fd/{file.fileno()}"


def parse_yaml(text: str) -> Any:
    """What a YAML text says, of plain values alone.

    Numbers are decimal; what only YAML 1.1 takes for one (`1__0`, `1:30`, `010`, `.inf`) or for a date is a text.
    Raises yaml.YAMLError for other objects, for aliases (a few lines of aliases of aliases stand for more than any
    memory holds), for keys that come twice, and for numbers beyond any use.
    """
    import yaml

    class PlainLoader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 - so named by PyYAML
            first: [(tag, form) for tag, form in found if not tag.endswith((":int", ":float", ":timestamp"))]
            for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("an alias (*name); write out what it stands for")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [self.construct_object(name, deep=True) for name, _ in node.value]
            seen: set[Any] = set()
            for name in names:
                if isinstance(name, Hashable):  # what is not is refused below
                    if name in seen:
                        raise yaml.YAMLError(f"{name!r} twice; keep one")
                    seen.add(name)
            return super().construct_mapping(node, deep)

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            number = str(getattr(node, "value", "")) if str(node.tag).endswith((":int", ":float")) else ""
            if len(number) > LONGEST_NUMBER:
                raise yaml.YAMLError(f"a number of {len(number):,} characters, {number[:20]}...")
            try:
                found = super().construct_object(node, deep)
                if number and ("_" in number or not math.isfinite(found)):
                    raise ValueError
                return found
            except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
                kind = str(node.tag).rsplit(":", 1)[-1]
                raise yaml.YAMLError(f"{str(getattr(node, 'value', ''))[:40]!r}, which is no {kind}") from error

    for kind, form in (("int", "[+-]?[0-9]+"), ("float", NUMBER)):
        PlainLoader.add_implicit_resolver(
            f"tag:yaml.org,2002:{kind}", re.compile(f"{PLAIN}{form}$"), list("+-.0123456789")
        )
    return yaml.load(text, PlainLoader)  # a SafeLoader with less
