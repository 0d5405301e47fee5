"""Completion by Tab: shtab writes a script for a shell from the parser of every command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from auxrnn.errors import InputError
from auxrnn.experiments.arguments import WATCH, add_options

SHELLS = ("bash", "zsh", "fish")


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script for the shell to read at its start, with the options of train, tune and baseline too."""
    try:
        import shtab
    except ImportError as error:
        raise InputError("Expected shtab for completion, found none: pip install 'auxrnn[completion]'.") from error
    verbs = dict(_verbs(parser))
    for name in ("train", "tune", "baseline"):
        verbs[name].add_argument("data", help="a data set, a file or a folder")
        add_options(verbs[name])
    verbs["train"].add_argument("--watch", metavar="PORT", type=int, nargs="?", help=WATCH)
    for verb in verbs.values():
        for action in verb._actions:
            if action.choices is None and action.type is None and action.nargs != 0:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _verbs(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()
