"""Readers after each other, each of training, validation or test data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.own.rows import Form, Reader, Row, Split


class JoinedReader:
    """The rows of each part with its split; InputError where the parts are not of one form. notes: to be told too."""

    def __init__(self, parts: tuple[tuple[Reader, Split], ...], notes: tuple[str, ...] = ()) -> None:
        self._parts = parts
        forms = [reader.form for reader, _ in parts]
        for (reader, _), form in zip(parts, forms, strict=True):
            if _alike(form) != _alike(forms[0]):
                raise InputError(
                    f"{reader.files[0]}: expected {forms[0].description} as in {parts[0][0].files[0]}, "
                    f"found {form.description}."
                )
        told = [note for form in forms for note in form.notes]
        self._form = replace(
            forms[0],
            description=f"{_counted(parts)}, {'each ' if len(parts) > 1 else ''}a {forms[0].description}",
            notes=(*notes, *dict.fromkeys(told)),
        )

    @property
    def form(self) -> Form:
        return self._form

    @property
    def files(self) -> list[Path]:
        return [path for reader, _ in self._parts for path in reader.files]

    @property
    def uses(self) -> frozenset[str]:
        return frozenset().union(*(reader.uses for reader, _ in self._parts))

    def rows(self, skip: int = 0) -> Iterator[Row]:
        index = 0
        for reader, split in self._parts:
            for row in reader.rows():
                index += 1
                if index > skip:
                    yield replace(row, split=split)


def _counted(parts: tuple[tuple[Reader, Split], ...]) -> str:
    """`train and test`, or how many files there are of each."""
    numbers = Counter(split for _, split in parts)
    words = [f"{split}{f' in {number} files' if number > 1 else ''}" for split, number in numbers.items()]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _alike(form: Form) -> tuple[object, ...]:
    """What must be the same in all parts."""
    return form.kind, form.channels, form.channel_names, form.target, form.labels
