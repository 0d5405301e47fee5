"""Which encoding a text file is in, as far as its first bytes tell."""

from __future__ import annotations

import codecs
from pathlib import Path

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before that of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def codec(encoding: str) -> str:
    """What to open a text file with: a mark at the beginning of UTF-8, however it is called, is no part of the text."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def encoding_hint(path: Path) -> str:
    """The sentence that tells what to say for a text file that is in another encoding."""
    with open(path, "rb") as file:
        start = file.read(4)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return f"It begins as a file in {encoding} does: say --encoding {encoding}."
    return "Name the right one, for example --encoding latin-1."
