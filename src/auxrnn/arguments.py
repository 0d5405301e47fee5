"""The options of `auxrnn train`: a YAML file, dotted overrides and --print_config, made from the run's dataclasses."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

import yaml
from jsonargparse import ArgumentParser

from auxrnn.config import GROUPS, MODELS, RunConfig, recipe_settings
from auxrnn.errors import InputError, did_you_mean
from auxrnn.files import NUMBER, parse_yaml, read_description
from auxrnn.grids.records import find_record
from auxrnn.reading import ReadingOptions
from auxrnn.sources.presets import path_of

USAGE = "auxrnn train [DATA] [--config FILE] [--OPTION VALUE ...]"
NUMERIC = frozenset(
    f"{group}{name}"
    for group, owner in {"": RunConfig, **{f"{name}.": kind for name, kind in GROUPS.items()}}.items()
    for name, hint in get_type_hints(owner).items()
    if {int, float} & {hint, *get_args(hint)}
)
"""The settings that hold numbers."""

SHORT = {f"--{item.name}" for item in fields(ReadingOptions)}
"""What may be said without `reading.` before it."""


def parse_run_config(arguments: Sequence[str]) -> RunConfig:
    """The configuration that the words after `auxrnn train` describe; InputError for any that do not fit."""
    return parse_given(arguments)[0]


def parse_given(arguments: Sequence[str]) -> tuple[RunConfig, frozenset[str]]:
    """`parse_run_config`, and the names of the settings that were said, on the command line or in a file."""
    about = "Train a model and evaluate it at the end."
    parser = _ConfigParser(prog="auxrnn train", usage=USAGE, description=about, allow_abbrev=False)
    told = "a YAML file of these options, as --print_config prints it; or RECORD#RUN, to train a recorded run again"
    parser.add_argument("--config", action="config", help=told)
    parser.add_class_arguments(RunConfig)
    given = _in_order(arguments)
    words = [word for word in given if not word.startswith("--print_config")]
    said = vars(parser.parse_args(words, defaults=False))
    recipe = said.get("recipe") or ("modern" if path_of(said.get("data", RunConfig.data)) else RunConfig.recipe)
    settings = recipe_settings(recipe, said)
    unlabelled = said.get("unlabelled") or getattr(said.get("reading"), "no_label", None) == "learn"
    if unlabelled and not MODELS[settings["model"]]:
        settings["model"] = "p-lstm"
    parser.set_defaults({"recipe": recipe, **settings})
    made = parser.instantiate(parser.parse_args(words))
    config = RunConfig(**{name: value for name, value in vars(made).items() if name != "config"})
    if len(words) < len(given):
        parser.parse_args(given)  # shows the configuration, which is one, and ends
    return config, frozenset(said) - {"config"}


class _ConfigParser(ArgumentParser):
    """Says what is wrong in one line, with the nearest right option beside a misspelt one."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        options = [_as_said(option) for option in self._option_string_actions if option.startswith("--")]
        misspelt = re.match(r"unrecognized arguments: (\S+)", message)
        if misspelt:
            word = _as_said(misspelt[1].split("=")[0])
            raise InputError(f"Expected an option of auxrnn train, got {word}.{did_you_mean(word, options)}")
        entry = re.search(r"(?:Group '(\w+)' does not accept option|Option) '([\w.]+)'", message)
        if entry:
            word = ".".join(part for part in entry.groups() if part)
            names = [option.removeprefix("--") for option in options]
            raise InputError(f"Expected entries as --print_config shows, got {word!r}.{did_you_mean(word, names)}")
        value = re.match(r"Parser key \"([\w.]+)\":(.*)", message, re.DOTALL)
        said = _as_said(f"--{value[1]}") if value else ""
        if value and "Given value:" in message:
            kinds = re.findall(r"- Expected an? (.+)", message)
            given = message.rsplit("Given value:", 1)[1].strip()
            raise InputError(f"Expected {said} to be {' or '.join(map(_kind, kinds))}, got {given!r}.")
        if value and "Got value:" in message:
            kind, given = re.split(r"\. Got value: ?", value[2].strip().removeprefix("Expected a "), maxsplit=1)
            choices = re.findall(r"'([^']+)'", kind) if "Literal" in kind else []
            raise InputError(f"Expected {said} to be {_kind(kind)}, got {given!r}.{did_you_mean(given, choices)}")
        group = re.match(r"Parser key \"([\w.]+)\":\s+Unable to load config '(.*?)'", message)
        if group:
            raise InputError(f"Expected --{group[1]}.OPTION VALUE, got --{group[1]} {group[2]}.")
        raise InputError(" ".join(message.split()))


def _as_said(option: str) -> str:
    """`--reading.text` as people say it, `--text`; all others as they are."""
    short = option.replace("--reading.", "--", 1)
    return short if short in SHORT else option


def _kind(text: str) -> str:
    """jsonargparse's name of a type in words: `<class 'int'>` is an int, `typing.Literal['full']` is 'full'."""
    literal = re.search(r"Literal\[(.*)\]", text)
    if literal:
        return " or ".join(literal[1].split(", "))
    named = {
        "<class 'int'>": "a whole number",
        "<class 'float'>": "a number",
        "<class 'bool'>": "true or false",
        "<class 'NoneType'>": "null",
    }
    return named.get(text.strip(), text.strip())


def _in_order(arguments: Sequence[str]) -> list[str]:
    """Config files first, so that an option counts wherever it stands; DATA named as an option, wherever it stands.

    DATA is a word that is neither an option nor an option's value.
    """
    files: list[str] = []
    named: list[str] = []
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            named.append(f"--data={word}")
            continue
        if word.partition("=")[0] in SHORT:
            word = f"--reading.{word.removeprefix('--')}"
        has_value = word.startswith("--") and "=" not in word and word not in ("--print_config", "--help")
        value = next(words, None) if has_value else None
        name, _, joined = word.removeprefix("--").partition("=")
        _check_number(name, joined if value is None else value)
        whole = [word] if value is None else [f"{word}={value}"] if value.startswith("-") else [word, value]
        if word.partition("=")[0] == "--config":
            place = value if value is not None else word.partition("=")[2]
            if "#" in place and not Path(place).exists():
                whole = [f"--config={json.dumps(find_record(place).config.to_dict())}"]
            elif value is not None or "=" in word:
                _check_file(Path(place))
            files += whole
        else:
            named += whole
    if sum(word.partition("=")[0] == "--data" for word in named) > 1:
        raise InputError(f"Expected one data set, got {' '.join(arguments)!r}. Usage: {USAGE}")
    return files + named


def _check_number(name: str, value: Any) -> None:
    """InputError for a text that jsonargparse takes for the number of a setting, as YAML 1.1 does: `1__0`, `1:30`."""
    wanted = name in NUMERIC and isinstance(value, str) and re.match(r"\s*[+-]?[.0-9]", value)
    if wanted and not NUMBER.match(value.strip()):
        raise InputError(f"Expected {_as_said(f'--{name}')} to be a decimal number, got {value!r}.")


def _check_file(path: Path) -> None:
    """InputError unless `path` is a YAML file of entries; which entries, the parser judges."""
    try:
        content = parse_yaml(read_description(path))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: bytes, or a date that is none
        what = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise InputError(f"{path}: expected a YAML file of options as --print_config shows, found: {what}.") from error
    for name in GROUPS:
        if isinstance(content, dict) and not isinstance(content.get(name, {}), dict):
            raise InputError(f"{path}: expected {name} to be a group of options, found {content[name]!r}.")
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise InputError(f"{path}: expected entries as --print_config shows, found {found}.")
    for name, value in content.items():
        for inner, number in value.items() if name in GROUPS else ():
            _check_number(f"{name}.{inner}", number)
        _check_number(name, value)
