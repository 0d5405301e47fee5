"""The command line: parsing and messages only. Heavy libraries load when a verb has been understood.

Exit codes: 0, 1 (the run failed or was interrupted), 2 (what the person has to put right: a missing or damaged file, a
wrong value, a misspelt option, a disk that is full or cannot be written).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper

from auxrnn.cli import verbs
from auxrnn.cli.options import build_parser
from auxrnn.cli.parsing import BAD_USE, FAILED, with_underscores
from auxrnn.core.allocation import prepare_process
from auxrnn.errors import InputError, is_full_memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a file's name may be bytes in any encoding
    given = with_underscores(sys.argv[1:] if arguments is None else arguments)
    log, voice = logging.getLogger("auxrnn"), logging.StreamHandler(sys.stderr)  # downloads and decoding take a while
    log.addHandler(voice)
    log.setLevel(logging.INFO)
    prepare_process()
    try:
        with _terminated_like_interrupted():
            code = _run(given)
            sys.stdout.flush()  # a closed pipe is found out here, not when Python ends
        return code
    except InputError as error:
        print(f"auxrnn: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt as error:
        print(f"auxrnn: {str(error) or 'interrupted'}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # a reader like `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # a full disk, a folder without the right to write
        where = "" if error.filename or error.errno is None else "standard output, or a file at work: "
        print(f"auxrnn: {where}{error}", file=sys.stderr)
        return BAD_USE
    except (MemoryError, RuntimeError) as error:
        if not is_full_memory(error):
            raise
        said = (str(error).splitlines() or ["no more to be had"])[0]
        print(f"auxrnn: the memory does not suffice for {given[0]}: {said}", file=sys.stderr)
        return FAILED
    finally:
        log.removeHandler(voice)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that it tidies up and says how to go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(given: list[str]) -> int:
    if given[:1] == ["train"]:  # its many options come from the dataclasses of a run
        return verbs.train(given[1:])
    if given[:1] == ["tune"]:
        return verbs.tune(given[1:])
    if given[:1] == ["baseline"]:
        return verbs.baseline(given[1:])
    parser = build_parser()
    options, unknown = parser.parse_known_args(given)
    if unknown:  # told by the parser of the verb, which knows what was meant
        getattr(options, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if "verb" not in options:
        parser.error("the following arguments are required: COMMAND")
    return int(options.verb(options))
