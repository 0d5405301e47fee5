"""Text files in UTF-8 with one row a line, strictly: a fault is told with its row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from auxrnn.errors import InputError


def read_csv(name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    """(row from 1, fields) of each line of a CSV file in UTF-8: double quotes around a field, doubled ones inside."""
    for number, line in enumerate(read_lines(name, lines), 1):
        try:
            yield number, next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise InputError(
                f"{name}, row {number:,}: expected fields in double quotes on one line, found: {error}."
            ) from error


def read_lines(name: str, lines: Iterable[bytes]) -> Iterator[str]:
    """The lines of a file as text without their ends; InputError with the row for what is not UTF-8."""
    for number, line in enumerate(lines, 1):
        try:
            encoding = "utf-8-sig" if number == 1 else "utf-8"  # a mark at the beginning is no part of the text
            yield line.decode(encoding).removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}, row {number:,}: expected UTF-8, found the byte 0x{line[error.start]:02x} "
                f"at byte {error.start + 1:,} of the row."
            ) from error
