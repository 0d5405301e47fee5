"""Prediction against an obvious loop, and the paths of its gradient."""

from typing import Any

import pytest
import torch
from torch import nn

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec
from auxrnn.core.encoder import Encoder
from auxrnn.core.objectives import Prediction
from auxrnn.core.truncation import encode_plans
from oracles import assert_same, gradients
from slow_losses import (
    LENGTHS,
    SPECS,
    assert_equal_to_slow,
    detach_targets,
    make_batch,
    make_encoder,
    prediction,
    slow_prediction_loss,
    walk,
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_anchors": 3},
        {"bptt": 4, "num_anchors": 2},  # pieces of 4 and 2
        {"bptt": 3, "num_anchors": 2},  # two whole pieces
        {"bptt": 1},
        {"bptt": 0},
        {"bptt": None},
        {"segment_length": 100, "bptt": 5},
        {"num_layers": 2},
    ],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()) or "default",
)
@pytest.mark.parametrize("kind", SPECS)
def test_prediction_equals_the_slow_loop(kind: str, options: dict[str, Any]) -> None:
    core, batch = make_encoder(kind), make_batch(kind)
    objective = prediction(core, **options)
    found, draw = walk(objective, core, batch)
    assert_equal_to_slow(found, slow_prediction_loss(objective, core, batch, draw), core, objective, batch)


@pytest.mark.parametrize("bptt", [1, 4, 100, None])
def test_prediction_gradient_stops_at_the_anchor(bptt: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    detach_targets(monkeypatch)
    core, batch = make_encoder(), make_batch(lengths=[30, 17, 5])
    loss, draw = walk(prediction(core, bptt=bptt), core, batch)
    assert draw.segments is not None
    (back,) = gradients(loss.mean, [batch.inputs])
    for b in range(3):
        anchor, length = int(draw.segments.anchor[b, 0]), int(draw.segments.length[b, 0])
        assert back[b].any(-1).nonzero().flatten().tolist() == list(range(anchor, anchor + length))


def test_prediction_pieces_cover_the_segment_and_none_is_longer_than_bptt() -> None:
    objective = prediction(make_encoder(), bptt=4, segment_length=11, num_anchors=2)
    draw = objective.draw(torch.tensor([30, 7]), step_generator(0))
    assert draw.segments is not None
    starts, stops = (bound.unflatten(1, (2, -1)).tolist() for bound in (draw.windows.start, draw.windows.stop))
    for b in range(2):
        for i in range(2):
            anchor, length = int(draw.segments.anchor[b, i]), int(draw.segments.length[b, i])
            pieces = [range(*piece) for piece in zip(starts[b][i], stops[b][i], strict=True)]
            assert [step for piece in pieces for step in piece] == list(range(anchor, anchor + length))
            assert max(map(len, pieces)) <= 4


def test_no_gradient_path_through_the_core_is_longer_than_bptt() -> None:
    core, batch = make_encoder(), make_batch(lengths=[30])
    objective = prediction(core, bptt=4, segment_length=11)
    draw = objective.draw(batch.lengths, step_generator(0))
    (windows,) = encode_plans(core, batch.inputs, [draw.windows])
    for w, (start, stop) in enumerate(zip(draw.windows.start[0].tolist(), draw.windows.stop[0].tolist(), strict=True)):
        assert stop - start <= 4
        for step in range(start, stop):
            (back,) = gradients(windows.outputs[0, w, step - start].sum(), [batch.inputs])
            assert back[0].any(-1).nonzero().flatten().tolist() == list(range(start, step + 1))


def test_a_predictor_learns_what_follows() -> None:
    """The letters go round 0 1 2 3 0 ...; from zeros at the anchor, the phase is known from the main network alone."""
    inputs = (torch.arange(20) + torch.arange(4).unsqueeze(1)) % 4
    core = Encoder(InputSpec("characters", 4), hidden_size=16)
    objective = Prediction(core, segment_length=5, bptt=3, hidden_size=16, regulariser="none")
    optimizer = torch.optim.Adam([*core.parameters(), *objective.parameters()], lr=0.02)
    for step in range(100):
        optimizer.zero_grad()
        loss = objective(core, inputs, generator=step_generator(step))
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.14  # a tenth of ln 4 = 1.39 nats, what guessing costs


def test_a_language_model_has_its_head_on_the_main_network() -> None:
    core, batch = make_encoder("characters"), make_batch("characters")
    objective = prediction(core, num_layers=0, segment_length=50, bptt=None, anchors="end")
    assert objective.decoder.core is None
    found, _ = walk(objective, core, batch)
    expected = torch.zeros((), dtype=torch.float64)
    for sequence, length in zip(batch.inputs, LENGTHS, strict=True):
        if length > 1:
            said = objective.decoder.head(core(sequence[None, : length - 1])[0])[0]
            expected = expected + nn.functional.cross_entropy(said, sequence[1:length], reduction="sum")
    assert_same([found.total], [expected])
    assert found.count == sum(LENGTHS) - len(LENGTHS)
