"""Tiles and threads change nothing but the time: the same losses and gradients as in one pass over the whole."""

import pytest
import torch
from torch import nn

from auxrnn.config import AuxiliaryConfig, ModelConfig
from auxrnn.core import tiles
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.core.heads import FeedForward
from auxrnn.core.objectives import base
from auxrnn.core.tiles import PartedLoss, draw_by_row, sum_parts, treats_rows_alone
from auxrnn.targets.losses import Loss
from oracles import assert_same


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def losses_and_gradients(config, *, tiled, monkeypatch, lengths=(9, 30, 17, 30, 2)):
    torch.manual_seed(0)
    network = build_model(config, InputSpec("pixels", 1), 3).double().train()
    lengths = torch.tensor(lengths)
    inputs = torch.randint(0, 256, (len(lengths), int(lengths.max()), 1), dtype=torch.uint8)
    weights = torch.linspace(0.5, 2.0, len(lengths), dtype=torch.float64)
    batch = SequenceBatch(inputs, lengths, torch.arange(len(lengths)) % 3, weights)
    monkeypatch.setattr(tiles, "TILE_STEPS", 12)
    monkeypatch.setattr(tiles, "LEAST_ROWS", 2)
    if not tiled:
        monkeypatch.setattr(base, "_can_be_tiled", lambda *_: False)
    torch.manual_seed(5)
    found = network.losses(batch, ("supervised", *config.auxiliaries), 0.5, step_generator(3))
    total = sum(loss.mean * factor for factor, loss in enumerate(found.values(), 1))
    total.backward()
    said = [(loss.count, None if loss.tally is None else loss.tally.tolist()) for loss in found.values()]
    gradients = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad
        for name, weight in network.named_parameters()
    }
    return [loss.total.detach() for loss in found.values()], said, gradients


def assert_tiles_change_nothing(config, monkeypatch):
    with monkeypatch.context() as patch:
        expected, said, gradients = losses_and_gradients(config, tiled=False, monkeypatch=patch)
    found, said_too, gradients_too = losses_and_gradients(config, tiled=True, monkeypatch=monkeypatch)
    assert said == said_too
    assert_same(found, expected)
    assert_same(gradients_too.values(), gradients.values(), gradients)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("r-lstm", {}),
        ("p-lstm", {}),
        *[("rp-lstm", {name: value}) for name, value in (("cell", "gru"), ("bptt", 0), ("num_anchors", 3))],
    ],
)
@pytest.mark.usefixtures("two_threads")
def test_tiles_and_threads_change_no_loss_and_no_gradient(model, options, monkeypatch):
    config = ModelConfig(
        **{"model": model, "hidden_size": 4, "projection_size": 3, "bptt": 6, "segment_length": 8} | options
    )
    assert_tiles_change_nothing(config, monkeypatch)


def test_dropout_sees_every_row_of_every_tile_once(monkeypatch):
    """A dropout that is a function of its row alone leaves losses and gradients as they are without tiles."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, rows: 2 * rows * (rows > rows.mean(-1, keepdim=True)))
    config = ModelConfig(model="rp-lstm", hidden_size=4, bptt=6, segment_length=8, regulariser="dropout")
    assert_tiles_change_nothing(config, monkeypatch)


def test_dropout_draws_the_same_on_any_number_of_threads(monkeypatch):
    config = ModelConfig(model="rp-lstm", hidden_size=4, bptt=6, segment_length=8, regulariser="dropout")
    found = []
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found.append(losses_and_gradients(config, tiled=True, monkeypatch=monkeypatch))
        finally:
            torch.set_num_threads(before)
    assert_same(found[0][0], found[1][0])
    assert_same(found[0][2].values(), found[1][2].values(), found[0][2])


def test_the_blank_form_of_scheduled_sampling_is_cut_too(monkeypatch):
    config = ModelConfig(hidden_size=4, bptt=6, segment_length=8, aux=AuxiliaryConfig(unfed="blank"))
    with monkeypatch.context() as patch:
        expected = losses_and_gradients(config, tiled=False, monkeypatch=patch)[0]
    assert_same(losses_and_gradients(config, tiled=True, monkeypatch=monkeypatch)[0], expected)


def test_no_more_than_a_tile_runs_at_once(monkeypatch):
    seen = []
    plain = base.encode_from
    monkeypatch.setattr(
        base, "encode_from", lambda core, inputs, *more: seen.append(len(inputs)) or plain(core, inputs, *more)
    )
    config = ModelConfig(model="lstm", hidden_size=4, bptt=6)
    losses_and_gradients(config, tiled=True, monkeypatch=monkeypatch)
    assert max(seen) == 2
    assert sum(seen) == 5


def test_sum_of_parts_by_hand():
    weight, unused = nn.Parameter(torch.tensor(3.0)), nn.Parameter(torch.tensor(1.0))
    parts = [lambda x=x: Loss(weight * x, 1, torch.tensor(1)) for x in (1.0, 2.0, 4.0)]
    constant = PartedLoss([lambda: Loss(torch.tensor(2.0), 3)], [weight])
    (whole, other) = sum_parts([PartedLoss(parts, [weight, unused]), constant], threads=2)
    assert (float(whole.total.detach()), whole.count, int(whole.tally)) == (21.0, 3, 3)
    assert (float(other.total.detach()), other.count, other.tally) == (2.0, 3, None)
    (whole.mean * 5).backward()
    assert float(weight.grad) == pytest.approx(35 / 3)  # 5 / 3 * (1 + 2 + 4)
    assert unused.grad is None


def test_which_layers_treat_rows_alone():
    assert treats_rows_alone([FeedForward(2, 3), nn.LSTM(2, 3, 2)])
    assert treats_rows_alone([FeedForward(2, 3, regulariser="dropout"), nn.LSTM(2, 3, 2, dropout=0.5)])
    assert not treats_rows_alone([nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))])


def test_which_layers_draw_by_row():
    assert draw_by_row([nn.Identity(), FeedForward(2, 3, regulariser="dropout")])
    assert draw_by_row([nn.LSTM(2, 3, 2, dropout=0.5)])
    for module in (FeedForward(2, 3, regulariser="dropout").eval(), FeedForward(2, 3), nn.LSTM(2, 3, 2)):
        assert not draw_by_row([module])


def test_tiles_hold_steps_and_rows_and_keep_all_threads_busy():
    def rows(*sizes):
        return [len(part) for part in tiles.tiles(*sizes)]

    assert rows(64, 1, 300, 1) == [16] * 4
    assert rows(32, 20, 600, 1) == [8] * 4  # 160 rows of 30 steps
    assert rows(32, 1, 16_384, 1) == [8] * 4  # never fewer than a product needs
    assert rows(16, 4, 16_384, 1) == [2] * 8
    assert rows(64, 1, 1, 1) == [64]
    assert rows(48, 1, 300, 2) == [12] * 4
    assert rows(3, 40, 4_000, 2) == [1] * 3
    assert rows(4, 1, 0, 2) == [2, 2]
    assert rows(64, 5, 250, 1, 255) == rows(64, 5, 250, 1)
    assert rows(64, 5, 250, 1, 256) == rows(64, 5, 500, 1)  # a step of so many numbers counts as two


def test_parts_that_have_nothing_to_say_before_one_that_has():
    """The gradient of a plain sum times 0 is one number seen many times; the next part is added to it."""
    weight = nn.Parameter(torch.ones(4))
    parts = [lambda: Loss(weight.sum() * 0.0, 0), lambda: Loss((weight * torch.arange(4.0)).sum(), 1)]
    (whole,) = sum_parts([PartedLoss(parts, [weight])], threads=1)
    whole.total.backward()
    assert weight.grad.tolist() == [0.0, 1.0, 2.0, 3.0]
