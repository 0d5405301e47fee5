"""From an estimator's parameters to the settings of a model and of a training, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from numbers import Integral
from types import NoneType
from typing import Any, ParamSpec, TypeVar

import numpy as np
from sklearn.utils import check_random_state

from auxrnn.config import (
    RECIPES,
    AuxiliaryConfig,
    ModelConfig,
    RunConfig,
    TransformerConfig,
    checked_setting,
    recipe_settings,
)
from auxrnn.errors import InputError, did_you_mean
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.remedies import changed_setting

Group = TypeVar("Group", AuxiliaryConfig, TransformerConfig)
Given = ParamSpec("Given")

AUXILIARIES = {None: "lstm", "reconstruct": "r-lstm", "predict": "p-lstm", "both": "rp-lstm"}
"""The values of `aux`, and the model that each one is."""

AUTO = "auto"
"""Stands for what the recipe or the data say."""

APART = ("aux", "model", "aux_options", "transformer", "random_state", "recipe")
_SETTINGS = frozenset(item.name for item in fields(RunConfig))


def config_of(given: Mapping[str, Any]) -> tuple[RunConfig, frozenset[str]]:
    """The parameters as the rooms below take them, and the names of those that are not left to recipe and data.

    InputError for a parameter that cannot be used.
    """
    aux, named, recipe = given["aux"], given["model"], given["recipe"]
    if not isinstance(recipe, str) or recipe not in RECIPES:
        names = list(RECIPES)
        raise InputError(f"Expected recipe of {', '.join(names)}, got {recipe!r}.{did_you_mean(str(recipe), names)}")
    if not isinstance(aux, str | NoneType) or aux not in (*AUXILIARIES, AUTO):
        names = [*(name for name in AUXILIARIES if name), AUTO]
        raise InputError(f"Expected aux of {', '.join(names)} or None, got {aux!r}.{did_you_mean(str(aux), names)}")
    if named is not None and aux not in (None, AUTO):
        raise InputError(f"Expected aux or model, got aux={aux!r} and model={named!r}; leave one out.")
    said = {name: value for name, value in given.items() if not _is_auto(value) and name not in APART}
    if named is not None or aux != AUTO:
        said["model"] = AUXILIARIES[aux] if named is None else named
    settings: dict[str, Any] = {
        **recipe_settings(recipe, said),
        **{name: value for name, value in said.items() if name in _SETTINGS},
        "recipe": recipe,
        "aux": _group("aux_options", given["aux_options"], AuxiliaryConfig),
        "transformer": _group("transformer", given["transformer"], TransformerConfig),
        "seed": _seed(given["random_state"]),
        "checkpoint_steps": None,
        "checkpoint_minutes": None,
    }
    plain = {name for name, value in said.items() if value is not None or name in ("projection_size", "gradient_clip")}
    return RunConfig(**settings), frozenset(plain & _SETTINGS)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == AUTO


def parameters_of(config: ModelConfig) -> dict[str, Any]:
    """The parameters that give such a model, those of training at their defaults."""
    found = asdict(config)
    options = _changed(found.pop("aux"), AuxiliaryConfig)
    sizes = _changed(found.pop("transformer"), TransformerConfig)
    by_aux = {model: aux for aux, model in AUXILIARIES.items()}
    named = found.pop("model")
    kind = {"aux": by_aux[named]} if named in by_aux else {"model": named}
    return {**found, **kind, "aux_options": options or None, "transformer": sizes or None}


def remedies(config: RunConfig, train: SequenceData) -> Callable[[str], str]:
    """What to write next, by what is wrong with the model that an estimator with these settings became on `train`."""

    def again(changes: Mapping[str, Any]) -> str:
        return f"clf.set_params({', '.join(f'{name}={value!r}' for name, value in changes.items())}).fit(X, y)"

    def remedy(state: str) -> str:
        match state:
            case "floor" | "below":
                return "print(clf.floors_)"
            case "untold":
                return again({"validation_fraction": 0.3})
        changes = changed_setting(state, config, train)
        sizes = {name.partition(".")[2]: changes.pop(name) for name in list(changes) if "." in name}
        if sizes:
            changes["transformer"] = _changed(asdict(config.transformer), TransformerConfig) | sizes
        return again(changes) if changes else ""

    return remedy


def and_parameters_of(base: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For an `__init__` that hands its other parameters on to that of `base`: they are its own for scikit-learn."""

    def decorate(init: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in signature(init).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        handed_on = list(signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        init.__signature__ = Signature([*own, *handed_on])  # type: ignore[attr-defined]
        return with_hint(init)

    return decorate


def with_hint(init: Callable[Given, None]) -> Callable[Given, None]:
    """For an `__init__` of keywords: a misspelt one is the TypeError that it always is, with the nearest right name."""
    names = list(signature(init).parameters)[1:]

    @wraps(init)
    def hinting(*given: Given.args, **named: Given.kwargs) -> None:
        for name in named:
            if name not in names:
                owner = type(given[0]).__name__
                raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}.{did_you_mean(name, names)}")
        init(*given, **named)

    return hinting


def _seed(state: Any) -> int:
    if state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(state, Integral) and not isinstance(state, bool):
        if state < 0:
            raise InputError(f"Expected random_state of at least 0, got {state}.")
        return int(state)
    try:
        return int(check_random_state(state).randint(2**31 - 1))
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"Expected random_state to be a whole number, a RandomState or None, got {state!r}."
        ) from error


def _group(name: str, options: Any, kind: type[Group]) -> Group:
    """A group of settings from the dict that the parameter `name` holds."""
    if not isinstance(options, dict | NoneType):
        raise InputError(f"Expected {name} to be a dict or None, got {options!r}.")
    allowed = [item.name for item in fields(kind)]
    for option in options or {}:
        if option not in allowed:
            hint = did_you_mean(str(option), allowed)
            raise InputError(f"Expected {name} of {', '.join(allowed)}, got {option!r}.{hint}")
    return kind(
        **{option: checked_setting(kind, option, value, f"{name}.") for option, value in (options or {}).items()}
    )


def _changed(settings: dict[str, Any], kind: type[Group]) -> dict[str, Any]:
    """The settings of a group that are not at their default."""
    default = asdict(kind())
    return {name: value for name, value in settings.items() if value != default[name]}
