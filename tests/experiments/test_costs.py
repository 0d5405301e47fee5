"""Measured costs beside the paper's seconds, from made-up figures."""

from pathlib import Path

import pytest

from auxrnn.experiments.catalogue import find_experiment
from auxrnn.experiments.costs import cost_section, costs_file
from auxrnn.report.page import Section
from auxrnn.runs.folder import write_json

FIGURES = [
    {"model": "r-LSTM 20x30", "steps": 1600, "seconds": [0.5, 0.7, 0.6], "mib": 100.0, "stopped": None},
    {"model": "r-LSTM 20x30", "steps": 16384, "seconds": [6.0], "mib": 101.0, "stopped": None},
    {"model": "Transformer", "steps": 1600, "seconds": [2.0], "mib": 900.0, "stopped": None},
    {"model": "Transformer", "steps": 16384, "seconds": [], "mib": None, "stopped": "out of memory"},
]


@pytest.fixture
def section(tmp_path: Path) -> Section:
    path = costs_file(tmp_path, find_experiment("dogs"))
    write_json(path, {"sizes": {"batch": 32}, "environment": {"gpus": [], "processor": "a CPU"}, "figures": FIGURES})
    return cost_section(path)


def test_medians_stand_beside_the_papers_seconds(section: Section) -> None:
    seconds, memory = section.tables
    assert list(seconds.header) == ["model", "1,600", "16,384"]
    assert [list(row) for row in seconds.rows] == [
        ["r-LSTM 20x30", "0.60 (0.9)", "6.00 (6.7)"],
        ["Transformer", "2.00", "–"],
    ]
    assert [list(row) for row in memory.rows] == [["r-LSTM 20x30", "100", "101"], ["Transformer", "900", "–"]]


def test_what_could_not_be_measured_is_told(section: Section) -> None:
    assert "Transformer at 16,384: out of memory" in section.paragraphs[1]
