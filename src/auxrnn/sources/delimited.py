"""Rows of text files with a mark between the cells: CSV, TSV and columns set apart by blanks, however they are written.

How a file is written is found in its first rows and kept in a `Dialect`; what cannot be known is told with the option
that says it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.encodings import inner_suffix, text_lines
from auxrnn.sources.header import are_places, is_any_number, is_header
from auxrnn.storage.numbers import are_counted, is_number

LARGEST_CELL = 2**28  # characters; more is a quote that was never closed
MARKS = (",", ";", "\t", "|")
LOOKED_AT = 20  # rows that tell how a file is written

_SEPARATOR = re.compile(r"\s*sep=(.)\s*", re.IGNORECASE)  # Excel's own line

Numbered = tuple[int, list[str]]


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    delimiter: between cells; a blank for any number of blanks. skip: lines before the first row. quoted: whether quotes
    hold cells together. blanks: whether blanks after a delimiter belong to no cell.
    """

    path: Path
    encoding: str
    delimiter: str
    skip: int = 0
    quoted: bool = True
    blanks: bool = False

    def rows(self) -> Iterator[Numbered]:
        """(line number at its start, cells) of each row that is not blank."""
        csv.field_size_limit(LARGEST_CELL)
        lines = islice(text_lines(self.path, self.encoding, newline=""), self.skip, None)
        if self.delimiter == " ":
            yield from ((number, cells) for number, line in enumerate(lines, self.skip + 1) if (cells := line.split()))
            return
        reader = csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            skipinitialspace=self.blanks,
            strict=True,
        )
        number = self.skip + 1
        try:
            for cells in reader:
                if cells:
                    yield number, cells
                number = self.skip + reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{self.path}, row {number}: expected a row of a table, found: {error}. Unclosed quote?"
            ) from error


def _rows(dialect: Dialect, width: int, header: bool) -> Iterator[Numbered]:
    """The rows below the header, without empty cells behind `width`: the work of a comma at the end of every row."""
    for number, cells in islice(dialect.rows(), int(header), None):
        spare = len(cells) > width and not any(cell.strip() for cell in cells[width:])
        yield number, cells[:width] if spare else cells


def open_delimited(
    path: Path, options: ReadingOptions
) -> tuple[tuple[str, ...], Callable[[], Iterator[Numbered]], tuple[str, ...], bool, str]:
    """Return the names of the columns, a function of the rows, notes, whether there is a header, and the delimiter."""
    dialect = _dialect(path, options)
    rows = list(islice(dialect.rows(), LOOKED_AT))
    if not rows:
        raise InputError(f"{path}: expected a table, found an empty file.")
    notes = () if dialect.quoted else (f"Quotes in {path.name} are read as they stand: not all of them hold a cell.",)
    first, others = [cell.strip() for cell in rows[0][1]], [cells for _, cells in rows[1:]]
    longer = len(others) > 1 and all(len(cells) == len(first) + 1 for cells in others)
    if (
        longer
        and any(cells[-1].strip() for cells in others)
        and options.header != "no"
        and are_counted([cells[0] for cells in others])
    ):  # R's names of rows
        first = ["", *first]
    width = max((place for place, cell in enumerate(first, 1) if cell), default=1)
    if any(cell.strip() for cells in others for cell in cells[width : len(first)]):
        width = len(first)
    first = first[:width]
    _check_beginning(path, options, rows, width)
    header = options.header == "yes"
    if options.header == "auto":
        below = [cells[:width] for cells in others]
        counted = are_places(path, options, first, below)
        header = is_header(first, below) if counted is None else counted
    named = [name for name in first if name]
    if header and len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise InputError(f"{path}: expected different names of columns, got {twice!r} twice. No header: --header no.")
    columns = tuple(first) if header else tuple(str(number) for number in range(1, width + 1))
    return columns, partial(_rows, dialect, width, header), notes, header, dialect.delimiter


def _check_beginning(path: Path, options: ReadingOptions, rows: Sequence[Numbered], width: int) -> None:
    """InputError naming the option where the first lines are none of the table below them."""
    widths = [len(cells) for _, cells in rows[1:]]
    if not widths or options.header == "no":
        return
    usual, number = Counter(widths).most_common(1)[0]
    start = next(place for place, found in enumerate(widths) if found == usual)
    if not (width < usual and (width == 1 or start > 0) and 2 * number > len(widths)):
        filled = [_filled(cells) for _, cells in rows]  # of lines before a table that were filled up with delimiters
        if filled[0] > 1 or max(filled) < 3 or is_number(rows[0][1][0]):
            return
        width, usual = 1, max(filled)
        start = filled.index(usual) - 1
    raise InputError(
        f"{path}: expected as many cells in the first row as in the others, got {width} and {usual}. If there are "
        f"lines before the table, say so with --skip {rows[start + 1][0] - 1}; if there are none, with --header no."
    )


def _filled(cells: Sequence[str]) -> int:
    """Cells up to the last that is not empty."""
    return max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)


def _dialect(path: Path, options: ReadingOptions) -> Dialect:
    """How a file is written, as far as its first rows and the options tell."""
    plain = Dialect(path, options.encoding, options.delimiter or ",", options.skip)
    separator = _SEPARATOR.fullmatch(_first_line(plain))
    if separator:
        plain = replace(plain, delimiter=separator[1], skip=plain.skip + 1)
    elif options.delimiter is None:
        plain = replace(plain, delimiter="\t" if _is_text_alone(plain, options) else _delimiter(plain))
    if plain.delimiter == "\t" and not _is_quoted(plain):
        return replace(plain, quoted=False)
    blanks = replace(plain, blanks=True)
    return blanks if plain.delimiter != " " and _differ(plain, blanks) else plain


def _is_text_alone(dialect: Dialect, options: ReadingOptions) -> bool:
    """Whether the first row is the name of the column of texts, in which any mark but a tab may stand."""
    return options.text is not None and _first_line(dialect).strip().strip('"') == options.text


def _first_line(dialect: Dialect) -> str:
    return next(islice(text_lines(dialect.path, dialect.encoding), dialect.skip, None), "")[:100]


def _delimiter(dialect: Dialect) -> str:
    """Find the delimiter.

    First choice: a mark that gives every row the same number of cells, the most of all; the comma where two do. A mark
    between numbers goes before others, so the comma in `0,5;1,5` is a decimal mark. Second: the mark that gives most
    rows the same number. Last: the comma where it parts the first row, or the mark that parts it into most cells.
    """
    if inner_suffix(dialect.path) == ".tsv":
        return "\t"
    samples = {mark: _sample(replace(dialect, delimiter=mark)) for mark in MARKS}
    counts = {mark: [len(cells) for cells in rows] for mark, rows in samples.items()}
    even = [mark for mark, found in counts.items() if len(set(found)) == 1 and found[0] > 1]
    if even:
        return max(even, key=lambda mark: (_are_mostly_numbers(samples[mark]), counts[mark][0]))  # the first of equals
    usual = {mark: Counter(found).most_common(1)[0] for mark, found in counts.items() if found}
    most = [mark for mark, (width, rows) in usual.items() if width > 1 and 2 * rows > len(counts[mark])]
    if most:
        return max(most, key=lambda mark: usual[mark][1])  # the first of equals
    first = {mark: found[0] if found else 0 for mark, found in counts.items()}
    if max(first.values()) > 1:
        return "," if first[","] > 1 else max(first, key=first.__getitem__)
    if inner_suffix(dialect.path) == ".txt":
        return " "
    return max(MARKS, key=lambda mark: sum(counts[mark]))


def _are_mostly_numbers(rows: Sequence[Sequence[str]]) -> bool:
    cells = [cell for row in rows for cell in row]
    return 2 * sum(map(is_any_number, cells)) > len(cells)


def _sample(dialect: Dialect) -> list[list[str]]:
    """The first rows, as far as they are some in this dialect; InputError where no dialect reads them."""
    found: list[list[str]] = []
    try:
        for _, cells in islice(dialect.rows(), LOOKED_AT):
            found.append(cells)
    except InputError as error:
        if not isinstance(error.__cause__, csv.Error):
            raise
    return found


def _differ(plain: Dialect, blanks: Dialect) -> bool:
    """Whether quotes hold cells together only where the blanks before them are left out."""
    pairs = zip(_sample(plain), _sample(blanks), strict=False)
    return any([cell.lstrip(" ") for cell in one] != [cell.lstrip(" ") for cell in other] for one, other in pairs)


def _is_quoted(dialect: Dialect) -> bool:
    """Whether every quote at the beginning of a cell is closed at its end, in the whole file.

    Files with tabs are mostly written without quoting.
    """
    try:
        for _ in dialect.rows():
            pass
    except InputError as error:
        if not isinstance(error.__cause__, csv.Error):
            raise
        return False
    return True
