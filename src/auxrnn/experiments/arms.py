"""Stored runs, gathered into arms: runs of one configuration that differ in their seed. Knows nothing of pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.runs.folder import FREE, Curve, RunFolder, flat_settings, points, read_config, read_curve, read_json
from auxrnn.targets import KINDS, SCORES
from auxrnn.training.phases import plan_phases

UNLIKE = ("seed", *FREE)
"""What may differ between runs of one arm: their seed, and where they ran."""


@dataclass(frozen=True)
class StoredRun:
    """What a run folder says. result: what result.json holds, None while the run is not finished."""

    folder: RunFolder
    config: RunConfig
    environment: dict[str, Any]
    result: dict[str, Any] | None

    @property
    def epochs(self) -> int:
        """Epochs done so far, of both phases."""
        return len(self.curve.get("seconds", ()))

    @property
    def all_epochs(self) -> int:
        return sum(phase.epochs for phase in plan_phases(self.config, self.config))

    @cached_property
    def score(self) -> str:
        """What its best epoch is chosen by: as its curve says, or its target; accuracy before there is any."""
        kind = (self.result or {}).get("target")
        if kind in KINDS:
            return KINDS[kind].score
        return next((name for name in SCORES if f"validation_{name}" in self.curve), "accuracy")

    @property
    def floors(self) -> dict[str, dict[str, float]]:
        """The scores of each floor of its data by part, the one that does not look at the sequence first."""
        found = (self.result or self.environment).get("floors") or {}
        return {name: scores for name, scores in found.items() if isinstance(scores, dict)}

    @cached_property
    def curve(self) -> Curve:
        return read_curve(self.folder)

    def points(self, column: str, scale: float = 1.0) -> list[tuple[float, float]]:
        """(epoch, value) of a column of metrics.csv; nothing before the end of the first epoch."""
        return points(self.curve, column, scale)


@dataclass(frozen=True)
class StoredArm:
    """Runs of one configuration but for the seed, in the order of their seeds. name: unlike that of any other arm."""

    name: str
    config: RunConfig
    runs: tuple[StoredRun, ...]

    @property
    def finished(self) -> list[StoredRun]:
        return [run for run in self.runs if run.result is not None]

    @property
    def score(self) -> str:
        """What the best epoch of its runs is chosen by."""
        return self.runs[0].score

    def values(self, name: str) -> dict[int, float]:
        """An entry of the results by seed, of the finished runs that have it."""
        found = {run.config.seed: (run.result or {}).get(name) for run in self.finished}
        return {seed: float(value) for seed, value in found.items() if value is not None}


def read_run(path: Path) -> StoredRun:
    """The run in a folder; InputError where there is none or its files are damaged."""
    folder = RunFolder(path)
    if not path.is_dir():
        raise InputError(f"{path}: expected a run folder, found {'a file' if path.exists() else 'nothing'}.")
    config = read_config(folder)
    environment = read_json(folder.environment) if folder.environment.is_file() else {}
    return StoredRun(folder, config, environment, read_json(folder.result) if folder.result.is_file() else None)


def gather_arms(runs: Sequence[StoredRun]) -> list[StoredArm]:
    """The arms in the order in which they first come; InputError where a seed comes twice in one."""
    groups: dict[RunConfig, list[StoredRun]] = {}
    plain = RunConfig()
    for run in runs:
        common: dict[str, Any] = {name: getattr(plain, name) for name in UNLIKE}
        groups.setdefault(replace(run.config, **common), []).append(run)
    for same in groups.values():
        seeds = [run.config.seed for run in same]
        twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
        if twice is not None:
            where = ", ".join(str(run.folder.path) for run in same if run.config.seed == twice)
            raise InputError(f"Expected runs of different seeds, got seed {twice} of one configuration in {where}.")
    names = _names(list(groups))
    return [
        StoredArm(name, config, tuple(sorted(same, key=lambda run: run.config.seed)))
        for name, (config, same) in zip(names, groups.items(), strict=True)
    ]


def settings(config: RunConfig) -> dict[str, Any]:
    """Every setting by its name on the command line but those that runs of one arm may differ in."""
    return {name: value for name, value in flat_settings(config.to_dict()).items() if name not in UNLIKE}


def differing(configs: Sequence[RunConfig]) -> list[str]:
    """The settings in which configurations differ."""
    tables = [settings(config) for config in configs]
    return [name for name in tables[0] if any(table[name] != tables[0][name] for table in tables)]


def _names(configs: Sequence[RunConfig]) -> list[str]:
    """The model's name, and what sets apart those that share it."""
    names = []
    for config in configs:
        peers = [other for other in configs if other.model == config.model]
        own = settings(config)
        apart = ", ".join(f"{name} {own[name]}" for name in differing(peers))
        words = config.model.replace("lstm", "LSTM")
        names.append(f"{words} ({apart})" if apart else words)
    return names
