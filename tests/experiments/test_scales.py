"""From catalogue and scale to configurations: epochs, shrunk lengths, names."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from auxrnn.config import MODELS, RECIPES, RunConfig
from auxrnn.errors import InputError
from auxrnn.experiments.catalogue import EXPERIMENTS, RIVALS, Arm, Experiment, Segments, Steps, Times, find_experiment
from auxrnn.experiments.scales import LAPTOP, RIVALS_ON, SCALES, Scale, SizedTask, find_scale, plan_runs, run_config

EIGHTH = SizedTask("digits", {"limit_train": 100}, shrink=1 / 8, epochs=10, pretrain=3)
SCALE = Scale("small", "note", seeds=2, shared={"hidden_size": 16}, tasks={"mnist": EIGHTH})


def configure(**settings: Any) -> RunConfig:
    return run_config(Arm("arm", settings), EIGHTH, SCALE)


def test_lengths_shrink_in_proportion() -> None:
    config = configure(model="r-lstm", bptt=Steps(304), **{"aux.bptt": Steps(80)})
    assert (config.bptt, config.aux.bptt) == (38, 10)


@pytest.mark.parametrize(
    ("given", "expected"),  # by hand: the root of 1/8 is 0.354; 600/8 = 75
    [((1, 600), (1, 75)), ((20, 30), (7, 11)), ((10, 60), (4, 19)), ((200, 3), (71, 2)), ((1, 3), (1, 2))],
)
def test_segments_shrink_as_a_product(given: tuple[int, int], expected: tuple[int, int]) -> None:
    config = configure(model="r-lstm", segments=Segments(*given))
    assert (config.num_anchors, config.segment_length) == expected


def test_a_truncation_keeps_one_step_and_plain_numbers_stay() -> None:
    assert configure(model="lstm", bptt=Steps(1)).bptt == 1
    assert configure(model="lstm", bptt=0).bptt == 0
    assert configure(model="lstm", bptt="full").bptt == "full"


@pytest.mark.parametrize(
    ("settings", "pretrain", "train"),
    [
        ({"model": "r-lstm"}, 3, 7),
        ({"model": "lstm"}, 0, 10),
        ({"model": "r-lstm", "pretrain": False}, 0, 10),
        ({"model": "lstm", "epochs": Times(3)}, 0, 30),
        ({"model": "r-lstm", "epochs": Times(2)}, 3, 17),
    ],
)
def test_every_arm_trains_for_the_same_epochs_in_all(settings: dict[str, Any], pretrain: int, train: int) -> None:
    config = configure(**settings)
    assert (config.pretrain_epochs, config.max_epochs) == (pretrain, train)


def test_an_arm_is_above_its_task_and_that_above_the_scale() -> None:
    assert configure(model="lstm").hidden_size == 16
    assert configure(model="lstm", hidden_size=4).hidden_size == 4
    assert configure(model="lstm").limit_train == 100


def test_runs_come_seed_by_seed_and_share_what_is_the_same() -> None:
    arms = (Arm("a", {"model": "lstm"}), Arm("b", {"model": "r-lstm"}), Arm("same as a", {"model": "lstm"}))
    experiment = Experiment("test", "", "", ("mnist", "cifar10"), arms, baseline="a")
    planned = plan_runs(experiment, SCALE, 2)
    assert [(run.arm, run.seed) for run in planned] == [(arm.name, seed) for seed in (0, 1) for arm in arms]
    assert planned[0].name == planned[2].name != planned[1].name
    assert planned[0].name.rpartition("/")[0] == planned[3].name.rpartition("/")[0]
    assert planned[0].name.endswith("/seed-0")
    assert planned[3].config == replace(planned[0].config, seed=1)


def test_some_arms_and_tasks() -> None:
    planned = plan_runs(find_experiment("table2"), find_scale("smoke"), 1, ["pmnist"], ["iRNN", "uRNN"])
    assert [(run.task, run.arm) for run in planned] == [("pmnist", "iRNN"), ("pmnist", "uRNN")]


@pytest.mark.parametrize(("tasks", "arms", "near"), [(["mnits"], [], "mnist"), ([], ["irnn"], "iRNN")])
def test_a_misspelt_task_or_arm_names_the_nearest(tasks: list[str], arms: list[str], near: str) -> None:
    with pytest.raises(InputError, match=near):
        plan_runs(find_experiment("table2"), find_scale("smoke"), 1, tasks, arms)


def test_a_scale_may_ask_on_another_task() -> None:
    assert {run.task for run in plan_runs(find_experiment("bptt"), find_scale("laptop"), 1)} == {"mnist"}


def test_a_scale_may_leave_arms_out() -> None:
    planned = plan_runs(find_experiment("table2"), find_scale("laptop"), 1, ["mnist"])
    left = {arm.name for arm in find_experiment("table2").arms} - {run.arm for run in planned}
    assert left == {"r-LSTM Full BP", "p-LSTM Full BP", "iRNN"}
    on_pmnist = {run.arm for run in plan_runs(find_experiment("table2"), find_scale("laptop"), 1, ["pmnist"])}
    assert {run.arm for run in planned} - on_pmnist == {
        *("Transformer", "uRNN", "iRNN, learning rate 0.00003"),
        "LSTM Truncate300, torch's initialisation and RMSProp",
        "r-LSTM 20x30 Truncate300, torch's initialisation and RMSProp",
    }
    with pytest.raises(InputError, match=r"uRNN.* got 'iRNN'"):
        plan_runs(find_experiment("table2"), find_scale("laptop"), 1, arms=["iRNN"])
    with pytest.raises(InputError, match="got 'uRNN'"):
        plan_runs(find_experiment("table2"), find_scale("laptop"), 1, ["pmnist"], ["uRNN"])


def test_rivals_on_a_laptop_are_arms_of_the_catalogue() -> None:
    known = {arm.name for arm in RIVALS.arms}
    for ways in RIVALS_ON.values():
        assert {f"{cell}, {way}, last" for way, cells in ways.items() for cell in cells} <= known
    names = [run.name.rpartition("/")[0] for run in plan_runs(RIVALS, LAPTOP, 1)]
    assert (
        len(names) == len(set(names)) == 2 * sum(len(cells) for ways in RIVALS_ON.values() for cells in ways.values())
    )


def test_combined_factors_come_table_by_table() -> None:
    """All seeds of the LSTM come before the first r-LSTM: cut short, the grid still answers for the LSTM. r-LSTM is
    asked with TensorFlow's RMSProp, and with the others where projection and regulariser are the paper's.
    """
    planned = plan_runs(find_experiment("initialisation"), find_scale("laptop"), 3)
    assert [(run.config.model, run.seed) for run in planned] == [
        (model, seed) for model, number in (("lstm", 48), ("r-lstm", 24)) for seed in range(3) for _ in range(number)
    ]
    factors = [
        (run.config.model, run.config.initialisation, run.config.optimizer, run.config.projection_size,
         run.config.regulariser) for run in planned if run.seed == 0
    ]  # fmt: skip
    every = set(
        product(
            ("lstm", "r-lstm"),
            ("torch", "tensorflow", "forget", "chrono"),
            ("rmsprop", "rmsprop_tf", "adamw"),
            (128, None),
            ("dropconnect", "none"),
        )
    )
    asked = {one for one in every if one[0] == "lstm" or one[2] == "rmsprop_tf" or one[3:] == (128, "dropconnect")}
    assert set(factors) == asked
    assert len(factors) == 48 + 24
    assert {run.config.bptt for run in planned} == {75}
    assert {(run.config.num_anchors, run.config.segment_length)
            for run in planned if run.config.model == "r-lstm"} == {(10, 15)}  # fmt: skip


@pytest.mark.parametrize("name", ["paper", "short", "laptop"])
def test_where_nothing_else_is_said_the_recipe_holds(name: str) -> None:
    runs = {run.arm: run.config for run in plan_runs(find_experiment("table2"), find_scale(name), 1, ["mnist"])}
    own = {
        "paper": {"pretrain_epochs": 10},
        "short": {"pretrain_epochs": 3},
        "laptop": {"pretrain_epochs": 2, "batch_size": 16, "bptt": 75, "num_anchors": 10, "segment_length": 15},
    }
    config = runs["r-LSTM 20x30 Truncate300"]
    expected = {**RECIPES["paper"], "num_anchors": 20, "segment_length": 30, **own[name]}
    assert {setting: getattr(config, setting) for setting in expected} == expected
    torch = runs["LSTM Truncate300, torch's initialisation and RMSProp"]
    assert torch == replace(runs["LSTM Truncate300"], initialisation="torch", optimizer="rmsprop")
    assert runs["LSTM Full BP, chrono"] == replace(runs["LSTM Full BP"], initialisation="tensorflow-chrono")


def test_a_misspelt_scale_names_the_nearest() -> None:
    with pytest.raises(InputError, match="laptop"):
        find_scale("labtop")


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_arm_has_a_configuration_at_every_scale(experiment: Experiment, scale: Scale) -> None:
    planned = plan_runs(experiment, scale, 1)
    assert experiment.baseline in {run.arm for run in planned}
    names: dict[str, RunConfig] = {}
    for run in planned:
        assert names.setdefault(run.name, run.config) == run.config, "one folder, one configuration"
        pretrains = bool(MODELS[run.config.model]) and run.arm != "pretraining: none"
        assert (run.config.pretrain_epochs > 0) == pretrains


def test_paper_scale_keeps_the_published_lengths() -> None:
    planned = plan_runs(find_experiment("segments"), find_scale("paper"), 1)
    assert {(run.config.num_anchors, run.config.segment_length) for run in planned} == {
        (1, 600), (10, 60), (20, 30), (50, 12), (100, 6), (200, 3)
    }  # fmt: skip
    assert all(run.config.num_anchors * run.config.segment_length == 600 for run in planned)


def test_short_scale_is_the_papers_but_for_its_epochs() -> None:
    for task in ("mnist", "pmnist", "cifar10"):
        planned = [plan_runs(find_experiment("table2"), find_scale(name), 1, [task]) for name in ("short", "paper")]
        for one, other in zip(*planned, strict=True):
            epochs = {"pretrain_epochs": other.config.pretrain_epochs, "max_epochs": other.config.max_epochs}
            assert replace(one.config, **epochs) == other.config
            assert one.config.pretrain_epochs + one.config.max_epochs in (30, 90)
