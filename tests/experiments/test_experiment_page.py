"""The page of an experiment from made-up records: the paper's number, ours, and what it says of their difference."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auxrnn.experiments.catalogue import Arm, Experiment, Factors, Published
from auxrnn.experiments.experiment_page import build_page
from auxrnn.experiments.grids.records import Record
from auxrnn.experiments.scales import Scale, SizedTask, plan_runs
from auxrnn.report.page import Cell, Page, Table

EXPERIMENT = Experiment(
    "table2",
    "Title",
    "Question?",
    ("mnist",),
    (
        Arm("base", {"model": "lstm"}, {"mnist": Published(50.0, "P")}),
        Arm("better", {"model": "r-lstm"}, {"mnist": Published(60.0, "F")}),
        Arm("ours alone", {"model": "p-lstm"}, control=True),
    ),
    baseline="base",
)
PAPER = Scale("paper", "Note.", 3, {}, {"mnist": SizedTask("digits", {}, shrink=1, epochs=2, pretrain=1)})
CIRCUMSTANCES = {"commit": "abc", "gpus": [], "processor": "a CPU", "threads": 1}
CURVE = {"phase": ["train"] * 2, "epoch": [1, 2], "validation_accuracy": [0.5, 0.6], "train_accuracy": [0.4, 0.7]}


def make_page(
    tmp_path: Path,
    accuracies: dict[str, Sequence[float]],
    experiment: Experiment = EXPERIMENT,
    scale: Scale = PAPER,
    failing: Sequence[str] = (),
) -> Page:
    """A page of runs whose test accuracies are given by arm and seed; failing: arms whose other runs have failed."""
    planned = plan_runs(experiment, scale, max(map(len, accuracies.values())))
    records = {}
    for run in planned:
        if run.seed < len(accuracies.get(run.arm, ())):
            figures = {"test_accuracy": accuracies[run.arm][run.seed], "validation_accuracy": 0.5, "best_epoch": 2,
                       "epochs": 2, "seconds": 10.0, "cpu_seconds": 8.0 + 2 * run.seed,
                       "peak_memory_bytes": 2**30, "parameters": 2000, "classifier_parameters": 1000}  # fmt: skip
            records[run.name] = Record(run.name, run.config, CIRCUMSTANCES, CURVE, figures)
        elif run.arm in failing:
            records[run.name] = Record(run.name, run.config, CIRCUMSTANCES, {}, error="not finite")
    return build_page(experiment, scale, planned, records, tmp_path / "table2.html")


def find_table(page: Page, caption: str) -> Table:
    return next(table for section in page.sections for table in section.tables if caption in table.caption)


def row_of(page: Page, arm: str) -> dict[str, str]:
    table = find_table(page, "test set")
    rows = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in table.rows]
    (row,) = [row for row in rows if row[0].text == arm]
    return {name: cell.text for name, cell in zip(table.header, row, strict=True)}


def test_a_row_has_the_papers_number_ours_and_the_difference(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.50, 0.52, 0.51], "better": [0.60, 0.62, 0.61]})
    row = row_of(page, "better")
    assert row["paper, %"] == "60.0 (F)"
    assert row["ours: test accuracy, %"].startswith("61.0 ± ")
    assert row["against base"] == "+10.0"
    assert row["intervals apart"] == "yes"
    assert row["parameters: classifier (all)"] == "1,000 (2,000)"
    assert row["peak, MiB"] == "1,024"
    assert row_of(page, "base")["against base"] == "baseline"


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [([0.5, 0.52, 0.49], "not told apart"), ([0.61, 0.62, 0.6], "no: +11.0"), ([0.6], "one seed")],
)
def test_it_says_whether_we_are_where_the_paper_is(tmp_path: Path, accuracies: list[float], said: str) -> None:
    assert row_of(make_page(tmp_path, {"base": accuracies}), "base")["like the paper's?"] == said


def test_at_another_size_the_papers_number_is_no_yardstick(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.5, 0.52]}, scale=replace(PAPER, name="laptop"))
    assert row_of(page, "base")["like the paper's?"] == "other size or epochs"


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.5], "better": [0.6]})
    row = row_of(page, "better")
    assert row["ours: test accuracy, %"] == "60.0"
    assert (row["bootstrap 95 %"], row["real?"], row["intervals apart"]) == ("–", "unknown", "–")
    assert "One seed shows no spread" in find_table(page, "test set").note


def test_an_error_is_what_is_left_of_accuracy(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.96]}, replace(EXPERIMENT, measure="error"))
    assert row_of(page, "base")["ours: test error, %"] == "4.0"


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.5, 0.6], "better": [0.6]})
    assert any("3 of 6 runs are not finished" in text for text in page.sections[0].paragraphs)


def test_differences_are_drawn_where_asked_for(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.5], "better": [0.6]}, replace(EXPERIMENT, differences=True))
    names = [figure.name for section in page.sections for figure in section.figures]
    assert names[0] == "mnist-differences"


def test_every_run_is_listed_with_its_line_and_command(tmp_path: Path) -> None:
    page = make_page(tmp_path, {"base": [0.5, 0.6]}, failing=("better",))
    rows: list[Any] = list(find_table(page, "Runs").rows)
    assert [row[1] for row in rows] == ["1", "2", "3", "4"]
    for row in rows:
        assert row[0].link == "table2.jsonl"
        assert row[0].note == f"auxrnn train --config 'table2.jsonl#{row[0].text}' --out again"
        assert row[-2:] == ["abc", "a CPU, 1 thread"]
    assert [row[4] for row in rows if row[2] == "base, mnist"] == ["50.00", "60.00"]
    failed = [row[4] for row in rows if row[2] == "better, mnist"]
    assert [(cell.text, cell.note) for cell in failed] == [("failed", "not finite")] * 2


def test_runs_that_failed_are_told(tmp_path: Path) -> None:
    """An arm that diverged with every seed has a row, and one that survived with some says how many did not."""
    page = make_page(tmp_path, {"base": [0.5, 0.5, 0.5], "better": [0.7]}, failing=("better", "ours alone"))
    paragraphs = page.sections[0].paragraphs
    assert "5 of 9 runs have failed (diverged, as a rule) and have no figures." in paragraphs
    assert not any("not finished" in told for told in paragraphs)
    table = find_table(page, "test set")
    cells = {row[0].text: row[2] for row in table.cells}
    assert (cells["better"].text, cells["better"].note) == ("70.0", "1 seed, 2 seeds failed")
    assert (cells["ours alone"].text, cells["ours alone"].note) == ("failed", "3 seeds failed")


def test_combined_factors_are_a_table_a_model(tmp_path: Path) -> None:
    arms = tuple(
        Arm(f"{model} {start} {size} {optimizer}",
            {"model": model, "initialisation": start, "projection_size": size, "optimizer": optimizer})
        for model in ("lstm", "r-lstm") for start in ("torch", "tensorflow") for size in (8, None)
        for optimizer in ("rmsprop", "adamw")
    )  # fmt: skip
    factors = Factors("model", ("initialisation", "projection_size"), ("optimizer",))
    experiment = replace(EXPERIMENT, arms=arms, baseline="lstm tensorflow 8 adamw", factors=factors)
    accuracies = {
        "lstm torch None rmsprop": [0.25, 0.25],
        "lstm tensorflow 8 adamw": [0.5, 0.51],
        "r-lstm torch 8 adamw": [0.75],
    }
    page = make_page(tmp_path, accuracies, experiment, failing=("lstm torch 8 rmsprop",))
    lstm, r_lstm = find_table(page, "mnist, lstm (K 300)"), find_table(page, "mnist, r-lstm (K 300, 1x600)")
    assert lstm.header == r_lstm.header == ["", "rmsprop", "adamw"]
    told = [[cell.text for cell in row] for row in lstm.cells]
    assert told == [
        ["torch, projection 8", "failed", "–"],
        ["torch, projection none", "25.0 ± 0.0", "–"],
        ["tensorflow, projection 8", "–", "50.5 ± 6.4"],  # half a point's spread times Student's 12.7, by hand
        ["tensorflow, projection none", "–", "–"],
    ]
    assert [[cell.strong for cell in row].index(True) for row in lstm.cells if any(cell.strong for cell in row)] == [2]
    assert lstm.cells[2][2].note == "2 seeds, 9 s of CPU, 1,024 MiB"
    assert [cell.text for cell in next(iter(r_lstm.cells))] == ["torch, projection 8", "–", "75.0"]
    assert len(find_table(page, "Runs").rows) == 5 + 2
    assert not [figure for section in page.sections for figure in section.figures]
