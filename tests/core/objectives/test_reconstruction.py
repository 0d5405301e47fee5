"""Reconstruction against an obvious loop, and the paths of its gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.objectives import Reconstruction
from oracles import assert_same, gradients, slow_generate, slow_reconstruction, slow_window
from slow_losses import (
    SPECS,
    assert_equal_to_slow,
    detach_targets,
    drawn_feeding,
    make_batch,
    make_encoder,
    reconstruction,
    slow_reconstruction_loss,
    token_loss,
    walk,
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_anchors": 3},
        {"order": "reversed", "num_anchors": 2},
        {"placement": "distant", "num_anchors": 2},
        {"placement": "distant", "order": "reversed"},
        {"bptt": 3, "num_anchors": 2},
        {"bptt": 1},
        {"bptt": 0},
        {"bptt": None},
        {"reach": "bptt", "bptt": 8, "num_anchors": 2},
        {"reach": "bptt", "bptt": None},
        {"segment_length": 100},
        {"unfed": "blank", "truth_share": 0.5},
        {"unfed": "model", "truth_share": 0.5, "num_anchors": 2},
        {"unfed": "model", "truth_share": 0.0, "num_layers": 1},
    ],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()) or "default",
)
@pytest.mark.parametrize("kind", SPECS)
def test_reconstruction_equals_the_slow_loop(kind: str, options: dict[str, Any]) -> None:
    options = dict(options)
    truth_share = options.pop("truth_share", 1.0)
    core, batch = make_encoder(kind), make_batch(kind)
    objective = reconstruction(core, **options)
    found, draw = walk(objective, core, batch, truth_share)
    fed = drawn_feeding(objective, batch, truth_share)
    slow = slow_reconstruction_loss(objective, core, batch, draw, fed)
    assert_equal_to_slow(found, slow, core, objective, batch)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_reconstruction_of_other_cells_equals_the_slow_loop(cell: str) -> None:
    core, batch = make_encoder(cell=cell), make_batch()
    objective = reconstruction(core, num_anchors=2, bptt=4)
    assert isinstance(objective.decoder.core, type(core.core))
    found, draw = walk(objective, core, batch, 0.5)
    fed = drawn_feeding(objective, batch, 0.5)
    assert_equal_to_slow(found, slow_reconstruction_loss(objective, core, batch, draw, fed), core, objective, batch)


def test_reconstruction_averages_over_tokens_and_not_over_sequences() -> None:
    """Sequences of 9 steps and 3, both wholly reconstructed: 8 + 2 tokens, so the long one counts four times."""
    core, batch = make_encoder(), make_batch(lengths=[9, 3])
    objective = reconstruction(core, segment_length=9)
    both = walk(objective, core, batch)[0]
    alone = [walk(objective, core, SequenceBatch(batch.inputs[b : b + 1], batch.lengths[b : b + 1]))[0] for b in (0, 1)]
    assert (both.count, alone[0].count, alone[1].count) == (10, 8, 2)
    assert_same([both.mean], [(8 * alone[0].mean + 2 * alone[1].mean) / 10])


@pytest.mark.parametrize("bptt", [1, 4, 9, None])
@pytest.mark.parametrize("reach", ["segment", "bptt"])
@pytest.mark.parametrize("placement", ["near", "distant"])
def test_reconstruction_gradient_goes_back_min_of_bptt_and_segment(
    bptt: int | None, reach: str, placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detach_targets(monkeypatch)
    core, batch = make_encoder(), make_batch(lengths=[30, 17, 5])
    objective = reconstruction(core, bptt=bptt, reach=reach, placement=placement)
    loss, draw = walk(objective, core, batch)
    assert draw.segments is not None
    (back,) = gradients(loss.mean, [batch.inputs])
    for b in range(3):
        anchor, length = int(draw.segments.anchor[b, 0]), int(draw.segments.length[b, 0])
        limit = length if reach == "segment" else anchor
        first = anchor - (limit if bptt is None else min(bptt, limit))
        assert back[b].any(-1).nonzero().flatten().tolist() == list(range(first, anchor))


@pytest.mark.parametrize("truth_share", [0.0, 0.5, 1.0])
def test_every_token_reaches_the_main_network(truth_share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token by token, in the first half of the segment and in the second, through the whole walk."""
    detach_targets(monkeypatch)
    core, batch = make_encoder(), make_batch(lengths=[16])
    objective = reconstruction(core, segment_length=12)
    tokens: list[Tensor] = []
    own = objective.decoder.head.loss

    def spy(outputs: Tensor, steps: Tensor) -> Tensor:
        tokens.append(own(outputs, steps))
        return tokens[-1]

    monkeypatch.setattr(objective.decoder.head, "loss", spy)
    walk(objective, core, batch, truth_share)
    assert tokens[0].shape == (1, 11)
    for token in tokens[0][0]:
        assert gradients(token, [core.core.weight_hh_l0])[0].any()
        assert gradients(token, [batch.inputs])[0].any(-1).sum() == 12


@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("placement", ["near", "distant"])
def test_recall_is_what_the_state_at_the_anchor_holds(order: str, placement: str) -> None:
    core, batch = make_encoder("pixels").eval(), make_batch("pixels", [20, 9])
    objective = reconstruction(core, num_anchors=2, order=order, placement=placement).eval()
    found = objective.draw(batch.lengths, step_generator(0)).segments
    assert found is not None
    recalled = objective.recall(core, batch, found)
    assert recalled.dtype == torch.uint8
    assert not recalled.requires_grad
    for row, said in enumerate(recalled):
        b, i = divmod(row, 2)
        anchor, start, length = (int(part[b, i]) for part in (found.anchor, found.start, found.length))
        _, state = slow_window(core, batch.inputs[b], anchor, anchor)
        true = batch.inputs[b, start : start + length]
        true = true.flip(0) if order == "reversed" else true
        assert torch.equal(said[0], true[0])
        assert torch.equal(said[1:], slow_generate(objective.decoder, true[0], state, length - 1))


def test_a_decoder_learns_to_reproduce_from_memory_alone() -> None:
    """Eight fixed random words of eight letters with one first letter, no true input fed behind it.

    Whoever does not know the word can at best say each letter with the share it has at that place among the eight
    words. That loss, computed here, is about 0.9 nats a letter; a tenth of it needs the state at the anchor, up to the
    last letter.
    """
    words = torch.randint(4, (8, 8), generator=torch.Generator().manual_seed(0))
    words[:, 0] = 0
    core = Encoder(InputSpec("characters", 4), hidden_size=24)
    objective = Reconstruction(core, segment_length=8, hidden_size=24, unfed="blank", regulariser="none")
    shares = nn.functional.one_hot(words[:, 1:], 4).double().mean(0)  # (7, 4)
    blind = -(shares * shares.clamp(min=1e-9).log()).sum(-1)  # (7,) nats of each place without memory
    assert (blind > 0.6).all()
    optimizer = torch.optim.Adam([*core.parameters(), *objective.parameters()], lr=0.02)
    for step in range(120):
        optimizer.zero_grad()
        loss = objective(core, words, truth_share=0.0, generator=step_generator(step))
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * blind.mean().item()


@pytest.mark.parametrize(("bptt", "expected"), [(4, 0), (6, 0), (8, 2), (100, 20), (None, 20)])
def test_shared_reach_leaves_what_the_decoders_steps_leave(bptt: int | None, expected: int) -> None:
    """K - l steps of the main network before the anchor at the end, never more than there are; by hand for l = 6."""
    objective = reconstruction(make_encoder(), bptt=bptt, reach="shared", anchors="end")
    plan = objective.draw(torch.tensor([20]), step_generator(0)).windows
    assert (plan.stop - plan.start).tolist() == [[expected]]


def test_shared_reach_gives_the_gradient_of_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    detach_targets(monkeypatch)
    core, batch = make_encoder(), make_batch(lengths=[20])
    found, _ = walk(reconstruction(core, bptt=9, reach="shared", anchors="end"), core, batch)
    (gradient,) = gradients(found.total, [batch.inputs])
    assert gradient[0].any(dim=1).tolist() == [False] * 17 + [True] * 3


@pytest.mark.parametrize("placement", ["near", "distant"])
def test_a_future_segment_is_decoded_from_the_anchor_before_it(placement: str) -> None:
    """The loss of the slow loop, with segments behind their anchors; a sequence of one step has nothing to say."""
    core, batch = make_encoder(), make_batch()
    objective = reconstruction(core, direction="future", placement=placement, num_anchors=2, bptt=4)
    found, draw = walk(objective, core, batch)
    assert draw.segments is not None
    assert bool((draw.segments.start >= draw.segments.anchor).all())
    assert draw.segments.length[:, 0].tolist() == [6, 6, 1, 0, 6]
    expected, count = torch.zeros((), dtype=torch.float64), 0
    for b, i in ((0, 0), (0, 1), (1, 0), (1, 1), (4, 0), (4, 1)):
        anchor, start = int(draw.segments.anchor[b, i]), int(draw.segments.start[b, i])
        _, state = slow_window(core, batch.inputs[b], max(anchor - 4, 0), anchor)
        segment = batch.inputs[b, start : start + 6]
        said = slow_reconstruction(objective.decoder, segment, state, [True] * 5)
        for outputs, step in zip(said, segment[1:], strict=True):
            expected, count = expected + token_loss(outputs, step, None), count + 1
    assert found.count == count
    weights = [*core.parameters(), *objective.parameters()]
    assert_same([found.total, *gradients(found.total, weights)], [expected, *gradients(expected, weights)])


def test_a_sequence_autoencoder_reproduces_the_sequence_from_its_last_state() -> None:
    core, batch = make_encoder(), make_batch(lengths=[9, 5])
    objective = reconstruction(core, segment_length=50, anchors="end", reach="bptt", bptt=None, num_layers=1)
    found, draw = walk(objective, core, batch)
    assert draw.segments is not None
    assert (draw.segments.anchor.tolist(), draw.segments.start.tolist()) == ([[9], [5]], [[0], [0]])
    assert found.count == 8 + 4
