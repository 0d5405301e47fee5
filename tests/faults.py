"""Faults at every place where something reaches the disk: once it fails, once the process is killed there.

Each trial runs in a process of its own, forked so that nothing is imported anew. A place is a call that makes, renames,
links, flushes or removes a file or folder, or opens one for writing. At a place the call fails (no space left), or the
process ends before it; where a file is opened for writing there are two more: its first write fails, or the process
ends in it, one byte having been written.
"""

import errno
import os
import pickle
import resource
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager

EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
HOW = ("fails", "killed", "write fails", "killed in write")
KILLED = 77


class Faults:
    """Counts places below a folder, and at one of them does what is asked."""

    def __init__(self, root, at=None, how=None):
        self.root, self.at, self.how, self.places, self.on = os.fspath(root), at, how, [], True

    def __call__(self, event, arguments):
        if not self.on or not (event in EVENTS or event == "open"):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        if any(isinstance(word, str | os.PathLike) and os.fspath(word).startswith(self.root) for word in arguments):
            self.place(event, arguments[0])

    def place(self, event, path=None):
        number = len(self.places)
        self.places.append(event)
        if number == (self.at or 0) + 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        if number != self.at:
            return
        if self.how == "killed":
            os._exit(KILLED)
        if self.how == "fails":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([path] if path else []))
        if event == "open":
            if self.how == "killed in write":
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


def forked(action):
    """What `action` returns in a process of its own; None where that was killed."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that wait for work do no harm here
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as file:
                pickle.dump(action(), file)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        content = file.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code in (KILLED, -signal.SIGXFSZ):
        return None
    assert code == 0, f"the process ended with {code}"
    return pickle.loads(content)


def trial(action, root, at=None, how=None):
    """(places, error) of `action`, with a fault at one of them; None where it was killed."""

    def run():
        faults = Faults(root, at, how)
        plain = os.fsync

        def fsync(file):
            if faults.on:
                faults.place("fsync")
            plain(file)

        os.fsync = fsync
        sys.addaudithook(faults)
        try:
            action()
            error = None
        except (OSError, ValueError, RuntimeError) as caught:
            error = f"{type(caught).__name__}: {caught}"
        faults.on = False
        return faults.places, error

    return forked(run)


def every_fault(action, root, prepare, check):
    """Try `action` with every fault, each on what `prepare` makes; `check(how, error)` sees what is left.

    error: what was raised; "killed" where the process ended. Returns the number of faults.
    """
    prepare()
    places, error = trial(action, root)
    assert error is None, error
    number = 0
    for at, event in enumerate(places):
        for how in HOW if event == "open" else HOW[:2]:
            prepare()
            found = trial(action, root, at, how)
            number += 1
            with told(f"{how} at place {at} of {len(places)}, {event}"):
                check(how, "killed" if found is None else found[1])
    print(f"{number} faults")
    return number


@contextmanager
def told(words):
    try:
        yield
    except BaseException as error:
        error.add_note(words)
        raise
