"""At what size the experiments run: the paper's, a laptop's, or seconds for a test; and the runs that follow.

A scale says for each task of the catalogue which data stand for it, how much shorter its sequences are, and for how
many epochs every arm trains. Published sizes are of Trinh et al. (2018); epochs that the paper does not give are ours.
Knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from auxrnn.config import MODELS, AuxiliaryConfig, RunConfig
from auxrnn.config.choices import Cell
from auxrnn.config.model import TRACED
from auxrnn.errors import InputError, did_you_mean
from auxrnn.experiments.catalogue import (
    ABLATION,
    CELLS,
    DOG_SIDES,
    INITIALISATION,
    READOUTS,
    RIVALS,
    Arm,
    Experiment,
    Segments,
    Steps,
    Times,
)


@dataclass(frozen=True)
class SizedTask:
    """One data set at one scale.

    data: its name in `auxrnn data list`. settings: of every run on it (how much of it, at what size). shrink: its
    sequence length over the paper's. epochs: of every arm, pretraining included; pretrain: of them, for a model that
    pretrains.
    """

    data: str
    settings: Mapping[str, Any]
    shrink: float
    epochs: int
    pretrain: int


@dataclass(frozen=True)
class Scale:
    """Sizes of the experiments.

    note: the first line of a page. shared: settings of every run; what it leaves open is the recipe `paper`'s. instead:
    the tasks of an experiment (by name) where they are others than all of its own. without: its arms that are left out,
    TASK/ARM of one task alone.
    """

    name: str
    note: str
    seeds: int
    shared: Mapping[str, Any]
    tasks: Mapping[str, SizedTask]
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _dogs(sides: Sequence[int], epochs: int, pretrain: int, **settings: Any) -> dict[str, SizedTask]:
    return {
        f"stanford-dogs-{side}": SizedTask(
            "stanford-dogs", {"image_size": side, **settings}, shrink=1, epochs=epochs, pretrain=pretrain
        )
        for side in sides
    }


PAPER = Scale(
    "paper",
    "Paper scale: the published sizes, batch 128; epochs where the paper gives none are ours; matrix products on a GPU "
    "in tf32.",
    seeds=3,
    shared={"matmul_precision": "high"},
    tasks={
        "mnist": SizedTask("mnist", {}, shrink=1, epochs=100, pretrain=10),
        "pmnist": SizedTask("pmnist", {}, shrink=1, epochs=100, pretrain=10),
        "cifar10": SizedTask("cifar10", {}, shrink=1, epochs=1000, pretrain=20),
        "dbpedia": SizedTask("dbpedia", {}, shrink=1, epochs=20, pretrain=2),
        **_dogs(DOG_SIDES, epochs=120, pretrain=20),
    },
)

SHORT = Scale(
    "short",
    "Short scale: the published sizes and batch, but 30 epochs in place of paper scale's 100; matrix products in tf32. "
    "For want of epochs its figures may lie below the paper's: compare arms with each other.",
    seeds=3,
    shared={"matmul_precision": "high"},
    tasks={
        **{task: SizedTask(task, {}, shrink=1, epochs=30, pretrain=3) for task in ("mnist", "pmnist", "cifar10")},
        "dbpedia": SizedTask("dbpedia", {}, shrink=1, epochs=10, pretrain=1),
        **_dogs(DOG_SIDES, epochs=30, pretrain=3),
    },
)

TEXTS = {"limit_train": 2000, "limit_test": 2000, "max_vocabulary": 100, "aux.target": "softmax"}

SOUND = {"stem": "conv", "stride": 16, "limit_train": 1000}
"""Raw samples of the Free Spoken Digit Dataset, a folder `fsdd` of train/ and test/ where the command is given."""


def _needs_no_r_lstm(arm: Arm) -> bool:
    """Whether an arm is r-LSTM's away from both the authors' optimiser and the network as it is published."""
    settings = arm.settings
    published = settings["projection_size"] == 128 and settings["regulariser"] == "dropconnect"
    return settings["model"] == "r-lstm" and settings["optimizer"] != "rmsprop_tf" and not published


MOST_RIVALS: Mapping[str, Sequence[Cell]] = {
    "truncated": CELLS,
    "truncated, chrono": ("mingru",),
    "truncated, Adam": ("lstm",),
    "r 20x30": ("lstm", "lru"),
    "p 20x30": ("lstm",),
    "rp 20x30": ("lstm",),
    "checkpointed": ("lstm", "lru"),
    "exact": ("lru",),
    "exact, chrono, phases to 1": ("lru",),
    "fptt": ("lstm",),
    "fptt, lr 0.0003": ("lstm",),
}
RIVALS_ON: Mapping[str, Mapping[str, Sequence[Cell]]] = {
    "mnist": {
        "truncated": CELLS,
        "truncated, chrono": ("lstm", "gru", "lru", "mingru"),
        "truncated, Adam": ("lstm", "gru"),
        "r 20x30": CELLS,
        "p 20x30": ("lstm",),
        "rp 20x30": ("lstm",),
        "checkpointed": ("lstm", "gru", "lru"),
        "exact": TRACED,
        "exact, chrono": TRACED,
        "exact, chrono, phases to 1": ("lru",),
        "fptt": ("lstm", "gru", "lru"),
        "fptt, lr 0.0003": ("lstm", "gru", "lru"),
        "fptt, RMSProp": ("lstm", "gru", "lru"),
    },
    "pmnist": MOST_RIVALS,
    "fsdd": MOST_RIVALS,
    "dbpedia-characters": MOST_RIVALS,
    "cifar10": {
        "truncated": CELLS,
        "truncated, chrono": ("mingru",),
        "r 20x30": ("lstm",),
        "exact, chrono, phases to 1": ("lru",),
        "fptt": ("lstm",),
        "fptt, lr 0.0003": ("lstm",),
    },
}
"""By task, and way to the gradient: the cells that are tried with it on a laptop. Most ways are tried with fewer cells
where that is dear."""


def _rivals_left_out() -> tuple[str, ...]:
    kept = {
        f"{task}/{cell}, {way}, {readout}"
        for task, ways in RIVALS_ON.items()
        for way, cells in ways.items()
        for cell in cells
        for readout in READOUTS
    }
    return tuple(name for task in RIVALS.tasks for arm in RIVALS.arms if (name := f"{task}/{arm.name}") not in kept)


LAPTOP = Scale(
    "laptop",
    "Laptop scale: the paper's questions and its network, at a size of some minutes a run on two cores. "
    "3,000 images of 14x14 pixels (MNIST), 1,500 of 14x14 (pMNIST) or 16x16 (CIFAR10), 40x40 for 10 breeds "
    "of dogs, 2,000 texts, 6 epochs (4 for dogs), batch 16; K and n x l shrunk in proportion to the length. Compare "
    "arms with each other, not with the paper.",
    seeds=3,
    shared={"batch_size": 16, "aux.target": "squared", "aux.unfed": "blank"},
    tasks={
        "mnist": SizedTask("mnist", {"image_size": 14, "limit_train": 3000}, shrink=1 / 4, epochs=6, pretrain=2),
        "pmnist": SizedTask("pmnist", {"image_size": 14, "limit_train": 1500}, shrink=1 / 4, epochs=6, pretrain=2),
        "cifar10": SizedTask("cifar10", {"image_size": 16, "limit_train": 1500}, shrink=1 / 4, epochs=6, pretrain=2),
        "dbpedia": SizedTask("dbpedia", TEXTS, shrink=1, epochs=6, pretrain=2),
        "dbpedia-characters": SizedTask("dbpedia", TEXTS, shrink=1 / 3, epochs=6, pretrain=2),
        "fsdd": SizedTask("fsdd", SOUND, shrink=1 / 4, epochs=6, pretrain=2),
        **_dogs((40,), epochs=4, pretrain=1, limit_classes=10),
    },
    instead={
        "table2": ("mnist", "pmnist"),
        **dict.fromkeys(("bptt", "segments", "ablation"), ("mnist",)),
    },
    without={
        "table2": (
            *("r-LSTM Full BP", "p-LSTM Full BP", "iRNN", "pmnist/Transformer", "pmnist/uRNN"),
            "pmnist/iRNN, learning rate 0.00003",
            "pmnist/LSTM Truncate300, torch's initialisation and RMSProp",
            "pmnist/r-LSTM 20x30 Truncate300, torch's initialisation and RMSProp",
        ),
        "dogs": ("Transformer",),
        "bptt": tuple(f"{model} BPTT {steps}" for model in ("r-LSTM", "p-LSTM") for steps in (200, 100)),
        "segments": tuple(f"{sides} BPTT {bptt}" for sides in ("10x60", "50x12", "100x6") for bptt in (1, 0)),
        "ablation": tuple(arm.name for arm in ABLATION.arms if arm.control and arm.name != "LSTM"),
        "initialisation": tuple(arm.name for arm in INITIALISATION.arms if _needs_no_r_lstm(arm)),
        "rivals": _rivals_left_out(),
    },
)
"""In minutes no model gets far on CIFAR10, where the rivals alone are run; MNIST stands in where an effect is taken
apart. Left out is also what costs most, what diverges, and what lies between two arms that are there; on pMNIST the
arms that tell nothing of auxiliary losses; of the ablation the factors that are not the paper's. Of the 48 settings
that the LSTM has in the initialisation's table r-LSTM has 24."""

SMOKE = Scale(
    "smoke",
    "Smoke scale: seconds a run, on scikit-learn's digits whatever the task, to try the path; it tells nothing else.",
    seeds=2,
    shared={"batch_size": 50, "hidden_size": 8, "projection_size": 4, "checkpoint_steps": None},
    tasks={
        task: SizedTask("digits", {"limit_train": 100}, shrink=1 / 16, epochs=2, pretrain=1)
        for task in (
            *("mnist", "pmnist", "cifar10", "dbpedia", "dbpedia-characters", "fsdd"),
            *("stanford-dogs-40", "stanford-dogs-128"),
        )
    },
)

SCALES: Mapping[str, Scale] = {scale.name: scale for scale in (PAPER, SHORT, LAPTOP, SMOKE)}


@dataclass(frozen=True)
class PlannedRun:
    """One run of an experiment. name: its folder below the results; two arms of one configuration share it."""

    name: str
    task: str
    arm: str
    seed: int
    config: RunConfig


def find_scale(name: str) -> Scale:
    """The scale called `name`; InputError with the nearest right name where there is none."""
    if name not in SCALES:
        raise InputError(f"Expected a scale among {', '.join(SCALES)}, got {name!r}.{did_you_mean(name, SCALES)}")
    return SCALES[name]


def plan_runs(
    experiment: Experiment, scale: Scale, seeds: int, tasks: Sequence[str] = (), arms: Sequence[str] = ()
) -> list[PlannedRun]:
    """Every run of an experiment: all arms of one seed, then of the next, so that a grid cut short is even.

    Where arms combine factors, those of one table come with every seed before those of the next.

    tasks, arms: some of the experiment's; all that the scale has where empty. Raises InputError for one it has not.
    """
    there = [task for task in scale.instead.get(experiment.name, experiment.tasks) if task in scale.tasks]
    left = scale.without.get(experiment.name, ())

    def has(task: str, arm: str) -> bool:
        return arm not in left and f"{task}/{arm}" not in left

    names = [arm.name for arm in experiment.arms if any(has(task, arm.name) for task in tasks or there)]
    for what, wanted, known in (("tasks", tasks, there), ("arms", arms, names)):
        for word in wanted:
            if word not in known:
                raise InputError(
                    f"Expected {what} of {experiment.name} at scale {scale.name} among {'; '.join(known)}; "
                    f"got {word!r}.{did_you_mean(word, known)}"
                )
    return [
        _planned(task, arm, scale, seed)
        for block in experiment.blocks()
        for seed in range(seeds)
        for task in tasks or there
        for arm in block
        if arm.name in (arms or names) and has(task, arm.name)
    ]


def _planned(task: str, arm: Arm, scale: Scale, seed: int) -> PlannedRun:
    config = replace(run_config(arm, scale.tasks[task], scale), seed=seed)
    return PlannedRun(f"{task}/{config.model}-{_digest(config)}/seed-{seed}", task, arm.name, seed, config)


def run_config(arm: Arm, task: SizedTask, scale: Scale) -> RunConfig:
    """The configuration of an arm on a task, without seed and folder.

    `Steps` become the scale's own; the epochs are divided so that every arm has the same number in all.
    """
    settings = {**scale.shared, **task.settings, **arm.settings}
    times = settings.pop("epochs", Times(1))
    pretrain = task.pretrain if settings.pop("pretrain", True) and MODELS[settings["model"]] else 0
    settings |= {"pretrain_epochs": pretrain, "max_epochs": round(task.epochs * times.factor) - pretrain}
    plain = {name: _shrunk(value, task.shrink) for name, value in settings.items()}
    if "segments" in plain:
        plain["num_anchors"], plain["segment_length"] = plain.pop("segments")
    aux = {name.removeprefix("aux."): plain.pop(name) for name in list(plain) if name.startswith("aux.")}
    return RunConfig(data=task.data, **plain, aux=AuxiliaryConfig(**aux))


def _shrunk(value: Any, shrink: float) -> Any:
    """`Steps` as a number of steps, at least 1. `Segments` as (n, l), both by the root, so that n * l shrinks alike.

    A segment keeps 2 steps, for the first is given.
    """
    if isinstance(value, Steps):
        return max(round(value.number * shrink), 1)
    if isinstance(value, Segments):
        count = max(round(value.count * math.sqrt(shrink)), 1)
        return count, max(round(value.count * value.length * shrink / count), 2)
    return value


def _digest(config: RunConfig) -> str:
    """Eight letters of what makes a run what it is: all settings that are not the defaults, seed and machine apart."""
    apart = ("seed", "data_dir", "out", "accelerator", "devices", "num_nodes", "strategy", "num_threads", "num_workers")
    usual = asdict(RunConfig())
    told = {name: value for name, value in asdict(config).items() if name not in apart and value != usual[name]}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]
