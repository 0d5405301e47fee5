"""Ended runs as lines of one file that needs no other: settings, environment, curve and result of each.

```
{"run": "mnist/lstm-92a421c4/seed-0", "config": {...}, "environment": {...}, "curve": {"epoch": [1, 2], ...},
 "result": {...}}
```
A run that failed has its "error" in place of a result. Knows no training.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.errors import InputError, did_you_mean, printable
from auxrnn.runs.folder import (
    FREE,
    STARTED_WITH,
    Curve,
    RunFolder,
    as_config,
    changed_settings,
    points,
    read_config,
    read_curve,
    read_json,
)
from auxrnn.storage.files import check_place, write_atomically
from auxrnn.storage.lock import lock_file
from auxrnn.targets import KINDS, SCORES
from auxrnn.use.card import shown

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """An ended run.

    name: unlike that of any other in its file. config: as it was trained, without folder and data folder. environment:
    what env.json says of machine, versions, commit and command. curve: the columns of metrics.csv, None where a row has
    nothing. result: what result.json holds, None for a run that failed. error: why it failed.
    """

    name: str
    config: RunConfig
    environment: dict[str, Any]
    curve: Curve
    result: dict[str, Any] | None = None
    error: str | None = None

    def points(self, column: str = "validation_accuracy", scale: float = 100.0) -> list[tuple[float, float]]:
        """(epoch, value * scale) of a column of the curve, epochs counted over both phases; without what is missing."""
        return points(self.curve, column, scale)

    def line(self) -> str:
        content = {
            "run": self.name,
            "config": self.config.to_dict(),
            "environment": self.environment,
            "curve": self.curve,
            **({"error": self.error} if self.result is None else {"result": self.result}),
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def score_of(result: Mapping[str, Any]) -> str:
    """The score that a run was chosen by, by its target."""
    target = KINDS.get(str(result.get("target")))
    return "accuracy" if target is None else target.score


def score_told(result: Mapping[str, Any]) -> str:
    """The score on the test set in words: `91.2 %`, or `R2 0.8312` where it is another than the accuracy."""
    name = score_of(result)
    value = result[f"test_{name}"]
    return f"{100 * value:.1f} %" if name == "accuracy" else shown(name, value)


def record_folder(path: Path, name: str, config: RunConfig | None = None) -> Record | None:
    """The run in a folder; None where it has not ended. InputError where one of its files is damaged.

    config: what stands for the settings of a run that failed before it had written them.
    """
    folder = RunFolder(path)
    if not (folder.result.is_file() or folder.failure.is_file()):
        return None
    environment = read_json(folder.environment) if folder.environment.is_file() else {}
    environment.pop(STARTED_WITH, None)
    found = read_config(folder) if config is None or folder.config.is_file() else config
    curve = read_curve(folder)
    own = name, replace(found, out=None, data_dir=None), environment, curve
    if not folder.result.is_file():
        return Record(*own, error=str(read_json(folder.failure).get("error")))
    result = read_json(folder.result)
    _check_result(result, folder.result)
    if not curve:
        raise InputError(f"{folder.metrics}: expected a learning curve, found none.")
    return Record(*own, result=result)


def record_folders(root: Path) -> list[Record]:
    """The ended runs in `root` and the folders below it, named by their way from there.

    A damaged one below is told and left out. InputError where `root` itself is one.
    """
    ended = {path.parent for name in ("result.json", "failed.json") for path in root.rglob(name)}
    runs = [path for path in sorted(ended) if RunFolder(path).config.is_file()]
    named = {
        path: printable(root.resolve().name if path == root else path.relative_to(root).as_posix()) for path in runs
    }
    records = []
    for path, name in named.items():
        try:
            records.append(record_folder(path, name))
        except InputError as error:
            if path == root:
                raise
            logger.warning("Left out: %s", error)
    return [record for record in records if record is not None]


def keep_runs(folders: Sequence[Path], file: Path) -> list[str]:
    """Add the ended runs in folders to a file, and return what was added in words; InputError where there is none."""
    found: dict[str, Record] = {}
    for folder in folders:
        own = record_folders(folder)
        if not own:
            raise InputError(f"{folder}: expected a finished run or a folder of such, found none.")
        for record in own:
            if record.name in found:
                raise InputError(
                    f"Expected runs of different names, got {record.name} twice; name a folder above them."
                )
            found[record.name] = record
    check_place(file)
    add_records(file, found.values())
    return [f"{file}#{name}" for name in found]


def read_records(file: Path) -> dict[str, Record]:
    """The runs of a file by name, in its order; none where there is no file. InputError for a damaged line."""
    records: dict[str, Record] = {}
    for number, line in enumerate(_lines(file), 1):
        place = f"{file}, line {number}"
        record = _parse(line, place)
        if record.name in records:
            raise InputError(f"{place}: expected another run, found {record.name} again; delete one of the lines.")
        records[record.name] = record
    return records


def find_record(place: str) -> Record:
    """The run that `FILE#RUN` names; InputError where it is not there."""
    file, _, name = place.rpartition("#")
    if not Path(file).is_file():
        found = "a folder" if Path(file).is_dir() else "nothing"
        raise InputError(f"{file}: expected a record of runs, found {found}.")
    records = read_records(Path(file))
    if name not in records:
        raise InputError(f"{file}: expected the name of a run in it, got {name!r}.{did_you_mean(name, records)}")
    return records[name]


def add_records(file: Path, records: Iterable[Record]) -> None:
    """Write runs into a file, which then holds them beside what it held, or is as it was.

    A run that is there already is replaced; InputError where it was trained with other settings. Several processes may
    do this at a time.
    """
    with lock_file(file.with_name(f".{file.name}.lock")):
        known = read_records(file)
        lines = dict(zip(known, _lines(file), strict=True))  # as they are: settings of today are no part of old ones
        for record in records:
            if record.name in known:
                check_settings(record.config, known[record.name], file)
            lines[record.name] = record.line()
        text = "".join(f"{line}\n" for line in lines.values())
        write_atomically(file, lambda aside: aside.write_text(text, encoding="utf-8"))


def check_settings(config: RunConfig, record: Record, file: Path) -> None:
    """InputError where a recorded run has other settings than `config`."""
    changes = changed_settings(config, record.config)
    if changes:
        raise InputError(
            f"{file}: expected {record.name} with the settings of today's run of that name, found "
            f"{', '.join(changes)}. Delete its line or choose another folder. ({', '.join(FREE)} may differ.)"
        )


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").split("\n") if file.exists() else []
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: expected a record of runs, a line of JSON each, found: {error}") from error


def _parse(line: str, place: str) -> Record:
    try:
        content = json.loads(line)
        record = Record(
            name=content["run"],
            config=as_config(content["config"]),
            environment=content["environment"],
            curve=content["curve"],
            result=content.get("result"),
            error=content.get("error"),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError) as error:
        raise InputError(f"{place}: expected the record of a run, found: {error}") from error
    columns = record.curve.values() if isinstance(record.curve, dict) else [None]
    if not all(isinstance(column, list) for column in columns) or len({len(column) for column in columns}) > 1:
        raise InputError(f"{place}: expected a learning curve of columns of one length, found something else.")
    if not isinstance(record.environment, dict):
        raise InputError(f"{place}: expected the environment of a run, found {record.environment!r}.")
    if record.result is not None:
        _check_result(record.result, place)
        if not record.curve:
            raise InputError(f"{place}: expected a learning curve, found none.")
    elif not isinstance(record.error, str):
        raise InputError(f"{place}: expected a run with a result or an error, found neither.")
    return record


def _check_result(result: Any, place: Path | str) -> None:
    """InputError unless it has a test score, parameters and seconds that can be such."""
    shares = [name for name, score in SCORES.items() if score.percent]
    names = [name for name in SCORES if isinstance(result, dict) and f"test_{name}" in result] or ["accuracy"]
    wanted = {f"test_{name}": (0 if name in shares else -math.inf, 1 if name in shares else math.inf) for name in names}
    for name, (least, most) in {**wanted, "parameters": (0, math.inf), "seconds": (0, math.inf)}.items():
        value = result.get(name) if isinstance(result, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InputError(f"{place}: expected the result of a run, found {name} {value!r}.")
