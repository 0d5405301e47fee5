"""What the columns of a training file are for, handed on to files that are read like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auxrnn.reading import ReadingOptions


def with_roles(options: ReadingOptions, columns: Mapping[str, str]) -> ReadingOptions:
    """Options that name each column as the training file had it. columns: as of a `Form`."""
    roles: dict[str, Any] = dict(columns)
    return replace(options, **roles)
