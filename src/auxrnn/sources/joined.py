"""Readers after each other, each of training, validation or test data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.sources.reader import Example, Reader, Schema, Split


class JoinedReader:
    """The rows of each part with its split; InputError where the parts are not of one schema. notes: to be told too."""

    def __init__(self, parts: tuple[tuple[Reader, Split], ...], notes: tuple[str, ...] = ()) -> None:
        self._parts = parts
        schemas = [reader.schema for reader, _ in parts]
        for (reader, _), schema in zip(parts, schemas, strict=True):
            if _alike(schema) != _alike(schemas[0]):
                raise InputError(
                    f"{reader.files[0]}: expected {schemas[0].description} as in {parts[0][0].files[0]}, "
                    f"found {schema.description}."
                )
        told = [note for schema in schemas for note in schema.notes]
        self._schema = replace(
            schemas[0],
            description=f"{_counted(parts)}, {'each ' if len(parts) > 1 else ''}a {schemas[0].description}",
            notes=(*notes, *dict.fromkeys(told)),
        )

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def files(self) -> list[Path]:
        return [path for reader, _ in self._parts for path in reader.files]

    @property
    def uses(self) -> frozenset[str]:
        return frozenset().union(*(reader.uses for reader, _ in self._parts))

    def examples(self, skip: int = 0) -> Iterator[Example]:
        index = 0
        for reader, split in self._parts:
            for example in reader.examples():
                index += 1
                if index > skip:
                    yield replace(example, split=split)


def _counted(parts: tuple[tuple[Reader, Split], ...]) -> str:
    """`train and test`, or how many files there are of each."""
    numbers = Counter(split for _, split in parts)
    words = [f"{split}{f' in {number} files' if number > 1 else ''}" for split, number in numbers.items()]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _alike(schema: Schema) -> tuple[object, ...]:
    """What must be the same in all parts."""
    return schema.kind, schema.channels, schema.channel_names, schema.target, schema.labels
