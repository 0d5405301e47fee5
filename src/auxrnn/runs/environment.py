"""Describe the environment of a run: versions, hardware, commit, command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("auxrnn", "torch", "numpy", "scipy", "scikit-learn", "safetensors")


def describe_environment() -> dict[str, Any]:
    """What somebody needs to repeat a run, as plain values."""
    import torch

    return {
        "command": shlex.join([*_program(), *sys.argv[1:]]),
        "python": platform.python_version(),
        "packages": {name: installed_version(name) for name in PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "commit": _commit(),
    }


def peak_memory() -> int:
    """The most bytes held so far: on the GPU where one was used, by torch; else by this process, torch included.

    0 where the system does not say.
    """
    import torch

    if torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated()
    try:  # the kernel's own figure of getrusage is never below that of the process which started this one
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return 1024 * int(status.split("VmHWM:", 1)[1].split()[0])
    except (OSError, IndexError, ValueError):
        try:
            import resource
        except ImportError:  # Windows
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


def installed_version(package: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _program() -> list[str]:
    """What was called, so that it can be called again."""
    name = Path(sys.argv[0]).name
    return ["python", "-m", "auxrnn"] if name == "__main__.py" else [name]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def _commit() -> str | None:
    """The commit of the source tree, with `+changes` where the package itself differs; None for an installed one."""
    here = Path(__file__).resolve()
    try:
        if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
            return None  # installed, perhaps below somebody else's repository
        commit = _git(here.parent, "describe", "--always", "--abbrev=12", "--exclude=*")
        package = here.parent.parent
        return commit and commit + ("+changes" if _git(package, "status", "--porcelain", "-uno", "--", ".") else "")
    except (OSError, subprocess.TimeoutExpired):
        return None


def _git(folder: Path, *words: str) -> str | None:
    found = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    return found.stdout.strip() or None if found.returncode == 0 else None
