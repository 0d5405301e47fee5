"""Options of reading that a recognised source has no use for are refused: whoever gives one expects something of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.reader import Reader

EVERYWHERE = frozenset({"target", "missing", "no_label", "label_type", "test_fraction"})
"""Options that every reader has a use for."""

STORED = frozenset({"target", "test_fraction"})
"""Of a stored set; all else was settled by its import."""


def check_used(path: Path, reader: Reader, options: ReadingOptions) -> None:
    """InputError for an option that means nothing for what `reader` reads."""
    used = EVERYWHERE | reader.uses
    for name in options.given:
        if name not in used:
            known = ", ".join(f"--{item.name}" for item in fields(options) if item.name in used)
            read = reader.schema.description
            raise InputError(f"{path}: expected no --{name} for {read}; leave it out. What counts here: {known}.")


def check_used_of_set(path: Path, options: ReadingOptions) -> None:
    """InputError for an option that a set has been imported with, or without."""
    for name in options.given:
        if name not in STORED:
            raise InputError(f"{path}: expected no --{name} for an imported set; import it again with --{name}.")
