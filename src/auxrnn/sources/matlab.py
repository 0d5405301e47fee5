"""Lists of names in MATLAB files of version 5, read without trust: a damaged file is an InputError, never a crash.

Layout ("MAT-File Format", MathWorks): 128 bytes of header, then elements of a tag (type, bytes) and data, filled up to
8 bytes; a matrix is an element of elements: flags, dimensions, name, contents. Other variables are passed over.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from auxrnn.errors import InputError

HEADER = 128
LARGEST = 2**26  # bytes of a file, and of what is unpacked from one
MATRIX, COMPRESSED = 14, 15  # types of elements
CELL, CHARACTERS = 1, 4  # kinds of matrices
ENCODINGS = {2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}  # types of elements that hold a text

Element = tuple[int, bytes]


def read_names(path: Path, variable: str) -> list[str]:
    """The texts in the cells of a variable, column by column. InputError for anything else."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(f"more than {LARGEST:,} bytes")
        order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
        if order is None:
            raise InputError("no header of version 5")
        for matrix in _matrices(content[HEADER:], order):
            kind, size, name, rest = _head(matrix, order)
            if name == variable:
                if kind != CELL:
                    raise InputError(f"{variable} is no list of cells")
                return [_text(cell, order, row) for row, cell in enumerate(_cells(rest, size), 1)]
    except InputError as error:
        raise InputError(f"{path}: expected a MATLAB file of version 5 or 7, found: {error}.") from error
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read, found: {error.strerror}.") from error
    raise InputError(f"{path}: expected a variable {variable}, found none.")


def _elements(content: bytes, order: str) -> Iterator[Element]:
    """(type, data) one after the other; small ones hold four bytes in their tag."""
    place = 0
    while place < len(content):
        if len(content) - place < 8:
            raise InputError("its end in the middle of a tag")
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start = place + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise InputError(f"a small element of {size} bytes")
        if size > len(content) - start:
            raise InputError("its end in the middle of an element")
        yield kind, content[start : start + size]
        filled = size if kind == COMPRESSED else size + -size % 8
        place = place + 8 if start == place + 4 else start + filled


def _matrices(content: bytes, order: str) -> Iterator[bytes]:
    for kind, data in _elements(content, order):
        if kind == COMPRESSED:
            unpacker = zlib.decompressobj()
            try:
                data = unpacker.decompress(data, LARGEST)
            except zlib.error as error:
                raise InputError(f"damaged packed data ({error})") from error
            if unpacker.unconsumed_tail:
                raise InputError(f"more than {LARGEST:,} bytes packed into a few")
            kind, data = next(_elements(data, order), (0, b""))
        if kind == MATRIX:
            yield data


def _head(matrix: bytes, order: str) -> tuple[int, int, str, Iterator[Element]]:
    """Kind, number of entries and name of a matrix, and the elements behind them."""
    elements = _elements(matrix, order)
    (_, flags), (_, sizes), (_, name) = (next(elements, (0, b"")) for _ in range(3))
    if len(flags) != 8 or len(sizes) < 8 or len(sizes) % 4:
        raise InputError("a matrix without kind or size")
    kind = struct.unpack(f"{order}I", flags[:4])[0] & 0xFF
    dimensions = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(dimensions) < 0:
        raise InputError(f"a matrix of {dimensions}")
    return kind, math.prod(dimensions), name.decode("latin-1"), elements


def _cells(elements: Iterator[Element], number: int) -> Iterator[bytes]:
    count = 0
    for kind, data in elements:
        if kind != MATRIX:
            raise InputError("a cell without a matrix")
        count += 1
        yield data
    if count != number:
        raise InputError(f"{count:,} cells instead of {number:,}")


def _text(matrix: bytes, order: str, row: int) -> str:
    if not matrix:
        raise InputError(f"an empty cell in row {row:,}")
    kind, number, _, rest = _head(matrix, order)
    found, data = next(rest, (0, b""))
    encoding = ENCODINGS.get(found)
    if kind != CHARACTERS or encoding is None:
        raise InputError(f"a cell without a text in row {row:,}")
    try:
        text = data.decode(encoding + {"<": "-le", ">": "-be"}[order] if encoding == "utf-16" else encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"a text that is no {encoding} in row {row:,}") from error
    if not text or len(text) > number:
        raise InputError(f"a text of {len(text)} characters instead of {number} in row {row:,}")
    return text
