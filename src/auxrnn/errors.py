"""What went wrong on the user's side, told so that it can be put right.

Knows nothing of data, models or commands.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

FULL = ("allocate memory", "could not create a primitive")
"""What torch says of a full memory, and what oneDNN says within it."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # what a terminal obeys, and what no text file can hold


class InputError(ValueError):
    """Bad use by a person: a file, an option or a value that cannot be used.

    The message says what was expected, what came, and what to do. The command line prints it without a traceback and
    ends with exit code 2; in a library call it is an ordinary `ValueError`. It is one line without
    control characters, whatever is quoted in it.
    """

    def __init__(self, message: object = "") -> None:
        line = " ".join(line.strip() for line in str(message).splitlines())
        super().__init__(printable(line))


class FloorWarning(UserWarning):
    """Warns that a trained model is no better than what costs a second; says by how much, and what to try."""


def is_full_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, in the words of Python, numpy or torch."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(words in str(error) for words in FULL))
    )


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The nearest of `choices` to a misspelt `word` as the end of a sentence, e.g. ` Did you mean 'mnist'?`, else `""`.

    Upper and lower case count as the same letter.
    """
    by_lower_case = {choice.lower(): choice for choice in choices}
    nearest = difflib.get_close_matches(word.strip().lower(), list(by_lower_case), n=1)
    return f" Did you mean '{by_lower_case[nearest[0]]}'?" if nearest else ""


def printable(text: str) -> str:
    """A text with what no terminal and no file should get written out: control characters, bytes of no text."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def is_text(name: str) -> bool:
    """Whether a name is text throughout, and not bytes in an encoding that nobody knows."""
    return not re.search(r"[\ud800-\udfff]", name)


def check_printable(name: str, where: str) -> str:
    """A name as it is; InputError where it holds control characters, which a terminal obeys, or bytes of no text."""
    if _CONTROL.search(name):
        raise InputError(f"{where}: expected a name in UTF-8 without control characters, got {name!r}.")
    return name
