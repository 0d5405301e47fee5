"""What parts of the recipe modern give: auxiliary losses, with all labels and with few; averaged weights; anchors.

    python benchmarks/modern_parts.py --fsdd recordings --out results/modern_parts.jsonl
    python benchmarks/modern_parts.py --out results/modern_parts.jsonl --table

Every arm trains the recipe's first candidate for the same number of optimiser steps. With a share of the labels below
100 % the other training sequences are unlabelled: the auxiliary losses alone see them. Labels are drawn by class, at
least one of each. Two arms are tried here alone, for the product has neither: weights averaged over the last steps
(decay 0.99), and labels at anchors asked of all that was read so far in place of the window alone. A run is a line of
OUT and is not made again; the tables go into the page beside OUT.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import torch
from measure import write_tables
from peer_data import SENSORS, UCR, Array, Sequences, Split, sets
from peer_table import accuracies
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import auxrnn
from auxrnn.core.batch import SequenceBatch
from auxrnn.core.objectives.base import Draw
from auxrnn.core.objectives.supervised import Supervised, greatest_within
from auxrnn.core.readouts import Moments
from auxrnn.core.totals import LOWEST
from auxrnn.core.truncation import Windows
from auxrnn.report.tables import markdown_table
from auxrnn.runs.environment import describe_environment
from auxrnn.targets import as_target
from auxrnn.targets.losses import Loss
from auxrnn.training.history import History
from auxrnn.training.step import TrainingStep
from auxrnn.training.watcher import Watcher

STEPS = 1_200
BATCH = 16
DIGITS = "spoken digits"

SETTINGS: dict[str, dict[str, Any]] = {
    "sensors": {"residual": True, "readout": "stats-max", "augment": "turn", "stem_norm": "none", "anchor_labels": 0.0}
}
"""What the search chooses there, in place of the first candidate, which stays at chance on that set."""

ALL_LABELS: dict[str, dict[str, Any]] = {
    "no auxiliary loss": {},
    "reconstruct": {"aux": "reconstruct"},
    "predict": {"aux": "predict"},
    "both": {"aux": "both"},
    "averaged weights": {"averaged": True},
    "anchors read all so far": {"all_so_far": True, "anchor_labels": 0.5},
}
FEW_LABELS: dict[str, dict[str, Any]] = {
    "no auxiliary loss": {},
    "reconstruct": {"aux": "reconstruct"},
    "predict": {"aux": "predict"},
    "predict, pretrained": {"aux": "predict", "pretrain": True},
}
SHARED = ("sensors", DIGITS, "OSULeaf")
"""Sets that are measured with a share of their labels too."""

SHARES = (0.01, 0.05, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the record, lines of JSON")
    parser.add_argument("--fsdd", type=Path, help="the folder of recordings; without it that set is left out")
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument("--table", action="store_true", help="no measurement: the tables of what is there")
    parser.add_argument("--smoke", action="store_true", help="tiny sensor jobs and few steps, to see that it works")
    options = parser.parse_args()
    records = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    if not options.table:
        there = {record["run"] for record in records}
        made = sets(options.fsdd, aeon=find_spec("aeon") is not None, smoke=options.smoke)
        for name, share, arm, seed in planned(list(made), options.seeds):
            run = f"{name}/{share:g}/{arm}/seed-{seed}"
            if run not in there:
                records.append({"run": run, **measure(name, made[name](seed), share, arm, seed, options.smoke)})
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(records[-1], separators=(",", ":")) + "\n")
                print(f"{run}: {records[-1]['accuracy']:.3f} in {records[-1]['seconds']:.0f} s", flush=True)
    write_tables(options.out.with_suffix(".md"), "benchmarks/modern_parts.py", tables(records))


def planned(there: list[str], seeds: int) -> Iterator[tuple[str, float, str, int]]:
    """Set, share of the labels, arm, seed; the first seed of everything first."""
    whole = [name for name in (*UCR, next(iter(SENSORS)), DIGITS) if name in there]
    for seed in range(seeds):
        yield from ((name, 1.0, arm, seed) for name in whole for arm in ALL_LABELS)
        few = (name for name in SHARED if name in there)
        yield from ((name, share, arm, seed) for name in few for share in SHARES for arm in FEW_LABELS)


def measure(name: str, split: Split, share: float, arm: str, seed: int, smoke: bool) -> dict[str, Any]:
    """One fit: test accuracy, CPU seconds, and how many labels it had."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    settings = SETTINGS.get(name, {}) | (ALL_LABELS if share == 1 else FEW_LABELS)[arm]
    labelled = drawn_by_class(split.y, share, np.random.default_rng(seed))
    unlabelled = taken(split.X, ~labelled) if "aux" in settings and not labelled.all() else None
    epochs = math.ceil((2 if smoke else STEPS) / math.ceil(labelled.sum() / BATCH))
    pretrain = epochs // 2 if settings.pop("pretrain", False) else 0
    watchers: list[Watcher] = [Averaged()] if settings.pop("averaged", False) else []
    asked = AllSoFar if settings.pop("all_so_far", False) else Supervised
    model = auxrnn.LongSequenceClassifier(
        candidates=1,
        batch_size=BATCH,
        epoch_passes=1,
        max_epochs=epochs,
        pretrain_epochs=pretrain,
        random_state=seed,
        validation_fraction=0,
        **{"aux": None, **settings},
    )
    began = time.process_time()
    with patch("auxrnn.core.model.Supervised", asked):
        model.fit(
            taken(split.X, labelled), split.y[labelled], unlabelled=unlabelled, watchers=[*watchers, Introduced()]
        )
    return {
        "accuracy": round(float(np.mean(model.predict(split.X_test) == split.y_test)), 4),
        "seconds": round(time.process_time() - began, 1),
        "labels": int(labelled.sum()),
        "epochs": [pretrain, epochs],
        "chosen": model.tried_,
        "environment": describe_environment(),
    }


class Averaged(Watcher):
    """Keeps a running mean of the weights, and puts it in their place at the last step."""

    def phase_begins(self, step: TrainingStep, history: History, steps: int) -> None:
        self.mean = AveragedModel(step.model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
        self.steps = steps

    def step_ends(self, step: TrainingStep, history: History) -> None:
        self.mean.update_parameters(step.model)
        if step.number == self.steps:
            step.model.load_state_dict(self.mean.module.state_dict())


class AllSoFar(Supervised):
    """Asks the label at the end of each window of all that was read until then, by a pass of its own."""

    encoder: ClassVar[list[torch.nn.Module]] = []

    def _loss_at_anchors(self, batch: SequenceBatch, draw: Draw, windows: Windows) -> Loss:
        assert windows.totals is not None
        assert batch.labels is not None
        drawn = self._drawn(windows.totals, windows.outputs)
        plan = draw.windows
        length = (plan.stop - plan.start)[:, :drawn]
        with torch.no_grad():
            outputs = self.encoder[0](batch.inputs)[0]  # (B, T, H)
        sequence, window = length.nonzero(as_tuple=True)
        own = windows.outputs[sequence, window]  # (R, L, H), zero past the end
        start, count = plan.start[sequence, window], plan.stop[sequence, window].unsqueeze(1).to(own.dtype)
        before = torch.arange(outputs.shape[1]) < start.unsqueeze(1)  # (R, T)
        earlier = outputs[sequence] * before.unsqueeze(2)
        greatest = None
        if windows.totals.greatest is not None:
            highest = outputs[sequence].masked_fill(~before.unsqueeze(2), LOWEST).amax(1)
            greatest = torch.maximum(highest, greatest_within(own, length[sequence, window]))
        mean = (earlier.sum(1) + own.sum(1)) / count
        square = (earlier.square().sum(1) + own.square().sum(1)) / count
        logits = self.answer(Moments(mean, square, greatest))
        weights = (1 / sequence.bincount().to(own.dtype))[sequence]
        target = as_target(logits.shape[-1]) if self.target is None else self.target
        return target.loss(logits, batch.labels[sequence], weights)


class Introduced(Watcher):
    """Tells `AllSoFar` which network it reads."""

    def phase_begins(self, step: TrainingStep, history: History, steps: int) -> None:
        AllSoFar.encoder[:] = [step.model.encoder]


def drawn_by_class(y: Array, share: float, draw: np.random.Generator) -> Array:
    """Which labels are known (N,): a share of each class, at least one."""
    known = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = draw.permutation(np.flatnonzero(y == label))
        known[rows[: max(round(share * len(rows)), 1)]] = True
    return known


def taken(X: Sequences, rows: Array) -> Sequences:
    return X[rows] if isinstance(X, np.ndarray) else [X[row] for row in np.flatnonzero(rows)]


def tables(records: list[dict[str, Any]]) -> str:
    """Medians, and least to greatest, of each arm; with all labels, and with few."""
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for record in records:
        name, share, arm, _ = record["run"].split("/")
        found.setdefault((name, share), {}).setdefault(arm, []).append(record)

    def rows(arms: list[str], whole: bool) -> list[list[str]]:
        return [
            [name, *([] if whole else [f"{100 * float(share):g} % ({by_arm[arms[0]][0]['labels']})"])]
            + [accuracies(by_arm[arm]) if arm in by_arm else "" for arm in arms]
            for (name, share), by_arm in found.items()
            if (float(share) == 1) is whole and arms[0] in by_arm
        ]

    all_arms, few_arms = list(ALL_LABELS), list(FEW_LABELS)
    return "\n\n".join(
        (
            "**All labels: test accuracy, %**",
            markdown_table(["set", *all_arms], rows(all_arms, True)),
            "**Few labels, the other sequences unlabelled: test accuracy, %**",
            markdown_table(["set", "labels", *few_arms], rows(few_arms, False)),
        )
    )


if __name__ == "__main__":
    main()
