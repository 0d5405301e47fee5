"""What a setting may hold, checked wherever the value came from."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from auxrnn.errors import InputError, did_you_mean

MOST_LAYERS = 1000
"""Of anything: each is an object of its own, and a damaged file may ask for millions."""

MOST_AT_ONCE = 1024
"""Threads or processes of one run."""

MOST_NUMBERED = 2**24
"""Cells of a network, sequences a step, anchors a sequence: beyond any memory."""


def check_types(config: Any, owner: type, where: str = "") -> None:
    """Let every field that `owner` declares hold what it declares, wherever the values came from."""
    for item in fields(owner):
        object.__setattr__(config, item.name, checked_setting(owner, item.name, getattr(config, item.name), where))


@cache
def _hints(owner: type) -> dict[str, Any]:
    return get_type_hints(owner)


def checked_setting(owner: type, name: str, value: Any, where: str = "") -> Any:
    """A value as the field `name` of the dataclass `owner` declares it; whole and real numbers become Python's own."""
    hint = _hints(owner)[name]
    if is_dataclass(hint) and isinstance(value, hint):  # type: ignore[arg-type]
        return value
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    choices = [choice for member in members if get_origin(member) is Literal for choice in get_args(member)]
    if value is None and NoneType in members:
        return None
    if isinstance(value, str) and (value in choices or str in members):
        return value
    if isinstance(value, bool):
        if bool in members:
            return value
    else:
        if int in members and isinstance(value, Integral):
            return int(value)
        if float in members and isinstance(value, Real) and math.isfinite(value):
            return float(value)
    words = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false", NoneType: "None"}
    words |= dict.fromkeys(filter(is_dataclass, members), "a group of options")
    expected = [*(repr(choice) for choice in choices), *(words[member] for member in members if member in words)]
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise InputError(f"Expected {where}{name} to be {' or '.join(expected)}, got {value!r}.{near}")


def at_least(name: str, value: object, least: int) -> None:
    if isinstance(value, int | float) and not value >= least:
        raise InputError(f"Expected {name} of at least {least}, got {value}.")


def at_most(name: str, value: object, most: int) -> None:
    if isinstance(value, int | float) and not value <= most:
        raise InputError(f"Expected {name} of at most {most}, got {value}.")


def within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"Expected {name} between {low} and {high}, got {value}.")
