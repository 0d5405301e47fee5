"""The recipe paper learns where torch's initialisation does not: MNIST of 14x14, 3,000 images, six epochs, K 75."""

import os
from pathlib import Path

import pytest

from auxrnn.experiments.arguments import parse_run_config
from auxrnn.runs.run import start_run

FOLDER = os.environ.get("AUXRNN_DATA_DIR")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        FOLDER is None or not (Path(FOLDER) / "mnist").is_dir(), reason="needs MNIST in $AUXRNN_DATA_DIR"
    ),
]

WORDS = "mnist --recipe paper --image_size 14 --limit_train 3000 --limit_test 2000 --model lstm --bptt 75"


def trained(tmp_path: Path, seed: int, *more: str) -> float:
    words = [*WORDS.split(), "--batch_size", "16", "--max_epochs", "6", "--seed", str(seed), *more]
    config = parse_run_config([*words, "--out", str(tmp_path / "run")])
    return start_run(config, say=lambda line: None, judged=False)["test_accuracy"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_truncated_lstm_learns_under_the_paper_s_recipe(tmp_path: Path, seed: int) -> None:
    assert trained(tmp_path, seed) >= 0.45


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_and_stays_at_chance_with_torchs_initialisation(tmp_path: Path, seed: int) -> None:
    assert trained(tmp_path, seed, "--initialisation", "torch") < 0.15
