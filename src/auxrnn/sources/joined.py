"""Readers after each other, each of training, validation or test data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.sources.reader import Example, Reader, Schema, Split

Part = tuple[Path, Reader, Split]


def join_readers(parts: Sequence[Part], notes: Sequence[str] = ()) -> Reader:
    """The rows of each part with its split; InputError where the parts are not of one schema. notes: to be told too."""
    beginning, first, _ = parts[0]
    for path, reader, _ in parts:
        if _alike(reader.schema) != _alike(first.schema):
            raise InputError(
                f"{path}: expected {first.schema.description} as in {beginning}, found {reader.schema.description}."
            )
    told = [note for _, reader, _ in parts for note in reader.schema.notes]
    schema = replace(
        first.schema,
        description=f"{_counted(parts)}, {'each ' if len(parts) > 1 else ''}a {first.schema.description}",
        notes=(*notes, *dict.fromkeys(told)),
    )
    uses: frozenset[str] = frozenset().union(*(reader.uses for _, reader, _ in parts))
    return Reader(schema, uses, partial(_examples, parts))


def _examples(parts: Sequence[Part]) -> Iterator[Example]:
    for _, reader, split in parts:
        for example in reader.examples():
            yield replace(example, split=split)


def _counted(parts: Sequence[Part]) -> str:
    """`train and test`, or how many files there are of each."""
    numbers = Counter(split for _, _, split in parts)
    words = [f"{split}{f' in {number} files' if number > 1 else ''}" for split, number in numbers.items()]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _alike(schema: Schema) -> tuple[object, ...]:
    """What must be the same in all parts."""
    return schema.kind, schema.channels, schema.channel_names, schema.target, schema.labels
