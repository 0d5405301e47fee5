"""Spoken digits as raw samples, up to 18,262 steps: auxiliary losses against truncation alone, at equal budget.

    auxrnn data import spoken --out spoken.set           # recordings laid out by benchmarks/own_data.py
    python benchmarks/fsdd.py spoken.set --frames frames.npz --out results/fsdd.jsonl

Each arm is a row below, each run of it a line of OUT; recorded runs are skipped and stopped ones go on, so the script
may be ended and called again at will. Runs are made in runs/fsdd. It ends with the table of what is there. `--probe`
asks instead what the state of a network that has learned nothing holds of the digit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.core.build import build_model
from auxrnn.experiments.grids.grid import Outcome, run_grid
from auxrnn.experiments.grids.records import Record, add_records, check_settings, read_records, record_folder
from auxrnn.report.statistics import spread
from auxrnn.runs.datasets import load_data
from auxrnn.runs.run import split_data
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.sources.dataset import SequenceData

EPOCHS = 6
PRETRAIN = 1  # of them, for a model with an auxiliary loss
SHARED: dict[str, Any] = {
    "hidden_size": 32,
    "bptt": 300,
    "num_anchors": 5,
    "segment_length": 60,
    "batch_size": 16,
    "initialisation": "torch",
    "optimizer": "rmsprop",
    "lr": 3e-3,
    "lr_schedule": "cosine",
    "regulariser": "none",
    "accelerator": "cpu",
}
CHRONO = {"initialisation": "chrono"}


@dataclass(frozen=True)
class Arm:
    """One line of the table. epochs: in all, pretraining included. turn: all seeds of a lower one are made before.

    framed: 80 samples a step.
    """

    name: str
    settings: dict[str, Any]
    epochs: int = EPOCHS
    turn: int = 0
    framed: bool = False

    @property
    def folder(self) -> str:
        return self.name.lower().replace(",", "").replace(" ", "-")


ARMS = (
    Arm("LSTM, chrono", {"model": "lstm", **CHRONO}),
    Arm("r-LSTM, chrono", {"model": "r-lstm", **CHRONO}),
    Arm("p-LSTM, chrono", {"model": "p-lstm", **CHRONO}),
    Arm("rp-LSTM, chrono", {"model": "rp-lstm", **CHRONO}, turn=2),
    Arm("LSTM, chrono, as long as r-LSTM", {"model": "lstm", **CHRONO}, epochs=15, turn=1),
    Arm("LSTM", {"model": "lstm"}, turn=3),
    Arm("r-LSTM", {"model": "r-lstm"}, turn=3),
    Arm("LSTM on frames of 10 ms", {"model": "lstm"}, turn=3, framed=True),
    Arm("r-LSTM on frames of 10 ms", {"model": "r-lstm", "segment_length": 10}, turn=3, framed=True),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the recordings: a folder, or the set imported from it")
    parser.add_argument("--frames", help="the same with 80 samples a step; without it those arms are left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="runs at once (default: 1)")
    parser.add_argument("--table", action="store_true", help="no training: the table of what is there")
    parser.add_argument("--probe", action="store_true", help="no training: a linear answer from untrained states")
    options = parser.parse_args()
    if options.probe:
        found = [probe(options.data, seed) for seed in range(options.seeds)]
        print(f"{ARMS[0].name}, untrained, linear answer: {spread(found)} %")
        return 0
    arms = [arm for arm in ARMS if options.frames or not arm.framed]
    planned = [(seed, arm) for seed in range(options.seeds) for arm in arms]
    planned.sort(key=lambda run: run[1].turn)
    runs = {
        f"{arm.folder}/seed-{seed}": config_of(arm, seed, options.frames if arm.framed else options.data)
        for seed, arm in planned
    }
    records = read_records(options.out)
    for name in runs.keys() & records.keys():
        check_settings(runs[name], records[name], options.out)

    def keep(outcome: Outcome) -> None:
        record = record_folder(outcome.folder, outcome.name, runs[outcome.name])
        add_records(options.out, [] if record is None else [record])

    if not options.table:
        try:
            run_grid(
                {name: config for name, config in runs.items() if name not in records},
                Path("runs/fsdd"),
                workers=options.workers,
                keep="results",
                ended=keep,
            )
        except StoppedRunError as error:
            print(error, file=sys.stderr)
            return 1
    for line in table(arms, list(read_records(options.out).values())):
        print(line)
    return 0


def config_of(arm: Arm, seed: int, data: str) -> RunConfig:
    pretrain = 0 if arm.settings["model"] == "lstm" else PRETRAIN
    settings = {**SHARED, **arm.settings, "pretrain_epochs": pretrain, "max_epochs": arm.epochs - pretrain}
    return RunConfig(data=data, seed=seed, **settings)


def probe(data: str, seed: int) -> float:
    """Test accuracy of logistic regression on the standardised last states of the first arm's network, untrained."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    config = config_of(ARMS[0], seed, data)
    sequences = load_data(config).sequences
    train, _ = split_data(sequences, config)
    torch.manual_seed(seed)
    network = build_model(config, train.spec, len(train.classes), int(train.lengths.max()))

    def states(part: SequenceData) -> tuple[Any, Any]:
        found = torch.empty(len(part), config.hidden_size)
        with torch.no_grad():
            for indices in torch.argsort(part.lengths).split(100):
                batch = part.batch(indices.tolist())
                outputs, _ = network.encoder(batch.inputs)
                found[indices] = outputs[torch.arange(len(indices)), batch.lengths - 1]
        return found.numpy(), part.labels

    answer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(*states(train))
    return float(answer.score(*states(sequences.test)))


def table(arms: Iterable[Arm], records: list[Record]) -> list[str]:
    """Markdown: mean and half of Student's 95 % interval over seeds, each run's accuracy, the mean of the seconds."""
    lines = [
        "| model | test accuracy, % | by seed | seconds a run |",
        "|---|---:|---|---:|",
    ]
    for arm in arms:
        own = [record.result for record in records if record.result and Path(record.name).parent.name == arm.folder]
        if own:
            accuracies = [figures["test_accuracy"] for figures in own]
            seconds = sum(figures["seconds"] for figures in own) / len(own)
            each = ", ".join(f"{100 * value:.1f}" for value in accuracies)
            lines.append(f"| {arm.name} | {spread(accuracies)} | {each} | {seconds:.0f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
