"""Files written whole or as they were, whatever happens in between; whether they can be; YAML of plain values."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError

LARGEST_DESCRIPTION = 2**28  # bytes of a file of settings or results
LONGEST_NUMBER = 100  # characters


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, flush it to the disk, and rename it. OSError where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")  # machines may share the folder
    try:
        write(aside)
        with open(aside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except RuntimeError as error:  # what torch makes of a full disk
        aside.unlink(missing_ok=True)
        raise OSError(f"{path}: could not be written: {str(error).splitlines()[0]}") from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def check_place(path: Path) -> None:
    """InputError unless files can be made where `path` is or will be: to be asked before long work. Leaves nothing."""
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
    """InputError where what is written to `place` would lie in the folder `source` and be read as part of it."""
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


def parse_yaml(text: str) -> Any:
    """What a YAML text says, of plain values alone.

    Raises yaml.YAMLError for other objects, for aliases (a few lines of aliases of aliases stand for more than any
    memory holds), for keys that come twice, and for numbers beyond any use, also as 0x... and 1:59:59.
    """
    import yaml

    class PlainLoader(yaml.SafeLoader):
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
                return super().construct_object(node, deep)
            except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
                kind = str(node.tag).rsplit(":", 1)[-1]
                raise yaml.YAMLError(f"{str(getattr(node, 'value', ''))[:40]!r}, which is no {kind}") from error

    return yaml.load(text, PlainLoader)  # a SafeLoader with less
