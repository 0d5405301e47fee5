"""Files to predict from with a model that does not know the files it was trained on: a preset's, or an estimator's.

What the model reads comes as an `InputSpec`. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.delimited import Dialect
from auxrnn.sources.encodings import text_lines
from auxrnn.sources.images import IMAGE_SUFFIXES
from auxrnn.sources.reader import Example, Schema
from auxrnn.sources.unlabelled import read_unlabelled


def read_inputs(
    path: Path,
    spec: InputSpec,
    *,
    image_shape: tuple[int, int] | None = None,
    order: Sequence[int] | None = None,
) -> Iterator[Example]:
    """The sequences in one file; each is called what its answer is: `seven.png`, or `digits.npy[3]`.

    Parameters
    ----------
    path : Path
        For texts TXT, a text a line, or CSV, whose last column is read; else what files of one's own may be.
    spec : InputSpec
        What the model reads.
    image_shape : (int, int), optional
        Rows and columns that the model was trained on: images are scaled to it, and arrays may be (N, rows, columns)
        and (N, rows, columns, C) too.
    order : sequence of int, optional
        (T,) order of the pixels, where it is another than row by row (permuted MNIST).

    Raises
    ------
    InputError
        For a missing, damaged or unfitting file.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file to predict from, found {'a folder' if path.is_dir() else 'nothing'}."
        )
    if spec.kind == "characters":
        for index, text in enumerate(_texts(path)):
            yield Example(f"{path.name}[{index}]", text)
        return
    single = path.suffix.lower() in IMAGE_SUFFIXES
    if single and spec.kind != "pixels":
        raise InputError(f"{path}: expected a model of pixels for an image, found one of {spec.kind}.")
    schema = Schema("sequences", spec.kind, spec.size, image_shape=image_shape)
    for index, example in enumerate(read_unlabelled(path, schema, ReadingOptions())):
        steps = example.sequence
        assert not isinstance(steps, str)
        if order is not None and len(steps) != len(order):
            raise InputError(f"{path}: expected sequences of {len(order)} steps, found {len(steps)}.")
        yield Example(path.name if single else f"{path.name}[{index}]", steps if order is None else steps[list(order)])


def _texts(path: Path) -> Iterator[str]:
    """Each line of a text file in UTF-8, or each row's last cell of a `.csv` without a header."""
    number = width = 0
    if path.suffix.lower() == ".csv":
        rows = (row for _, row in Dialect(path, "utf-8", ",").rows())
    else:
        rows = ([line.removesuffix("\n")] for line in text_lines(path, "utf-8"))
    for number, row in enumerate(rows, 1):
        width = width or len(row)
        if len(row) != width:
            raise InputError(f"{path}, row {number:,}: expected {width} fields as in row 1, found {len(row)}.")
        if not row[-1]:
            raise InputError(f"{path}, row {number:,}: expected a text of at least one character, found none.")
        yield row[-1]
    if not number:
        raise InputError(f"{path}: expected at least one text, found none.")
