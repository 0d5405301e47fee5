"""Sequences in one flat array, in memory or mapped from the disk, and the folder that keeps them.

```
set.json     what it is, classes, how it was read        ends.bin    steps up to the end of each sequence, int64
values.bin   all steps of all sequences, one after the   labels.bin  class of each sequence, int32 (*)
             other, in the type that set.json names      splits.bin  0 not said, 1 train, 2 test, 3 validation
```
(*) or of each step, int32, -1 for none; or 0 and 1 for each class, uint8; or values, float64: as set.json says.
Numbers are little-endian. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.collect import Collection
from auxrnn.sources.filed import FiledArray, sum_of, sum_of_file
from auxrnn.sources.reader import Array, Schema
from auxrnn.storage.files import read_description
from auxrnn.targets import KINDS, UNLABELLED, Target, target_of

FORMAT, VERSION = "auxrnn-sequences", 1
META, VALUES, ENDS, LABELS, SPLITS = "set.json", "values.bin", "ends.bin", "labels.bin", "splits.bin"
UNFIT = (LookupError, ArithmeticError, TypeError, ValueError, AttributeError)
"""What reading a description raises where its entries are of a wrong kind."""
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@dataclass(frozen=True, eq=False)
class SequenceSet:
    """N labelled sequences as they were read, before anything is learned from them.

    values: all steps, (steps, C), or (steps,) places in `characters`. ends, splits: (N,). labels: (N,) classes,
    (N, size) 0 and 1 or values, or (steps,) classes and -1: as `target` has them. source: the path of the
    files, or of the set. missing, with_missing, left_out: values that were missing, sequences with such, rows left out.
    """

    source: str
    schema: Schema
    options: ReadingOptions
    target: Target
    values: Array | FiledArray = field(repr=False)
    ends: npt.NDArray[np.int64] = field(repr=False)
    labels: Array = field(repr=False)
    splits: npt.NDArray[np.int8] = field(repr=False)
    characters: str = ""
    missing: int = 0
    with_missing: int = 0
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.ends, prepend=0)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the target."""
        return self.target.names

    def sequence(self, index: int) -> Array:
        """(T, C), or (T,) places in `characters`; a view."""
        return self.values[self.steps(index)]

    def label(self, index: int) -> Array:
        """The labels of a sequence, one a step where the target has one for each."""
        return self.labels[self.steps(index) if self.target.per_step else index]

    def text(self, index: int) -> str:
        """The characters of a sequence."""
        places = self.sequence(index)
        self.check_places(places)
        return "".join(self.characters[place] for place in places.tolist())

    def check_places(self, places: Array) -> None:
        """InputError where a place lies beyond the characters of the set, as in a damaged one."""
        if len(places) and int(places.max()) >= len(self.characters):
            raise InputError(
                f"{self.source}: expected texts of the {len(self.characters):,} characters of the set, found others; "
                "import it again."
            )

    def named(self, target: Target) -> SequenceSet:
        """The set with the classes of a `target` that has all of its own, and others."""
        places = [target.names.index(name) for name in self.target.names]
        labels = np.array([*places, UNLABELLED], self.labels.dtype)[self.labels]
        return replace(self, target=target, labels=labels)

    def steps(self, index: int) -> slice:
        """Where the steps of a sequence lie in the flat arrays."""
        return slice(int(self.ends[index - 1]) if index else 0, int(self.ends[index]))


def set_of(collection: Collection, source: str, values: Array, *, like: bool = False) -> SequenceSet:
    """The set that a finished collection describes; its classes in the order in which they are shown.

    Raises InputError for too few sequences or classes; for none at all where they are `like` those of a trained model.
    """
    if not len(collection.ends):
        raise InputError(f"{source}: expected at least one sequence, found none.")
    try:
        if not like:
            collection.keeper.check()
    except InputError as error:
        said = str(error)
        raise InputError(said if source in said else f"{source}: {said[0].lower()}{said[1:]}") from error
    names, kept = collection.keeper.finished(np.array(collection.labels))
    if not names:
        raise InputError(f"{source}: expected at least one label, found none.")
    return SequenceSet(
        source,
        collection.schema,
        collection.options,
        KINDS[collection.schema.target](names),
        values,
        np.array(collection.ends),
        kept,
        np.array(collection.splits),
        collection.characters,
        collection.missing,
        collection.with_missing,
        collection.left_out,
    )


def flat_shape(schema: Schema) -> tuple[int, ...]:
    """The shape of one step in the flat array."""
    return () if schema.kind == "characters" else (schema.channels,)


def describe_set(content: SequenceSet, sums: Mapping[str, int]) -> str:
    """set.json of a set. sums: of its files."""
    return json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "source": content.source,
            "sequences": len(content),
            "steps": int(content.ends[-1]),
            "form": asdict(content.schema),
            "options": content.options.to_dict(),
            "classes": list(content.classes),
            "target": content.target.to_dict(),
            "characters": content.characters,
            "missing": content.missing,
            "with_missing": content.with_missing,
            "left_out": content.left_out,
            "sums": dict(sums),
        },
        indent=2,
    )


def is_set(path: Path) -> bool:
    """Whether a path is a folder that `auxrnn data import` made."""
    return (path / META).is_file()


def verify_values(folder: Path) -> None:
    """Read the values of a set whole; InputError where they are not those that were imported."""
    expected = _sums(_read_meta(folder / META)).get(VALUES)
    if expected is not None and sum_of_file(folder / VALUES) != expected:
        raise _changed(folder / VALUES)


def open_set(folder: Path) -> SequenceSet:
    """Open a set on the disk; InputError where a file is missing, cut short, or does not fit the rest.

    The values stay on the disk; whether they are those that were imported, `verify_values` finds out.
    """
    if sys.byteorder != "little":
        raise InputError(
            f"{folder}: expected a little-endian machine for a stored set; train from the files themselves."
        )
    content = _read_meta(folder / META)
    try:
        schema = schema_of(content["form"])
        number, steps = int(content["sequences"]), int(content["steps"])
        target = target_of(tuple(str(name) for name in content["classes"]), content.get("target"))
        options = ReadingOptions.from_dict(content["options"])
        counts = {name: int(content[name]) for name in ("missing", "with_missing", "left_out")}
        characters, sums = str(content["characters"]), _sums(content)
        if number < 1 or steps < number or target.size < target.keeper.fewest:
            raise InputError(f"{number} sequences of {steps} steps and {target.described()}")
        if counts["missing"] and options.missing == "error":
            raise InputError(f"{counts['missing']} missing values that would have been refused")
    except UNFIT as error:
        raise InputError(
            f"{folder / META}: expected the description of a set, found one that does not fit: {error}"
        ) from error
    keeper = target.keeper
    values = _filed(folder / VALUES, schema.dtype, (steps, *flat_shape(schema)))
    ends = _read(folder / ENDS, "int64", (number,))
    labels = _read(folder / LABELS, keeper.dtype, keeper.shape(number, steps, target.size))
    splits = _read(folder / SPLITS, "int8", (number,))
    if ends[0] < 1 or (np.diff(ends) < 1).any() or ends[-1] != steps:
        raise InputError(f"{folder / ENDS}: expected rising ends up to {steps:,} steps, found others; import it again.")
    if not keeper.valid(labels, target.size) or splits.min() < 0 or splits.max() > 3:
        raise InputError(f"{folder}: expected labels of {target.described()}, found others; import it again.")
    for name, numbers in ((ENDS, ends), (LABELS, labels), (SPLITS, splits)):
        if sums.get(name, found := sum_of(numbers)) != found:
            raise _changed(folder / name)
    labels = keeper.opened(labels)
    return SequenceSet(str(folder), schema, options, target, values, ends, labels, splits, characters, **counts)


def schema_of(content: dict[str, Any]) -> Schema:
    """A schema from JSON."""
    shape, rate = content["image_shape"], content["rate"]
    schema = Schema(
        str(content["description"]),
        content["kind"],
        int(content["channels"]),
        str(content["dtype"]),
        tuple(str(name) for name in content["channel_names"]),
        None if shape is None else (int(shape[0]), int(shape[1])),
        None if rate is None else int(rate),
        tuple(str(note) for note in content["notes"]),
        {str(name): str(column) for name, column in content["columns"].items()},
        str(content.get("target", "class")),
        tuple(str(name) for name in content.get("labels", ())),
    )
    dtypes = {"pixels": ("uint8",), "characters": ("uint16",), "values": DTYPES}
    if schema.kind not in dtypes or schema.dtype not in dtypes[schema.kind] or schema.channels < 1:
        raise InputError(f"{schema.channels} channels of {schema.kind} as {schema.dtype}")
    return schema


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_description(path))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, found something else: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: expected a set of format {FORMAT!r}, found another file.")
    if content.get("version") != VERSION:
        raise InputError(f"{path}: expected version {VERSION}, found {content.get('version')!r}; import it again.")
    return content


def _sums(content: Mapping[str, Any]) -> dict[str, int]:
    """The sums of a set's files by their names; none in a set of an older version."""
    return {str(name): int(found) for name, found in dict(content.get("sums", {})).items()}


def _changed(path: Path) -> InputError:
    return InputError(f"{path}: expected the numbers that were imported, found others of another sum; import it again.")


def _read(path: Path, dtype: str, shape: tuple[int, ...]) -> Array:
    return _filed(path, dtype, shape)[:]


def _filed(path: Path, dtype: str, shape: tuple[int, ...]) -> FiledArray:
    expected = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    try:
        size = path.stat().st_size
        if size != expected:
            raise InputError(f"{path}: expected {expected:,} bytes, found {size:,}; import it again.")
        return FiledArray(path, dtype, shape)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error
