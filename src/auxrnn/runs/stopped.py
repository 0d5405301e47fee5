"""What a run that did not finish raises."""

from __future__ import annotations


class StoppedRunError(RuntimeError):
    """The run did not finish: interrupted, diverged or unable to write. The message says how to go on."""


class UnwritableRunError(StoppedRunError):
    """The disk is full or cannot be read or written, which is for the person to put right."""


class FullMemoryError(StoppedRunError):
    """The memory does not hold a step of the run, here or beside what else is at work."""
