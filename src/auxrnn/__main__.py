"""What `auxrnn` and `python -m auxrnn` start: Ctrl-C ends them in one line from here on."""

import os
import signal


def main() -> int:
    """Run the command line. While it loads, Ctrl-C ends the process at once; then `auxrnn.cli` takes it."""
    waiting = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where it is to be ignored
    if waiting:
        signal.signal(signal.SIGINT, _leave)
    from auxrnn import cli

    if waiting:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()


def _leave(signum: int, frame: object) -> None:
    os.write(2, b"auxrnn: interrupted\n")
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
