"""The options of `auxrnn train`: a YAML file, dotted overrides and --print_config, made from the run's dataclasses."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import yaml

from auxrnn.config import GROUPS, MODELS, RECIPES, RunConfig, recipe_settings
from auxrnn.config.checks import checked_setting
from auxrnn.config.reading import ReadingOptions, option_help
from auxrnn.errors import InputError, did_you_mean
from auxrnn.sources.presets import path_of
from auxrnn.storage.files import parse_yaml, read_description

USAGE = "auxrnn train [DATA] [--config FILE] [--OPTION VALUE ...]"
ABOUT = "Train a model and evaluate it at the end. (?) marks a choice that the paper leaves open."
CONFIG = "a YAML file of these options, as --print_config prints it; or RECORD#RUN, to train a recorded run again"
WATCH = "show the run on a page that follows it, at this port of 127.0.0.1 (default: any that is free)"
SHOW = "print the configuration with all other options, and end"

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}
"""The types of settings, as they are told to people."""


@dataclass(frozen=True)
class Setting:
    """One field of a dataclass as an option. name: with its group, `aux.weight`. kinds: the types that it takes."""

    name: str
    owner: type
    field: Field[Any]
    kinds: tuple[Any, ...]

    @property
    def option(self) -> str:
        """As people say it: `--text` is short for `--reading.text`."""
        return f"--{self.name.removeprefix('reading.')}"

    @property
    def help(self) -> str:
        return option_help(self.owner, self.field.name)

    @property
    def choices(self) -> list[str]:
        return [choice for kind in self.kinds if get_origin(kind) is Literal for choice in get_args(kind)]

    def read(self, text: str) -> Any:
        """The value that a word on the command line stands for."""
        if text in self.choices or not text.strip():
            return text
        if str in self.kinds:
            return None if text == "null" and NoneType in self.kinds else text
        try:
            return parse_yaml(text)
        except yaml.YAMLError:
            return text

    def check(self, value: Any, given: Any) -> Any:
        """A value as the field declares it; InputError that names what was `given` for it."""
        try:
            return checked_setting(self.owner, self.field.name, value)
        except InputError as error:
            told = [" or ".join(map(repr, get_args(kind))) or WORDS[kind] for kind in self.kinds]
            near = did_you_mean(given, self.choices) if isinstance(given, str) else ""
            raise InputError(f"Expected {self.option} to be {' or '.join(told)}, got {given!r}.{near}") from error


def _settings() -> Iterator[Setting]:
    for group, owner in {"": RunConfig, **GROUPS}.items():
        hints = get_type_hints(owner)
        for item in fields(owner):
            if group or item.name not in GROUPS:
                hint = hints[item.name]
                kinds = (hint,) if get_origin(hint) in (None, Literal) else get_args(hint)
                yield Setting(f"{group}.{item.name}".removeprefix("."), owner, item, kinds)


SETTINGS = {setting.name: setting for setting in _settings()}
NAMES = {name: name for name in SETTINGS} | {setting.option[2:]: name for name, setting in SETTINGS.items()}
"""What may be said, and the setting that it stands for."""

VALUED = {"config", *NAMES, *GROUPS}
"""Options that a value follows; of a group it is refused, in words of its own."""


def parse_run_config(arguments: Sequence[str]) -> RunConfig:
    """The configuration that the words after `auxrnn train` describe; InputError for any that do not fit."""
    return parse_given(arguments)[0]


def parse_given(arguments: Sequence[str]) -> tuple[RunConfig, frozenset[str]]:
    """`parse_run_config`, and the names of the settings that were said, on the command line or in a file."""
    files: list[str] = []
    in_files: dict[str, Any] = {}
    in_words: dict[str, Any] = {}
    shown = False
    for name, text in _split(arguments):
        if name == "print_config":
            shown = True
        elif name == "config":
            files.append(text)
            in_files |= _read_file(text)
        elif name in in_words:
            if name == "data":
                raise InputError(f"Expected one data set, got {' '.join(arguments)!r}. Usage: {USAGE}")
            raise InputError(f"{SETTINGS[name].option} was given twice; leave one out.")
        else:
            setting = SETTINGS[name]
            in_words[name] = setting.check(setting.read(text), text)
    said = in_files | in_words
    try:
        config = _completed(said)
    except InputError as error:
        if not files or _is_fault_of(in_words, error):
            raise
        raise InputError(f"{', '.join(files)}: {error}") from error
    if shown:
        print(yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True), end="")
        raise SystemExit(0)
    return config, frozenset(name.partition(".")[0] for name in said)


def _split(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option's name and value. A word that is neither an option nor an option's value is the data."""
    words = iter(arguments)
    for word in words:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("-"):
            yield "data", word
        elif word in ("-h", "--help"):
            _help()
        elif word == "--print_config":
            yield "print_config", ""
        elif name in ("print_config", "help"):
            raise InputError(f"argument --{name}: takes no value, got {word}; leave the value out.")
        elif word.startswith("--") and name in VALUED:
            value = text if equals else next(words, None)
            if value is None or (not equals and _is_option(value)):
                raise InputError(f"argument --{name}: expected one argument")
            if name in GROUPS:
                raise InputError(f"Expected --{name}.OPTION VALUE, got --{name} {value}.")
            yield NAMES.get(name, name), value
        else:
            known = ["--config", "--print_config", "--help", *(setting.option for setting in SETTINGS.values())]
            said = word.partition("=")[0]
            raise InputError(f"Expected an option of auxrnn train, got {said}.{did_you_mean(said, known)}")


def _is_fault_of(words: dict[str, Any], error: InputError) -> bool:
    """Whether settings give an error by themselves."""
    try:
        _completed(words)
    except InputError as own:
        return str(own) == str(error)
    return False


def _is_option(word: str) -> bool:
    name = word.removeprefix("--").partition("=")[0]
    return word.startswith("--") and name in (*VALUED, "print_config", "help")


def reading_settings() -> list[Setting]:
    """How files of one's own are read."""
    return [setting for setting in SETTINGS.values() if setting.owner is ReadingOptions]


def said_of_reading(options: argparse.Namespace) -> dict[str, Any]:
    """What was said by options of those names, left as texts; InputError for any that do not fit."""
    said = {one.field.name: (one, getattr(options, one.field.name, None)) for one in reading_settings()}
    return {name: one.check(one.read(text), text) for name, (one, text) in said.items() if text is not None}


def reading_of(options: argparse.Namespace) -> ReadingOptions:
    """All of it, with what was not said."""
    return ReadingOptions(**said_of_reading(options))


def _completed(said: dict[str, Any]) -> RunConfig:
    """The configuration with all that was not said: by its recipe, or the default."""
    recipe = said.get("recipe") or ("modern" if path_of(said.get("data", RunConfig.data)) else RunConfig.recipe)
    settings = {"recipe": recipe, **recipe_settings(recipe, said)}
    unlabelled = said.get("unlabelled") or said.get("reading.no_label") == "learn"
    if unlabelled and not MODELS[settings["model"]]:
        settings["model"] = "p-lstm"
    settings |= said
    groups: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
    for name in [name for name in settings if "." in name]:
        group, _, own = name.partition(".")
        groups[group][own] = settings.pop(name)
    return RunConfig(**settings, **{name: GROUPS[name](**own) for name, own in groups.items()})


def _read_file(place: str) -> dict[str, Any]:
    """The settings in a YAML file, or of a recorded run, by their whole names."""
    if "#" in place and not Path(place).exists():
        from auxrnn.experiments.grids.records import find_record  # brings torch with it

        content: Any = find_record(place).config.to_dict()
    else:
        content = _parsed(Path(place))
    entries: dict[str, Any] = {}
    for name, value in content.items():
        own = {f"{name}.{inner}": one for inner, one in value.items()} if name in GROUPS else {name: value}
        for twice in own.keys() & entries.keys():
            raise InputError(f"{place}: {twice} was given twice, with a dot and in its group; leave one out.")
        entries |= own
    for name, value in entries.items():
        if name not in SETTINGS:
            near = did_you_mean(str(name), list(SETTINGS))
            raise InputError(f"{place}: expected entries as --print_config shows, got {name!r}.{near}")
        try:
            entries[name] = SETTINGS[name].check(value, value)
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
    return entries


def _parsed(path: Path) -> dict[Any, Any]:
    """The entries of a YAML file, and of its groups; InputError for anything else."""
    try:
        content = parse_yaml(read_description(path))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: bytes, or a date that is none
        what = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise InputError(f"{path}: expected a YAML file of options as --print_config shows, found: {what}.") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise InputError(f"{path}: expected entries as --print_config shows, found {found}.")
    for name in GROUPS:
        if not isinstance(content.get(name, {}), dict):
            raise InputError(f"{path}: expected {name} to be a group of options, found {content[name]!r}.")
    return content


def _help() -> NoReturn:
    parser = argparse.ArgumentParser(prog="auxrnn train", usage=USAGE, description=ABOUT)
    add_options(parser)
    parser.add_argument("--watch", metavar="PORT", type=int, nargs="?", help=WATCH)
    parser.print_help()
    raise SystemExit(0)


def _told_default(setting: Setting) -> str:
    """What stands where nothing is said, in words: by recipe where these differ."""
    name, default = setting.field.name, setting.field.default
    values = {recipe: settings.get(name, default) for recipe, settings in RECIPES.items()}
    if setting.owner is RunConfig and len(set(values.values())) > 1:
        return f" (default: {', '.join(f'{_as_said(value)} in {recipe}' for recipe, value in values.items())})"
    return "" if default in (None, MISSING) else f" (default: {_as_said(default)})"


def _as_said(value: Any) -> str:
    return "null" if value is None else str(value).lower()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add every option of `auxrnn train`, for help and completion: `parse_given` reads them by itself."""
    parser.add_argument("--config", metavar="FILE", help=CONFIG)
    parser.add_argument("--print_config", action="store_true", help=SHOW)
    titles = {RunConfig: "the run", ReadingOptions: "how files of one's own are read"}
    groups = {
        owner: parser.add_argument_group(titles.get(owner, f"{name} options"))
        for name, owner in {"": RunConfig, **GROUPS}.items()
    }
    for setting in SETTINGS.values():
        words = ["true", "false"] if bool in setting.kinds else [] if int in setting.kinds else setting.choices
        groups[setting.owner].add_argument(
            setting.option,
            choices=words or None,
            metavar=f"{{{','.join(words)}}}" if words else setting.field.name.upper(),
            help=setting.help + _told_default(setting),
        )
