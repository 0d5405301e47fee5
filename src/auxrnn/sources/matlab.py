"""Lists of names in MATLAB files, by SciPy's reader in a process of its own: damaged files can crash that reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from auxrnn.errors import InputError

READER = """
import json, sys, scipy.io
path, variable = sys.argv[1:]
found = scipy.io.loadmat(path, variable_names=[variable])
if variable not in found:
    sys.exit(f"expected a variable {variable}, found none")
names = []
for row, cell in enumerate(found[variable].ravel(), 1):
    if getattr(cell, "dtype", None) is None or cell.dtype.kind != "U" or cell.size != 1:
        sys.exit(f"a cell without a text in row {row:,}")
    names.append(cell.item())
json.dump(names, sys.stdout)
"""


def read_names(path: Path, variable: str) -> list[str]:
    """The texts in the cells of a variable, column by column; InputError for anything else."""
    command = [sys.executable, "-c", READER, str(path), variable]
    reader = subprocess.run(command, capture_output=True, text=True, check=False)
    if reader.returncode:
        told = (reader.stderr.splitlines() or [f"the reader's end by signal {-reader.returncode}"])[-1]
        raise InputError(f"{path}: expected a MATLAB file with a list of names, found: {told.rstrip('.')}.")
    names: list[str] = json.loads(reader.stdout)
    return names
