"""The file of a study: a line of JSON a record, as Optuna has it, and whole again after a kill or a full disk."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from auxrnn.storage.files import naming

GRACE = 10
"""Seconds after which the lock of a process that was killed while it wrote is taken from it."""

BEGIN = b'{"op_code":'
"""How every record begins."""


class Journal(JournalFileBackend):
    """Optuna's file, whose last line is made whole or cut off before another is written behind it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.lock = path, JournalFileSymlinkLock(str(path), grace_period=GRACE)
        super().__init__(str(path), self.lock)
        self._mend()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Optuna's own. OSError with the file's name where it cannot be written."""
        with naming(self.path):
            self._mend()
            super().append_logs(logs)

    def _mend(self) -> None:
        if not self._torn():
            return
        self.lock.acquire()  # nobody is writing it now
        try:
            torn = self._torn()
            with open(self.path, "rb+") as file:
                if torn and _is_record(torn):
                    file.seek(0, os.SEEK_END)
                    file.write(b"\n")
                else:
                    file.truncate(self.path.stat().st_size - len(torn))
                os.fsync(file.fileno())
        finally:
            with suppress(RuntimeError):  # somebody has taken it from us
                self.lock.release()

    def _torn(self) -> bytes:
        """The last line where it is a part of a record, of a file of records; nothing for any other file."""
        with open(self.path, "rb") as file:
            if not BEGIN.startswith(file.read(len(BEGIN))):
                return b""
            size = file.seek(0, os.SEEK_END)
            if not size:
                return b""
            file.seek(size - 1)
            if file.read(1) == b"\n":
                return b""
            file.seek(0)
            torn = file.read().rpartition(b"\n")[2]
        return torn if BEGIN.startswith(torn[: len(BEGIN)]) else b""


def _is_record(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
