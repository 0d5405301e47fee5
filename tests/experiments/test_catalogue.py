"""The published numbers of the catalogue against a transcription of their own, and the rows against each other."""

from pathlib import Path

import pytest

from auxrnn.errors import InputError
from auxrnn.experiments.catalogue import (
    DOG_SECONDS,
    DOG_SIDES,
    EXPERIMENTS,
    TRAIN_ACCURACY,
    Experiment,
    find_experiment,
)
from auxrnn.experiments.experiment_page import column_of, row_of

Table = dict[tuple[str, str], float]


def read_tables() -> dict[str, Table]:
    """Section title -> (row, column) -> number, of tests/experiments/published.md."""
    tables: dict[str, Table] = {}
    title, header = "", []
    for line in Path(__file__).with_name("published.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            title, header = line.removeprefix("## "), []
            tables[title] = {}
        elif line.startswith("|") and title and not line.startswith("|---"):
            first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
            if not header:
                header = rest
                continue
            tables[title] |= {(first, column): float(cell) for column, cell in zip(header, rest, strict=True) if cell}
    return tables


TABLES = read_tables()


def published(experiment: Experiment, mark: str) -> Table:
    """(arm, task) -> number, and every number bears the mark."""
    found = {(arm.name, task): number for arm in experiment.arms for task, number in arm.published.items()}
    assert {number.mark for number in found.values()} == {mark}
    return {key: number.value for key, number in found.items()}


def test_table_2() -> None:
    assert published(find_experiment("table2"), "P") == TABLES["table2 P"]
    assert len(TABLES["table2 P"]) == 25


def test_dogs() -> None:
    by_steps = {(str(int(task.split("-")[-1]) ** 2), arm): value
                for (arm, task), value in published(find_experiment("dogs"), "F").items()}  # fmt: skip
    assert by_steps == TABLES["dogs F"]
    assert tuple(sorted({int(steps) for steps, _ in TABLES["dogs F"]})) == tuple(side**2 for side in DOG_SIDES)


def test_seconds_of_dogs() -> None:
    assert {(str(steps), arm): value for arm, row in DOG_SECONDS.items() for steps, value in row.items()} == TABLES[
        "dogs, seconds F"
    ]


def test_dbpedia() -> None:
    experiment = find_experiment("dbpedia")
    assert experiment.measure == "error"
    assert {("error", arm): value for (arm, _), value in published(experiment, "P").items()} == TABLES["dbpedia P"]


def test_bptt() -> None:
    found = published(find_experiment("bptt"), "F")
    assert {tuple(arm.split(" BPTT ")): value for (arm, _), value in found.items()} == TABLES["bptt F"]


def test_segments() -> None:
    found = published(find_experiment("segments"), "P")
    expected = {f"{size} {column}": value for (size, column), value in TABLES["segments P"].items()}
    assert {arm: value for (arm, _), value in found.items()} == expected


def test_ablation() -> None:
    found = published(find_experiment("ablation"), "F")
    assert {(arm.split(":")[0], "points lost"): -value for (arm, _), value in found.items()} == TABLES["ablation F"]


def test_curves() -> None:
    found = {(arm, "test"): value for (arm, _), value in published(find_experiment("curves"), "F").items()}
    found |= {(arm, "train"): number.value for arm, number in TRAIN_ACCURACY.items()}
    assert found == TABLES["curves F"]


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_rows_fit_each_other(experiment: Experiment) -> None:
    names = [arm.name for arm in experiment.arms]
    assert len(set(names)) == len(names)
    assert experiment.baseline in names
    for arm in experiment.arms:
        assert set(arm.published) <= set(experiment.tasks)
        assert not (arm.control and arm.published)


def test_every_arm_of_combined_factors_has_a_cell_of_its_own() -> None:
    for experiment in EXPERIMENTS.values():
        of = experiment.factors
        if of is not None:
            usual = next(arm.settings for arm in experiment.arms if arm.name == experiment.baseline)
            cells = [(arm.settings[of.table], row_of(arm, of), column_of(arm, of, usual)) for arm in experiment.arms]
            assert len(set(cells)) == len(cells)


def test_a_misspelt_experiment_names_the_nearest() -> None:
    with pytest.raises(InputError, match="table2"):
        find_experiment("tabel2")
