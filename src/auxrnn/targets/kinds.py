"""The targets by kind, and the target that a name, a number or an entry of config.json stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auxrnn.errors import InputError, did_you_mean
from auxrnn.targets.base import Target
from auxrnn.targets.classes import ClassTarget
from auxrnn.targets.multilabel import ClassesTarget
from auxrnn.targets.scores import BALANCED, Score
from auxrnn.targets.tags import TagsTarget
from auxrnn.targets.values import ValueTarget

KINDS: dict[str, type[Target]] = {kind.kind: kind for kind in (ClassTarget, ClassesTarget, ValueTarget, TagsTarget)}
SCORES = {
    **{name: score for kind in KINDS.values() for name, score in kind.scored.items()},
    BALANCED: Score("balanced accuracy"),
}
"""What each score is called, by its name in files."""


def as_target(found: Target | int) -> Target:
    """A target as it is; a number stands for so many classes, one a sequence."""
    return found if isinstance(found, Target) else ClassTarget(tuple(map(str, range(found))))


def target_of(names: tuple[str, ...], content: Mapping[str, Any] | None) -> Target:
    """The target that config.json describes; one class a sequence where it says nothing.

    Raises InputError for an unknown kind or entries that do not fit it.
    """
    if content is None:
        return ClassTarget(names)
    kind = content["kind"]
    if kind not in KINDS:
        raise InputError(f"expected a target of {', '.join(KINDS)}, found {kind!r}.{did_you_mean(str(kind), KINDS)}")
    return KINDS[kind].from_dict(names, content)
