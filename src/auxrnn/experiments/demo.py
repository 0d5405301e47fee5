"""The demonstration: what the auxiliary losses buy a truncated LSTM, in minutes, on data that comes with scikit-learn.

Every model trains for the same number of epochs in all, pretraining included, and was tuned on validation data;
`docs/demo.md` tells how. Runs lie in folders like any other and are skipped when they are finished.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from auxrnn.config import AuxiliaryConfig, RunConfig
from auxrnn.files import write_atomically
from auxrnn.grids.grid import require_finished, run_grid
from auxrnn.report.figures import draw_curves, draw_images
from auxrnn.report.statistics import apart, spread
from auxrnn.report.tables import markdown_table, text_table
from auxrnn.runs.folder import RunFolder, read_curve

SHOWN = ("LSTM", "r-LSTM", "p-LSTM")


def demo_arms(data: str) -> dict[str, RunConfig]:
    """The models of the demonstration by their name in the table, without seed and folder."""
    return _digits_arms() if data == "digits" else _mnist_arms()


def run_demo(out: Path, data: str, data_dir: str | None, seeds: int, *, everything: bool = False) -> dict[str, Any]:
    """Train what is not trained yet, print the table, draw the pictures into `out`; return the rows of the table."""
    arms = demo_arms(data)
    names = list(arms) if everything else list(SHOWN)
    runs = {
        f"{name}-{seed}": replace(arms[name], seed=seed, data_dir=data_dir) for name in names for seed in range(seeds)
    }
    started = time.monotonic()
    total = arms[names[0]].max_epochs
    print(
        f"{len(runs)} runs on {arms[names[0]].data}: {', '.join(names)}, {seeds} seeds each, {total} epochs in all, "
        f"supervised window of {arms[names[0]].bptt} steps. Logs lie in the run folders under {out}.",
        flush=True,
    )
    results = require_finished(run_grid(runs, out / data))

    by_name = {name: [results[f"{name}-{seed}"] for seed in range(seeds)] for name in names}
    rows = [
        [
            name,
            str(spread([found["test_accuracy"] for found in by_name[name]])),
            str(spread([found["validation_accuracy"] for found in by_name[name]])),
            str(arms[name].bptt),
            f"{by_name[name][0]['parameters']:,}",
            f"{spread([found['seconds'] for found in by_name[name]]).mean:.0f}",
        ]
        for name in names
    ]
    header = ["model", "test accuracy, %", "validation, %", "BPTT", "parameters", "seconds"]
    print(f"\n{text_table(header, rows)}\n")
    verdict = _verdict(by_name)
    print(verdict)
    _draw(out, replace(arms[names[0]], data_dir=data_dir), out / data, names, seeds)
    table = f"# {arms[names[0]].data}, {seeds} seeds\n\n{markdown_table(header, rows)}\n\n{verdict}\n"
    write_atomically(out / "table.md", lambda aside: aside.write_text(table, encoding="utf-8"))
    print(f"Pictures: {out / 'curves.png'}, {out / 'memory.png'}. Took {time.monotonic() - started:.0f} s.")
    return by_name


def _digits_arms() -> dict[str, RunConfig]:
    """T = 100, K = 8: the last window sees blank margin alone."""
    shared = RunConfig(
        data="digits-long",
        bptt=8,
        hidden_size=64,
        projection_size=None,
        initialisation="forget",
        batch_size=32,
        lr_schedule="cosine",
        checkpoint_steps=None,
    )
    plain = replace(shared, model="lstm", pretrain_epochs=0, max_epochs=60)
    auxiliary = replace(shared, lr=3e-3, num_anchors=2, segment_length=12, pretrain_epochs=20, max_epochs=40)
    blank = AuxiliaryConfig(unfed="blank")
    return {
        "LSTM": replace(plain, lr=1e-3),
        "r-LSTM": replace(auxiliary, model="r-lstm", aux=blank),
        "p-LSTM": replace(auxiliary, model="p-lstm", segment_length=16),
        "rp-LSTM": replace(auxiliary, model="rp-lstm", aux=blank),
        "LSTM full BPTT": replace(plain, bptt="full", lr=3e-3),
    }


def _mnist_arms() -> dict[str, RunConfig]:
    """T = 784, K = 300, 10,000 images."""
    shared = RunConfig(
        data="mnist", limit_train=10_000, bptt=300, initialisation="chrono", batch_size=32, num_anchors=4,
        segment_length=30, aux=AuxiliaryConfig(unfed="blank", target="squared", placement="distant", truth_start=0.0),
    )  # fmt: skip
    plain = replace(shared, model="lstm", pretrain_epochs=0, max_epochs=10)
    auxiliary = replace(shared, pretrain_epochs=1, max_epochs=9)
    return {
        "LSTM": plain,
        "r-LSTM": replace(auxiliary, model="r-lstm"),
        "p-LSTM": replace(auxiliary, model="p-lstm"),
        "rp-LSTM": replace(auxiliary, model="rp-lstm"),
        "LSTM full BPTT": replace(plain, bptt="full"),
    }


def _verdict(by_name: dict[str, list[dict[str, Any]]]) -> str:
    """Whether the auxiliary models are ahead, from the numbers alone."""
    base = spread([found["test_accuracy"] for found in by_name["LSTM"]])
    lines = []
    for name, found in by_name.items():
        if name in ("LSTM", "LSTM full BPTT"):
            continue
        own = spread([result["test_accuracy"] for result in found])
        gap = 100 * (own.mean - base.mean)
        separate = apart(own, base)
        touch = "one seed, no interval" if separate is None else "intervals apart" if separate else "intervals touch"
        lines.append(f"{name} against the truncated LSTM: {gap:+.1f} points ({touch}).")
    return "\n".join(lines)


def _draw(out: Path, example: RunConfig, runs: Path, names: list[str], seeds: int) -> None:
    from auxrnn.data.catalogue import load
    from auxrnn.experiments.memory import remembered_images
    from auxrnn.opening import open_model

    curves = {name: [read_curve(RunFolder(runs / f"{name}-{seed}")) for seed in range(seeds)] for name in names}
    drawn = draw_curves(curves, title=f"{example.data}: supervised window of {example.bptt} steps")
    drawn.save(out / "curves.png")
    test = load(example.data, example.data_dir).test
    saved = open_model(runs / "r-LSTM-0")
    shown, remembered = remembered_images(saved.network, test, 8)
    title = f"r-LSTM: what its state holds of each {saved.config.segment_length} steps at their end"
    draw_images({"shown": shown, "remembered": remembered}, title=title, levels=saved.spec.levels).save(
        out / "memory.png"
    )
