"""The runs below a folder as rows: configuration, circumstances, cost and figures of each. The folders are the source.

`runs.csv` has a column an entry, `runs.jsonl` keeps them grouped. Knows no training.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auxrnn.card import shown
from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.files import write_atomically
from auxrnn.runs.folder import STARTED_WITH, RunFolder, flat_settings, read_config, read_json
from auxrnn.scores import SCORES
from auxrnn.targets import KINDS

CIRCUMSTANCES = ("commit", "command", "python", "packages", "platform", "processor", "cores", "threads", "gpus")
FIGURES = (
    "train_sequences", "epochs", "best_epoch", "validation_accuracy", "test_accuracy", "test_loss", "parameters",
    "seconds", "peak_memory_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A finished run.

    name: its folder below the grid's. config: as it was trained, without folder and data folder. circumstances: from
    env.json (CIRCUMSTANCES). figures: from result.json (FIGURES), None where a run has none; and every score of a run
    with another target than one class a sequence; accuracies between 0 and 1, seconds of training and validation, bytes
    of memory (of the GPU where one was used, else of the process).
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


def collect_records(root: Path, say: Callable[[str], None] | None = None) -> list[Record]:
    """The finished runs in the folders below `root`, by name.

    One of which a file is damaged is told by `say` and left out; without `say` it raises InputError.
    """
    records = []
    for path in sorted(path.parent for path in root.rglob("result.json")):
        if not RunFolder(path).config.is_file():
            continue
        try:
            records.append(read_record(path, root))
        except InputError as error:
            if say is None:
                raise
            say(f"Left out: {error}")
    return records


def score_of(result: Mapping[str, Any]) -> str:
    """The score that a run was chosen by, by its target."""
    target = KINDS.get(str(result.get("target")))
    return "accuracy" if target is None else target.score


def score_told(result: Mapping[str, Any]) -> str:
    """The score on the test set in words: `91.2 %`, or `R2 0.8312` where it is another than the accuracy."""
    name = score_of(result)
    value = result[f"test_{name}"]
    return f"{100 * value:.1f} %" if name == "accuracy" else shown(name, value)


def read_record(path: Path, root: Path) -> Record:
    """The finished run in the folder `path`, named by its way from `root`."""
    folder = RunFolder(path)
    result = read_json(folder.result)
    environment = read_json(folder.environment)
    environment.pop(STARTED_WITH, None)
    score = score_of(result)
    shares = (0, 1) if SCORES[score].percent else (-math.inf, math.inf)
    for name, (least, most) in ((f"test_{score}", shares), ("parameters", (0, math.inf)), ("seconds", (0, math.inf))):
        value = result.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InputError(f"{folder.result}: expected the result of a run, found {name} {value!r}.")
    return Record(
        path.relative_to(root).as_posix(),
        replace(read_config(folder), out=None, data_dir=None),
        {name: environment.get(name) for name in CIRCUMSTANCES},
        {name: result.get(name) for name in FIGURES} | _other_scores(result, score),
    )


def _other_scores(result: Mapping[str, Any], score: str) -> dict[str, Any]:
    if score == "accuracy":
        return {}
    names = [f"{part}_{name}" for part in ("validation", "test") for name in SCORES]
    return {name: result[name] for name in names if name in result}


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
