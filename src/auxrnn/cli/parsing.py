"""What all of the command line needs: a parser that names the nearest right word, kinds of values, exit codes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from auxrnn.errors import did_you_mean

FAILED, BAD_USE = 1, 2


class _Once(argparse.Action):
    """Stores a value; an option that is given twice is refused."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if option is not None:
            if option in (given := vars(namespace).setdefault("given", set())):
                raise argparse.ArgumentError(self, "was given twice; leave one out")
            given.add(option)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Names the nearest right option or command beside a misspelt one; options may stand between what has no name."""

    _intermixing = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("action", None, _Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As of argparse, which by itself refuses `stream RUN --follow FILE`."""
        plain = self._intermixing or self._subparsers is not None or "--" in (args or ())
        if plain or not self._get_positional_actions():
            return super().parse_known_args(args, namespace)
        self._intermixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixing = False

    def error(self, message: str) -> NoReturn:
        words = re.findall(r"unrecognized arguments: (\S+)|invalid choice: '([^']*)'", message)
        word = "".join(words[0]).split("=")[0] if words else ""
        choices = self._option_string_actions if word.startswith("-") else self._choices()
        self.exit(BAD_USE, f"{self.prog}: {message}.{did_you_mean(word, choices)} See {self.prog} --help.\n")

    def _choices(self) -> list[str]:
        return [str(choice) for action in self._actions for choice in action.choices or ()]


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def take_watch(words: Sequence[str]) -> tuple[int | None, list[str]]:
    """The port of `--watch PORT`, 0 for `--watch` alone and None without it, and the other words."""
    own = Parser(prog="auxrnn train", add_help=False, allow_abbrev=False)
    own.add_argument("--watch", type=port)
    marked = list(words)
    for place, (word, following) in enumerate(zip(words, [*words[1:], ""], strict=True)):
        if word == "--watch" and not following.isdecimal():
            marked[place] = "--watch=0"
    options, others = own.parse_known_args(marked)
    return options.watch, others


def with_underscores(words: Sequence[str]) -> list[str]:
    """`--data-dir` is `--data_dir`; a value after `=` and all that follows a lone `--` stay as they are."""
    options = list(words)[: words.index("--")] if "--" in words else list(words)
    for index, word in enumerate(options):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            options[index] = name[:2] + name[2:].replace("-", "_") + equals + value
    return [*options, *words[len(options) :]]
