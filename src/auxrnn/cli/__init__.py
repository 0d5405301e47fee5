"""The command line: parsing and messages only. Heavy libraries load when a verb has been understood.

Exit codes: 0, 1 (the run failed or was interrupted), 2 (what the person has to put right: a missing or damaged file, a
wrong value, a misspelt option, a disk that is full or cannot be written).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from auxrnn.cli import verbs
from auxrnn.cli.options import build_parser
from auxrnn.cli.parsing import BAD_USE, FAILED, with_underscores
from auxrnn.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a file's name may be bytes in any encoding
    given = with_underscores(sys.argv[1:] if arguments is None else arguments)
    log, voice = logging.getLogger("auxrnn"), logging.StreamHandler(sys.stderr)  # downloads and decoding take a while
    log.addHandler(voice)
    log.setLevel(logging.INFO)
    try:
        code = _run(given)
        sys.stdout.flush()  # a closed pipe is found out here, not when Python ends
        return code
    except InputError as error:
        print(f"auxrnn: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        print("auxrnn: interrupted", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # a reader like `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # a full disk, a folder without the right to write
        print(f"auxrnn: {error}", file=sys.stderr)
        return BAD_USE
    finally:
        log.removeHandler(voice)


def _run(given: list[str]) -> int:
    if given[:1] == ["train"]:  # its many options come from the dataclasses of a run
        return verbs.train(given[1:])
    if given[:1] == ["tune"]:
        return verbs.tune(given[1:])
    parser = build_parser()
    options, unknown = parser.parse_known_args(given)
    if unknown:  # told by the parser of the verb, which knows what was meant
        getattr(options, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if "verb" not in options:
        parser.error("the following arguments are required: COMMAND")
    return int(options.verb(options))
