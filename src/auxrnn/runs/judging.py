"""The verdict on a run or a stored model: its floors, its evidence, and the next commands to try."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from auxrnn.config import RunConfig
from auxrnn.runs.folder import RunFolder, read_json
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.presets import path_of
from auxrnn.targets import SCORES, Target
from auxrnn.training.remedies import changed_setting
from auxrnn.use.inference import measure
from auxrnn.use.persistence import SavedModel
from auxrnn.verdict import Verdict, gather_evidence, judge
from auxrnn.verdict.bootstrap import bootstrap_score
from auxrnn.verdict.floors import Floors, measure_floors
from auxrnn.verdict.judge import Remedy, lines_of

AGAIN = {"majority": "changed", "memorised": "smaller", "first": "slower", "fell": "slower", "rising": "longer"}
"""What the folder of the next run is called, behind the name of this one."""


def judge_run(
    config: RunConfig,
    folder: RunFolder,
    parts: tuple[SequenceData, SequenceData, SequenceData],
    tallies: Tensor,
    rows: Sequence[Mapping[str, Any]],
) -> tuple[Floors, Verdict]:
    """Measure the floors of a run's data, and judge its model beside them.

    Parameters
    ----------
    config, folder
        Of the run.
    parts : tuple of SequenceData
        To train, to validate and to test.
    tallies : Tensor
        Of the model's answers to the N test sequences, (N, sums).
    rows : sequence of mapping
        The learning curve, an epoch each.

    Returns
    -------
    Floors
        What a second of work reaches on these data.
    Verdict
        What the model is worth, and the next command.
    """
    train, validation, test = parts
    floors = measure_floors(train.weighted(config.class_weights), validation, test, seed=config.seed)
    evidence = gather_evidence(floors, tallies, "test", rows, len(validation))
    return floors, judge(evidence, remedies(config, folder, train))


def remedies(config: RunConfig, folder: RunFolder, train: SequenceData) -> Remedy:
    """What to type next, by what is wrong with the run in `folder`, which was trained on `train`."""

    def again(name: str, changes: Mapping[str, Any]) -> str:
        options = [word for option, value in changes.items() for word in (f"--{option}", str(value))]
        known = str(folder.config)
        return shlex.join(["auxrnn", "train", "--config", known, *options, "--out", f"{folder.path}-{name}"])

    def remedy(state: str) -> str:
        match state:
            case "useful":
                return shlex.join(["auxrnn", "report", str(folder.path)])
            case "floor" | "below":
                return shlex.join(["auxrnn", "baseline", "--config", str(folder.config)])
            case "untold" if config.limit_test is not None:
                return again("tested", {"limit_test": "null"})
            case "untold" if path_of(config.data) and config.reading.test_fraction < 0.4:
                return again("tested", {"test_fraction": 0.4})
        changes = changed_setting(state, config, train)
        return again(AGAIN[state], changes) if changes else ""

    return remedy


def described_floors(floors: Floors) -> list[str]:
    """A line for each floor, and what they were trained and judged on."""
    width = max(len(floor.name) for floor in floors.floors)
    lines = [] if floors.by is None else [f"By {SCORES[floors.by].words}, for the classes have weights:"]
    lines += [f"{'floor':<{width}}  validation      test  seconds"]
    for floor in floors.floors:
        tested = "" if floor.test is None else _figure(floors, floor.test)
        row = f"{floor.name:<{width}}  {_figure(floors, floor.validation):>10}  {tested:>8}  {floor.seconds:7.2f}"
        lines.append(row + ("  best by validation" if floor is floors.best else ""))
    return lines


def _figure(floors: Floors, tallies: Tensor) -> str:
    value = floors.score(tallies)
    return f"{100 * value:.2f} %" if SCORES[floors.score_name].percent else f"{value:.4f}"


def judge_stored(
    saved: SavedModel, path: Path, data: str, loaded: TrainTest, scores: Mapping[str, float], tallies: Tensor
) -> list[str]:
    """The lines of a verdict on a stored model, on the test sequences of some data.

    They are the run's own where data and score are the same; else there is no learning curve, and a part of the
    training sequences is kept to choose the best floor by. Where files name no test split one is drawn for the floors,
    and the model is compared with them on that part; none without sequences to train them on.

    Parameters
    ----------
    saved : SavedModel
    path : Path
        The run folder or model folder.
    data : str
        What `loaded` is called.
    loaded : TrainTest
    scores : mapping
        The model's scores on the test sequences.
    tallies : Tensor
        (N, sums), of its answers to those that were scored: all of `loaded.whole` where there is one.
    """
    facts, score = saved.facts, saved.target.score
    if data == facts.get("data") and facts.get(f"test_{score}") == scores[score]:
        result = RunFolder(path).result
        told = lines_of(read_json(result).get("verdict") if result.is_file() else facts.get("verdict"))
        if told:
            return told
    if not len(loaded.train) or not len(loaded.test):
        return []
    if loaded.whole is not None:
        tallies = measure(saved.network, loaded.test)[2]
    seed = facts.get("seed", 0)
    train = loaded.train.weighted(facts.get("class_weights"))
    floors = measure_floors(train, None, loaded.test, seed=seed if isinstance(seed, int) else 0)
    return judge(gather_evidence(floors, tallies, "test", (), 0)).lines


def score_interval(target: Target, tallies: Tensor) -> list[float] | None:
    """The 95 % bootstrap interval of a target's first score. The paper gives no interval of any score.

    Parameters
    ----------
    target : Target
    tallies : Tensor
        (N, sums) of each sequence, as `inference.measure` gives them. Whole sequences are drawn again, for the steps
        of one are no independent trials.

    Returns
    -------
    list of float or None
        Low and high end; None for fewer than two sequences, and where every draw scores alike, as without a mistake.
    """
    found = bootstrap_score(tallies.numpy(), lambda sums: target.first_score(torch.from_numpy(sums)).numpy())
    return None if found is None or found.low == found.high else [found.low, found.high]
