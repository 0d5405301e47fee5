"""The next command by what is wrong: words that the command line takes."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from auxrnn.config import RunConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.runs.folder import RunFolder, write_config
from auxrnn.runs.judging import remedies
from easy_data import make_data, make_tags

CONFIG = RunConfig(hidden_size=9, lr=0.003, max_epochs=4, initialisation="tensorflow", bptt=7)
OWN = replace(CONFIG, data="data/some.csv")


def suggested(folder, state, config=CONFIG):
    """The words of the suggestion, and the configuration that they give."""
    place = RunFolder(folder / "my run")
    place.path.mkdir(exist_ok=True)
    write_config(place, config)
    words = shlex.split(remedies(config, place, make_data())(state))
    return words, parse_run_config(words[2:])


@pytest.mark.parametrize(
    ("state", "config", "changes"),
    [
        ("majority", CONFIG, {"initialisation": "tensorflow-chrono"}),
        ("majority", replace(CONFIG, initialisation="torch"), {"initialisation": "chrono"}),
        ("majority", replace(CONFIG, initialisation="chrono"), {"readout": "stats"}),
        ("majority", replace(CONFIG, initialisation="chrono", readout="stats"), {"max_epochs": 8}),
        ("majority", replace(CONFIG, model="irnn"), {"readout": "stats"}),
        ("majority", replace(CONFIG, model="transformer"), {"max_epochs": 8}),
        ("memorised", CONFIG, {"hidden_size": 4}),
        (
            "memorised",
            replace(CONFIG, model="transformer"),
            {"transformer": replace(CONFIG.transformer, feed_forward=128)},
        ),
        ("first", CONFIG, {"lr": 0.001}),
        ("fell", CONFIG, {"lr": 0.001}),
        ("rising", CONFIG, {"max_epochs": 8}),
        ("untold", replace(CONFIG, limit_test=5), {"limit_test": None}),
        ("untold", OWN, {"reading": ReadingOptions(test_fraction=0.4)}),
    ],
)
def test_a_suggested_training_changes_one_setting(tmp_path, state, config, changes):
    words, again = suggested(tmp_path, state, config)
    assert words[:2] == ["auxrnn", "train"]
    assert again == replace(config, out=again.out, **changes)
    assert Path(again.out) != tmp_path / "my run"


def test_where_each_step_has_a_label_the_window_is_lengthened_up_to_the_longest_sequence(tmp_path):
    config, folder = replace(CONFIG, initialisation="chrono"), RunFolder(tmp_path / "my run")
    assert "--bptt 14" in remedies(config, folder, make_tags(8))("majority")
    assert "--max_epochs 8" in remedies(config, folder, make_tags(7))("majority")


def test_what_must_be_of_one_size_is_halved_together(tmp_path):
    config = replace(CONFIG, residual=True, stem="conv", readout="stats", hidden_size=8, projection_size=8)
    assert "--hidden_size 4 --projection_size 4" in remedies(config, RunFolder(tmp_path), make_data())("memorised")
    assert remedies(replace(CONFIG, hidden_size=1), RunFolder(tmp_path), make_data())("memorised") == ""


@pytest.mark.parametrize("state", ["floor", "below"])
def test_a_floor_is_shown_on_the_data_of_the_run(tmp_path, state):
    words, config = suggested(tmp_path, state)
    assert words[:2] == ["auxrnn", "baseline"]
    assert config == CONFIG


def test_a_useful_run_is_looked_at(tmp_path):
    folder = RunFolder(tmp_path / "my run")
    assert shlex.split(remedies(CONFIG, folder, make_data())("useful")) == ["auxrnn", "report", str(folder.path)]


def test_no_more_sequences_to_test_on(tmp_path):
    folder = RunFolder(tmp_path)
    assert remedies(CONFIG, folder, make_data())("untold") == ""
    assert remedies(replace(OWN, reading=ReadingOptions(test_fraction=0.5)), folder, make_data())("untold") == ""
