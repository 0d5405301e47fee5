"""What a person can say about their files, and what is guessed where they say nothing. Imports no torch."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from inspect import cleandoc
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from auxrnn.errors import InputError, did_you_mean

NO_SPLIT = "none"
"""What `--split` says where no column names the split."""

_KINDS: dict[type, tuple[Any, str]] = {
    str: (str, "a text"),
    int: (int, "a whole number"),
    float: (float | int, "a number"),
}
"""What a value of each kind may be, and what it is called."""

Missing = Literal["error", "zero", "drop", "interpolate"]
NoLabel = Literal["error", "drop", "learn"]
Header = Literal["auto", "yes", "no"]
Decimal = Literal[".", ","]
LabelType = Literal["auto", "text"]
TargetKind = Literal["auto", "class", "classes", "value", "tags"]
Rows = Literal["auto", "steps", "series", "texts", "files"]


@dataclass(frozen=True)
class ReadingOptions:
    """How a path is to be read. Columns are named as in the first row, or counted from 1 where there is no header.

    Parameters
    ----------
    text
        column of the texts.
    label
        column of the labels; several, separated by commas, for values or classes.
    target
        what the labels say: one class a sequence ("class"), several ("classes", separated by | or ;, or a
        column of 0 and 1 for each), numbers ("value") or one class a step ("tags", in long-form tables and
        arrays). Class when left out, but for a format that says otherwise.
    rows
        what a row of a table is: one step of a sequence ("steps"), a whole series ("series", a column a step or a
        list in a cell), a text ("texts") or the path of a file ("files"); found when left out.
    id
        column that says which sequence a row of a long-form table belongs to.
    time
        column that orders the rows of one sequence; one named so when left out, else their order in the file,
        which "" asks for.
    features
        columns of the channels of a long-form table, separated by commas (in double quotes where a name has
        one); all other numbers when left out.
    window
        cut a table of steps into sequences of so many rows, each sequence by itself, or all of it where there
        is no id; the last may be shorter, and with one class a sequence a new one begins where the class changes.
    split
        column that says "train", "validation" or "test"; "none" where none does, though one looks like it.
    missing
        what is done with missing values: refuse them, put 0, leave out the step, or draw a straight line
        between the neighbours. A row without a label, or a text without characters, is left out by "drop" alone.
    no_label
        what is done with rows without a label: refuse them (but for missing "drop"), leave them out
        ("drop"), or keep them for the auxiliary losses alone ("learn"), but for those of a test split.
    size
        images are scaled to COLUMNSxROWS, for example 32x32; as they are when left out.
    rate
        sound is read at so many samples a second (Hz), resampled where a recording has another rate; the
        commonest rate of the recordings when left out.
    header
        whether the first row of a table names the columns.
    skip
        lines before the first row of a table that are none of it.
    label_type
        "text" takes every label as it stands, also numbers among words.
    encoding
        of text files, by Python's name.
    delimiter
        between the cells of a table; found in the first rows when left out.
    decimal
        the mark before the fraction of a number, a point or a comma.
    test_fraction
        share of the sequences of each class kept for the test where the files name none.
    """

    text: str | None = None
    label: str | None = None
    target: TargetKind = "auto"
    rows: Rows = "auto"
    id: str | None = None
    time: str | None = None
    features: str | None = None
    window: int | None = None
    split: str | None = None
    missing: Missing = "error"
    no_label: NoLabel = "error"
    size: str | None = None
    rate: int | None = None
    header: Header = "auto"
    skip: int = 0
    label_type: LabelType = "auto"
    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: Decimal = "."
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        for name, declared in get_type_hints(ReadingOptions).items():
            value, members = getattr(self, name), get_args(declared) or (declared,)
            if value is None and NoneType in members:
                continue
            choices = members if get_origin(declared) is Literal else ()
            expected, words = _KINDS[str if choices else members[0]]
            if isinstance(value, bool) or not isinstance(value, expected):
                raise InputError(f"Expected --{name} to be {words}, got {value!r}.")
            if choices and value not in choices:
                near = did_you_mean(value, choices)
                raise InputError(f"Expected --{name} of {', '.join(choices)}, got {value!r}.{near}")
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError) as error:  # UnicodeError is one
            raise InputError(f"Expected --encoding by Python's name, e.g. latin-1, got {self.encoding!r}.") from error
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0'):
            raise InputError(
                f"Expected --delimiter of one character, no quote and no end of line, got {self.delimiter!r}."
            )
        for name, least in (("skip", 0), ("window", 1), ("rate", 1)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise InputError(f"Expected --{name} of at least {least}, got {number}.")
        if not 0 < self.test_fraction < 1:
            raise InputError(f"Expected --test_fraction between 0 and 1, got {self.test_fraction}.")
        self.image_size  # noqa: B018 - checked here

    @property
    def given(self) -> list[str]:
        """The names of those that are not as when left out."""
        return [item.name for item in fields(self) if getattr(self, item.name) != item.default]

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self._names("features")

    @property
    def label_names(self) -> tuple[str, ...]:
        return self._names("label")

    @property
    def named_columns(self) -> frozenset[str]:
        """All columns that are named."""
        single = (self.text, self.id, self.time, None if self.split == NO_SPLIT else self.split)
        return frozenset(name for name in (*single, *self.label_names, *self.feature_names) if name)

    @property
    def kind(self) -> str:
        """Of the target: class where nothing is said."""
        return "class" if self.target == "auto" else self.target

    def _names(self, option: str) -> tuple[str, ...]:
        given = getattr(self, option)
        if given is None:
            return ()
        try:
            names = tuple(name.strip() for name in next(csv.reader([given], skipinitialspace=True), [""]))
        except csv.Error:
            names = ("",)
        if len(set(names)) < len(names) or "" in names:
            raise InputError(f"Expected --{option} as different names separated by commas, got {given!r}.")
        return names

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(columns, rows)."""
        if self.size is None:
            return None
        columns, cross, rows = self.size.lower().partition("x")
        digits = (columns + rows).isascii() and columns.isdecimal() and rows.isdecimal()
        if not (cross and digits and 0 < int(columns) * int(rows) <= 2**26):
            raise InputError(f"Expected --size as COLUMNSxROWS, for example 32x32, got {self.size!r}.")
        return int(columns), int(rows)

    def with_columns(self, columns: Mapping[str, Any]) -> ReadingOptions:
        """Options that name each column as another file has it: what option it is for, and its name."""
        return replace(self, **columns)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ReadingOptions:
        """The reverse of `to_dict`; entries it does not know are refused."""
        unknown = sorted(set(content) - {item.name for item in fields(cls)})
        if unknown:
            raise InputError(f"unknown reading options {', '.join(unknown)}")
        return cls(**content)


def join_names(names: Iterable[str]) -> str:
    """Names as `--features` takes them: separated by commas, in quotes where there is a comma or a quote in one."""
    return ",".join('"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name for name in names)


def option_help(owner: type, name: str) -> str:
    """What the docstring of a dataclass, or of one that it inherits from, says of a setting; in one line."""
    for declared in owner.__mro__:
        listed = cleandoc(declared.__doc__ or "")  # Python takes the indentation away by itself from 3.13 on
        words = re.search(rf"^{name}\n    (.*?)(?=^\w+$|\Z)", listed, re.DOTALL | re.MULTILINE)
        if words is not None:
            return " ".join(words[1].split()).replace("%", "%%")
    return ""
