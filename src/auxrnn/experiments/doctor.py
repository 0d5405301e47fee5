"""What a person needs to know when something does not work: versions, devices, threads, data folder, extras."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from auxrnn.runs.environment import describe_environment, installed_version
from auxrnn.sources.presets import PRESETS, data_folder

EXTRAS = {
    "image": "images (PNG, JPEG and others)",
    "tabular": "Parquet and Arrow tables",
    "audio": "sound, WAV too",
    "tensorboard": "curves in TensorBoard",
    "ray": "grids of runs over several machines",
    "triton": "the LSTM kernel for GPUs (Linux)",
    "export": "ONNX",
    "serve": "auxrnn serve: answers over HTTP",
    "sweep": "auxrnn tune",
    "hub": "models by name from the Hugging Face hub",
    "completion": "auxrnn completion: commands completed by Tab",
    "peers": "MiniRocket in auxrnn baseline",
    "docs": "the site of the documentation",
    "dev": "tests, lint and types",
}
"""Every extra of pyproject.toml, with what it gives."""


def examine(data_dir: str | None) -> Iterator[str]:
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
    for extra, gives in EXTRAS.items():
        absent = [name for name in _packages(extra) if installed_version(name) is None]
        state = f"{', '.join(absent)} missing: pip install 'auxrnn[{extra}]'" if absent else "installed"
        yield f"extra {extra:<12} {gives}: {state}"


def _packages(extra: str) -> list[str]:
    """The packages of an extra, as the installed package declares them."""
    try:
        declared = requires("auxrnn") or []
    except PackageNotFoundError:
        declared = []
    found = [re.fullmatch(rf"""([\w.-]+).*\bextra == ['"]{extra}['"].*""", line) for line in declared]
    return [match[1] for match in found if match] or ["auxrnn as a package"]
