"""What a person needs to know when something does not work: versions, devices, threads, data folder, extras."""

from __future__ import annotations

import os
from collections.abc import Iterator

from auxrnn.runs.environment import describe_environment, installed_version
from auxrnn.sources.presets import PRESETS
from auxrnn.sources.remote import data_folder

EXTRAS = {"image": ("pillow",), "tensorboard": ("tensorboard",)}


def diagnose(data_dir: str | None) -> Iterator[str]:
    """One line a fact; what is missing comes with the line that installs it."""
    found = describe_environment()
    yield f"python       {found['python']} on {found['platform']}"
    for name, number in found["packages"].items():
        yield f"{name:<12} {number or 'not installed as a package'}"
    yield f"processor    {found['processor']}, {found['cores']} cores"
    yield f"threads      {found['threads']} (OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')})"
    yield f"GPU          {', '.join(found['gpus']) or 'none that torch can use'}"
    folder = data_folder(data_dir)
    yield f"data folder  {folder}{'' if folder.is_dir() else ' (not there yet)'}"
    for preset in PRESETS.values():
        missing = [file.name for file in preset.files if not (folder / preset.folder / file.name).is_file()]
        state = "embedded" if not preset.files else f"auxrnn data fetch {preset.name}" if missing else "here"
        yield f"  {preset.name:<12} {state}"
    for extra, packages in EXTRAS.items():
        absent = [name for name in packages if installed_version(name) is None]
        state = f"missing: pip install 'auxrnn[{extra}]'" if absent else "installed"
        yield f"extra {extra:<12} {state}"
