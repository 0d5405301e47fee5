"""The folder of a run: where things lie in it and how its small files are read and written. Knows no training.

```
config.yaml   complete, reusable        env.json      versions, hardware, commit, command, configuration at the start
metrics.csv   the learning curve        result.json   accuracies and the chosen epoch, once finished
checkpoints/  to resume from            model/        the trained model, once finished
failed.json   why a grid gave it up     log.txt       what it said in a grid
```
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from auxrnn.config import RunConfig, with_groups
from auxrnn.errors import InputError
from auxrnn.storage.files import parse_yaml, read_description, write_atomically

Curve = dict[str, list[Any]]

STARTED_WITH = "started_with"
"""The entry of env.json that holds the configuration at the start."""

FREE = ("data_dir", "out", "num_threads", "num_workers", "checkpoint_steps", "checkpoint_minutes")
"""Settings that a run may be gone on with otherwise: they say where and how often, not what is trained."""


class RunFolder:
    """The places in a run folder, whether anything lies there or not.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "env.json"
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.csv"
        self.model = path / "model"
        self.result = path / "result.json"
        self.failure = path / "failed.json"
        self.log = path / "log.txt"


def read_config(folder: RunFolder) -> RunConfig:
    """The complete configuration of a run."""
    if not folder.config.is_file():
        raise InputError(f"{folder.path}: expected a run folder, found no config.yaml in it.")
    try:
        return as_config(parse_yaml(read_description(folder.config)))
    except InputError as error:
        raise InputError(f"{folder.config}: {error}") from error
    except (yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError, RecursionError, OSError) as error:
        raise InputError(f"{folder.config}: expected the configuration of a run, found: {error}") from error


def write_config(folder: RunFolder, config: RunConfig) -> None:
    """The complete configuration as YAML, whole or as it was."""
    text = yaml.safe_dump(config.to_dict(), sort_keys=False)
    write_atomically(folder.config, lambda aside: aside.write_text(text, encoding="utf-8"))


def check_unchanged(folder: RunFolder, config: RunConfig) -> None:
    """InputError where a run was started with other settings than `config`: what is trained must stay the same."""
    started = read_json(folder.environment).get(STARTED_WITH) if folder.environment.is_file() else None
    if started is None:  # a run of an older version
        return
    try:
        before = as_config(started)
    except (InputError, TypeError, KeyError) as error:
        raise InputError(f"{folder.environment}: expected the configuration of a run, found: {error}") from error
    changes = changed_settings(before, config)
    if changes:
        raise InputError(
            f"{folder.path}: expected the configuration that the run was started with, found {', '.join(changes)}. "
            f"Was config.yaml changed? Put it back, or start a new run with another --out."
        )


def changed_settings(before: RunConfig, now: RunConfig) -> list[str]:
    """Every difference in what is trained, as words like `lr 0.01 instead of 0.001`."""
    old, new = flat_settings(before.to_dict()), flat_settings(now.to_dict())
    return [
        f"{name} {new[name]!r} instead of {old[name]!r}" for name in old if name not in FREE and old[name] != new[name]
    ]


def flat_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a configuration with those of a group named like `aux.weight`."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        inner = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        flat |= inner
    return flat


def as_config(content: Any) -> RunConfig:
    """The configuration that plain entries describe, all groups of the auxiliary losses among them."""
    return RunConfig(**with_groups({**content, "aux": content["aux"]}))  # a file without the group is not whole


def read_curve(folder: RunFolder) -> Curve:
    """The columns of metrics.csv, None where a row has nothing; none of a run without an epoch yet.

    InputError where the file is not a learning curve.
    """
    if not folder.metrics.is_file():
        return {}
    try:
        reader = csv.DictReader(read_description(folder.metrics).splitlines(), strict=True)
        rows = list(reader)
        names = reader.fieldnames or ()
        if "epoch" not in names or not all(None not in row and None not in row.values() for row in rows):
            raise ValueError("no column of epochs, or rows of unequal length")
        return {name: [_value(name, row[name]) for row in rows] for name in names}
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{folder.metrics}: expected a learning curve, found something else: {error}") from error


def _value(column: str, text: str) -> str | int | float | None:
    if column == "phase":
        return text
    return None if not text else int(text) if text.isdecimal() else float(text)


def points(curve: Curve, column: str = "validation_accuracy", scale: float = 100.0) -> list[tuple[float, float]]:
    """(epoch, value * scale) of a column of a curve, epochs counted over both phases; without what is missing."""
    values = enumerate(curve.get(column, ()), 1)
    return [(float(epoch), scale * float(value)) for epoch, value in values if value is not None]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON, whole or as it was."""
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """The entries of a JSON file; InputError where it holds anything else."""
    try:
        content = json.loads(read_description(path))
        if not isinstance(content, dict):
            raise ValueError(f"{type(content).__name__} instead of entries")
        return content
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, found something else: {error}") from error
