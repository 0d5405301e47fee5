"""The runs below a folder as rows: configuration, circumstances, cost and figures of each. The folders are the source.

`runs.csv` has a column an entry, `runs.jsonl` keeps them grouped. Knows no training.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.files import write_atomically
from auxrnn.runs.folder import STARTED_WITH, RunFolder, flat_settings, read_config, read_json

CIRCUMSTANCES = ("commit", "command", "python", "packages", "platform", "processor", "cores", "threads", "gpus")
FIGURES = (
    "train_sequences", "epochs", "best_epoch", "validation_accuracy", "test_accuracy", "test_loss", "parameters",
    "seconds", "peak_memory_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A finished run.

    name: its folder below the grid's. config: as it was trained, without folder and data folder. circumstances: from
    env.json (CIRCUMSTANCES). figures: from result.json (FIGURES), None where an older run has none; accuracies between
    0 and 1, seconds of training and validation, bytes of memory (of the GPU where one was used, else of the process).
    """

    name: str
    config: RunConfig
    circumstances: dict[str, Any]
    figures: dict[str, Any]

    def nested(self) -> dict[str, Any]:
        """Everything, grouped."""
        return {
            "run": self.name,
            "config": self.config.to_dict(),
            "circumstances": self.circumstances,
            "figures": self.figures,
        }

    def row(self) -> dict[str, Any]:
        """Everything side by side: figures first, then the settings as `aux.weight`, then the circumstances."""
        packages = {f"packages.{name}": found for name, found in (self.circumstances["packages"] or {}).items()}
        rest = {name: value for name, value in self.circumstances.items() if name != "packages"}
        rest["gpus"] = "; ".join(self.circumstances["gpus"] or [])
        settings = flat_settings(self.config.to_dict())
        del settings["out"], settings["data_dir"]
        return {"run": self.name, **self.figures, **settings, **rest, **packages}


def collect_records(root: Path) -> list[Record]:
    """The finished runs in the folders below `root`, by name; InputError where one of their files is damaged."""
    found = sorted(path.parent for path in root.rglob("result.json"))
    return [read_record(path, root) for path in found if RunFolder(path).config.is_file()]


def read_record(path: Path, root: Path) -> Record:
    """The finished run in the folder `path`, named by its way from `root`."""
    folder = RunFolder(path)
    result = read_json(folder.result)
    environment = read_json(folder.environment)
    environment.pop(STARTED_WITH, None)
    for name, most in (("test_accuracy", 1), ("parameters", math.inf), ("seconds", math.inf)):
        value = result.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise InputError(f"{folder.result}: expected the result of a run, found {name} {value!r}.")
    return Record(
        path.relative_to(root).as_posix(),
        replace(read_config(folder), out=None, data_dir=None),
        {name: environment.get(name) for name in CIRCUMSTANCES},
        {name: result.get(name) for name in FIGURES},
    )


def write_records(root: Path, records: list[Record]) -> None:
    """`runs.csv` and `runs.jsonl` in `root`, each whole or as it was."""
    lines = "".join(json.dumps(record.nested()) + "\n" for record in records)
    write_atomically(root / "runs.jsonl", lambda aside: aside.write_text(lines, encoding="utf-8"))
    rows = [record.row() for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row))

    def write(aside: Path) -> None:
        with open(aside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    write_atomically(root / "runs.csv", write)
