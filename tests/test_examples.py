"""Every example runs as it stands, in seconds, and stays short."""

import runpy
from pathlib import Path

import pytest
import torch

from auxrnn.core.truncation import encode_plans

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore::auxrnn.errors.FloorWarning")  # in seconds none beats what costs one
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    assert capsys.readouterr().out.strip()
    assert len(path.read_text().splitlines()) < 60


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


def test_burn_in_is_one_pass_from_the_stored_state(capsys):
    (path,) = (path for path in EXAMPLES if path.stem == "stored_state")
    made = runpy.run_path(str(path))
    core, stored, observations = made["core"], made["stored"], made["observations"]
    outputs, _ = core(observations, stored)
    found = made["encode_windows"](
        made["FromStoredState"](core, stored), observations, made["start"], made["start"] + 12
    )
    torch.testing.assert_close(found.outputs[:, 0], outputs[:, 8:20])


def test_the_gradient_of_a_loss_of_ones_own_goes_back_to_its_windows_start(capsys):
    """The 4 steps before each anchor receive a gradient, and no others."""
    (path,) = (path for path in EXAMPLES if path.stem == "own_loss")
    made = runpy.run_path(str(path))
    inputs = torch.randn(2, 30, 3, requires_grad=True)
    batch = made["SequenceBatch"](inputs.detach(), torch.full((2,), 30))
    draw = made["own"].draw(batch.lengths, made["step_generator"](0))
    (windows,) = encode_plans(made["encoder"], inputs, [draw.windows])
    made["own"].loss(batch, draw, windows, 0.0).mean.backward()
    ahead = draw.segments.anchor.unsqueeze(-1) - torch.arange(30)  # (B, n, T): how far each anchor lies behind a step
    read = ((ahead >= 1) & (ahead <= 4)).any(1)
    assert torch.equal(inputs.grad.abs().amax(2) > 0, read)
