"""Each loss against an obvious loop over sequences, anchors and tokens, in float64; and the paths of its gradient."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.anchors import step_generator
from auxrnn.batch import InputSpec, SequenceBatch
from auxrnn.encoder import Encoder
from auxrnn.heads import FeedForward
from auxrnn.objectives import (
    Draw,
    Loss,
    Objective,
    Prediction,
    Reconstruction,
    Supervised,
    label_loss,
    objective_losses,
)
from auxrnn.objectives import prediction as prediction_room
from auxrnn.objectives import reconstruction as reconstruction_room
from auxrnn.objectives.tokens import steps_at
from auxrnn.truncation import encode_plans
from oracles import assert_same, gradients, slow_generate, slow_reconstruction, slow_window

SPECS = {
    "pixels": InputSpec("pixels", 2, levels=5),
    "values": InputSpec("values", 2),
    "characters": InputSpec("characters", 6),
}
LENGTHS = [20, 9, 2, 1, 13]
CLASSES = 3


def make_encoder(kind: str = "values", **options: Any) -> Encoder:
    return Encoder(SPECS[kind], **{"hidden_size": 4, "projection_size": 3, **options}).double()


def make_batch(kind: str = "values", lengths: list[int] = LENGTHS) -> SequenceBatch:
    spec, shape = SPECS[kind], (len(lengths), max(lengths))
    if kind == "values":
        inputs = torch.randn(*shape, spec.size, dtype=torch.float64).requires_grad_()
    elif kind == "pixels":
        inputs = torch.randint(spec.levels, (*shape, spec.size), dtype=torch.uint8)
    else:
        inputs = torch.randint(spec.size, shape)
    return SequenceBatch(inputs, torch.tensor(lengths), torch.randint(CLASSES, (len(lengths),)))


def reconstruction(encoder: nn.Module, **options: Any) -> Reconstruction:
    return Reconstruction(encoder, **{"segment_length": 6, "hidden_size": 4, "regulariser": "none", **options}).double()


def prediction(encoder: nn.Module, **options: Any) -> Prediction:
    return Prediction(encoder, **{"segment_length": 6, "hidden_size": 4, "regulariser": "none", **options}).double()


def supervised(encoder: nn.Module, bptt: int | None) -> Supervised:
    return Supervised(FeedForward(4, CLASSES, regulariser="none"), bptt=bptt).double()


def walk(objective: Objective, core: nn.Module, batch: SequenceBatch, truth_share: float = 1.0) -> tuple[Loss, Draw]:
    """The walk of one batch, with what was drawn in sight."""
    generator = step_generator(7)
    draw = objective.draw(batch.lengths, generator)
    (windows,) = encode_plans(core, batch.inputs, [draw.windows])
    return objective.loss(batch, draw, windows, truth_share, generator), draw


def drawn_feeding(objective: Reconstruction, batch: SequenceBatch, truth_share: float) -> Tensor:
    """Which inputs are fed as they are, (R, l - 1): drawn from the generator behind the anchors."""
    generator = step_generator(7)
    draw = objective.draw(batch.lengths, generator)
    assert draw.segments is not None
    rows, longest = draw.segments.length.numel(), int(draw.segments.length.max())
    fed = torch.rand(rows, longest - 1, generator=generator) < truth_share
    fed[:, 0] = True
    return fed


def token_loss(outputs: Tensor, step: Tensor, levels: int | None) -> Tensor:
    """One token by hand: squared error for levels None, else minus the logarithm of the right level's share."""
    if levels is None:
        return ((outputs - step) ** 2).sum()
    shares = outputs.exp() / outputs.exp().sum(-1, keepdim=True)
    if step.dim() == 0:
        return -shares[int(step)].log()
    return -sum(shares[c, int(level)].log() for c, level in enumerate(step))


LEVELS = {"pixels": 5, "values": None, "characters": 6}


def slow_reconstruction_loss(
    objective: Reconstruction, core: nn.Module, batch: SequenceBatch, draw: Draw, fed: Tensor
) -> tuple[Tensor, int]:
    assert draw.segments is not None
    total, count, row = torch.zeros((), dtype=torch.float64), 0, -1
    for b, sequence in enumerate(batch.inputs):
        for i in range(objective.num_anchors):
            row += 1
            anchor, start, length = (
                int(part[b, i]) for part in (draw.segments.anchor, draw.segments.start, draw.segments.length)
            )
            if length < 2:
                continue
            back = length if objective.reach == "segment" else anchor
            back = back if objective.bptt is None else min(back, objective.bptt)
            _, state = slow_window(core, sequence, anchor - back, anchor)
            segment = sequence[start : start + length]
            segment = segment.flip(0) if objective.order == "reversed" else segment
            outputs = slow_reconstruction(objective.decoder, segment, state, fed[row, : length - 1].tolist())
            for said, step in zip(outputs, segment[1:], strict=True):
                total = total + token_loss(said, step, LEVELS[core.spec.kind])
                count += 1
    return total, count


def slow_prediction_loss(
    objective: Prediction, core: nn.Module, batch: SequenceBatch, draw: Draw
) -> tuple[Tensor, int]:
    assert draw.segments is not None
    total, count = torch.zeros((), dtype=torch.float64), 0
    for b, sequence in enumerate(batch.inputs):
        for i in range(objective.num_anchors):
            anchor, length = int(draw.segments.anchor[b, i]), int(draw.segments.length[b, i])
            state, hidden = None, []
            for first in range(0, length, objective.bptt or max(length, 1)):  # pieces of at most K main steps
                end = min(first + (objective.bptt or length), length)
                outputs, _ = slow_window(core, sequence, anchor + first, anchor + end)
                assert outputs is not None
                hidden += list(outputs.detach() if objective.bptt == 0 else outputs)
            for t, main in enumerate(hidden):
                above, state = objective.decoder.core(main.view(1, 1, -1), state)
                said = objective.decoder.head(above[0, 0])
                total = total + token_loss(said, sequence[anchor + t + 1], LEVELS[core.spec.kind])
                count += 1
    return total, count


def assert_equal_to_slow(
    found: Loss, slow: tuple[Tensor, int], core: nn.Module, objective: Objective, batch: SequenceBatch
) -> None:
    total, count = slow
    assert found.count == count
    assert_same([found.total, found.mean], [total, total / count])
    modules = nn.ModuleDict({"core": core, "objective": objective})
    tensors = [weight for _, weight in modules.named_parameters()]
    names = [name for name, _ in modules.named_parameters()]
    if batch.inputs.requires_grad:
        tensors, names = [*tensors, batch.inputs], [*names, "inputs"]
    assert_same(gradients(found.mean, tensors), gradients(total / count, tensors), names)


# Reconstruction -------------------------------------------------------------------------------------------------------


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


def detach_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the decoder's own view of the raw steps, so that the inputs' gradient is the main network's alone."""
    for room in (prediction_room, reconstruction_room):
        monkeypatch.setattr(room, "steps_at", lambda batch, at: steps_at(batch, at).detach())


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


# Prediction -----------------------------------------------------------------------------------------------------------


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


# Supervised -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bptt", [0, 1, 5, 100, None])
def test_supervised_equals_the_slow_loop(bptt: int | None) -> None:
    core, batch = make_encoder(), make_batch()
    objective = supervised(core, bptt)
    found, _ = walk(objective, core, batch)
    assert batch.labels is not None
    total, correct = torch.zeros((), dtype=torch.float64), 0
    for sequence, length, label in zip(batch.inputs, LENGTHS, batch.labels.tolist(), strict=True):
        back = length if bptt is None else min(max(bptt, 1), length)
        outputs, _ = slow_window(core, sequence, length - back, length)
        assert outputs is not None
        logits = objective.head(outputs[-1].detach() if bptt == 0 else outputs[-1])  # each sequence's own last step
        total = total + token_loss(logits, torch.tensor(label), CLASSES)
        correct += int(logits.argmax()) == label
    assert_equal_to_slow(found, (total, len(LENGTHS)), core, objective, batch)
    assert found.tally[2 * CLASSES :].sum() == correct


@pytest.mark.parametrize("bptt", [0, 1, 5, 100, None])
def test_supervised_gradient_reaches_the_last_steps_alone(bptt: int | None) -> None:
    core, batch = make_encoder(), make_batch()
    objective = supervised(core, bptt)
    loss, _ = walk(objective, core, batch)
    (back,) = gradients(loss.mean, [batch.inputs])
    for b, length in enumerate(LENGTHS):
        first = 0 if bptt is None else max(length - bptt, 0)
        assert back[b].any(-1).nonzero().flatten().tolist() == list(range(first, length))
    assert all(gradient.any() for gradient in gradients(loss.mean, objective.head.parameters()))
    if bptt == 0:
        assert not any(gradient.any() for gradient in gradients(loss.mean, core.parameters()))


def test_supervised_needs_labels() -> None:
    core, batch = make_encoder(), make_batch()
    with pytest.raises(ValueError, match="batch with labels"):
        walk(supervised(core, 3), core, SequenceBatch(batch.inputs, batch.lengths))


# All of them ----------------------------------------------------------------------------------------------------------

AUXILIARIES: dict[str, Callable[..., Any]] = {"reconstruct": reconstruction, "predict": prediction}


def test_several_objectives_together_equal_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    core, batch = make_encoder(), make_batch()
    together = [supervised(core, 5), reconstruction(core, num_anchors=2, bptt=4), prediction(core, bptt=4)]
    alone = []
    for objective in together:
        loss, draw = walk(objective, core, batch)
        alone.append(loss)
        monkeypatch.setattr(objective, "draw", lambda *_, draw=draw: draw)
    found = objective_losses(core, batch, together, 1.0, step_generator(0))
    assert [loss.count for loss in found] == [loss.count for loss in alone]
    tensors = [batch.inputs, *core.parameters(), *nn.ModuleList(together).parameters()]
    for one, other in zip(found, alone, strict=True):
        assert_same([one.total, *gradients(one.mean, tensors)], [other.total, *gradients(other.mean, tensors)])
    sums = [sum(loss.mean for loss in losses) for losses in (found, alone)]
    assert_same(*(gradients(one, tensors) for one in sums))


@pytest.mark.parametrize("name", AUXILIARIES)
def test_anchors_are_fresh_every_step(name: str) -> None:
    objective = AUXILIARIES[name](make_encoder(), num_anchors=2)
    lengths = torch.tensor([500, 400])

    def anchors(generator: torch.Generator) -> list[list[int]]:
        segments = objective.draw(lengths, generator).segments
        assert segments is not None
        return segments.anchor.tolist()

    seen = [anchors(step_generator(0, step)) for step in range(50)]
    assert seen[0] == anchors(step_generator(0, 0))
    assert len({str(one) for one in seen}) == 50
    assert len({one[0][0] for one in seen}) > 40
    assert anchors(step_generator(1, 0)) != seen[0]


@pytest.mark.parametrize("name", AUXILIARIES)
def test_forward_draws_afresh_where_no_generator_is_given_and_repeats_with_torchs_seed(name: str) -> None:
    core, batch = make_encoder(), make_batch(lengths=[200])
    objective = AUXILIARIES[name](core)
    torch.manual_seed(3)
    first, second = objective(core, batch), objective(core, batch)
    torch.manual_seed(3)
    assert torch.equal(objective(core, batch), first)
    assert not torch.equal(first, second)
    generator = step_generator(5)
    assert torch.equal(objective(core, batch, generator=generator), objective(core, batch, generator=step_generator(5)))


@pytest.mark.parametrize("name", AUXILIARIES)
def test_sequences_of_one_step_give_a_zero_that_can_be_learned_from(name: str) -> None:
    core, batch = make_encoder(), make_batch(lengths=[1, 1])
    objective = AUXILIARIES[name](core, num_anchors=2)
    loss, _ = walk(objective, core, batch, 0.5)
    assert (loss.count, loss.mean.item()) == (0, 0.0)
    before = [weight.clone() for weight in objective.parameters()]
    optimizer = torch.optim.SGD([*core.parameters(), *objective.parameters()], lr=1.0)
    loss.mean.backward()
    assert all(weight.grad is not None for weight in objective.parameters())
    optimizer.step()
    assert_same(objective.parameters(), before)


@pytest.mark.parametrize("name", ["supervised", *AUXILIARIES])
@pytest.mark.parametrize("kind", SPECS)
def test_padding_changes_nothing(name: str, kind: str) -> None:
    """Not one bit of loss or gradient, whatever stands there: NaN, a level that is not seen, no character at all."""
    core, batch = make_encoder(kind), make_batch(kind)
    objective = supervised(core, 5) if name == "supervised" else AUXILIARIES[name](core, num_anchors=2, bptt=4)
    other = batch.inputs.detach().clone()
    for b, length in enumerate(LENGTHS):
        other[b, length:] = {"values": float("nan"), "pixels": 255, "characters": -1}[kind]
    found = []
    for inputs in (batch.inputs.detach(), other):
        loss, _ = walk(objective, core, SequenceBatch(inputs, batch.lengths, batch.labels), 0.5)
        found.append([loss.total, *gradients(loss.mean, [*core.parameters(), *objective.parameters()])])
    for one, another in zip(*found, strict=True):
        assert torch.equal(one, another)


@pytest.mark.parametrize("name", AUXILIARIES)
@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_all_256_grey_levels_reach_the_loss_as_they_are(name: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence of all levels and back, wholly reconstructed or predicted: every level is a target, 255 stays 255."""
    core = Encoder(InputSpec("pixels", 1), hidden_size=4, projection_size=3)
    options = {"order": order} if name == "reconstruct" else {}
    objective = {"reconstruct": Reconstruction, "predict": Prediction}[name](core, hidden_size=4, **options)
    levels = torch.cat([torch.arange(256), torch.arange(255, -1, -1)]).to(torch.uint8)
    said = levels.flip(0) if order == "reversed" and name == "reconstruct" else levels
    targets: list[Tensor] = []
    by_hand: list[Tensor] = []
    fed: list[Tensor] = []
    own = objective.decoder.head.loss

    def spy(outputs: Tensor, steps: Tensor) -> Tensor:
        assert outputs.shape == (1, 511, 1, 256)
        targets.append(steps)
        shares = outputs[0, :, 0].log_softmax(-1)
        by_hand.append(-sum(shares[t, level] for t, level in enumerate(said[1:].tolist())))
        return own(outputs, steps)

    monkeypatch.setattr(objective.decoder.head, "loss", spy)
    core.features.register_forward_hook(lambda *args: fed.append(args[2].flatten()))
    loss, _ = walk(objective, core, SequenceBatch(levels.view(1, 512, 1), torch.tensor([512])))
    torch.testing.assert_close(loss.total, by_hand[0])
    assert torch.equal(targets[0].flatten(), said[1:])
    assert set(targets[0].flatten().tolist()) == set(range(256))
    assert set((torch.cat(fed) * 255).round().int().tolist()) == set(range(256))
    (bias,) = gradients(loss.total, [objective.decoder.head.net.second.bias])
    assert (bias != 0).all()


@pytest.mark.parametrize("name", AUXILIARIES)
def test_in_a_loop_of_your_own_with_torchs_own_core(name: str) -> None:
    """README's use: any core, plain tensors, no trainer."""
    core = nn.LSTM(2, 8, batch_first=True)
    kind = {"reconstruct": Reconstruction, "predict": Prediction}[name]
    objective = kind(core, InputSpec("values", 2), segment_length=10, bptt=5, hidden_size=8)
    inputs, lengths = torch.randn(3, 40, 2), torch.tensor([40, 7, 23])
    optimizer = torch.optim.Adam([*core.parameters(), *objective.parameters()], lr=0.01)
    before = [weight.clone() for weight in [*core.parameters(), *objective.parameters()]]
    for _ in range(3):
        optimizer.zero_grad()
        objective(core, inputs, lengths, truth_share=0.5).backward()
        optimizer.step()
    after = [*core.parameters(), *objective.parameters()]
    assert all(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_refuse_what_they_do_not_know() -> None:
    core = make_encoder()
    for options, message in (
        ({"placement": "far"}, "near, distant, got 'far'"),
        ({"order": "backward"}, "forward, reversed, got 'backward'"),
        ({"reach": "all"}, "segment, bptt, shared, got 'all'"),
        ({"direction": "up"}, "past, future, got 'up'"),
        ({"anchors": "first"}, "uniform, end, late, stratified, got 'first'"),
        ({"bptt": -1}, "truncation length of at least 0"),
        ({"num_layer": 1}, "num_layer"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            reconstruction(core, **options)
    for make in (Reconstruction, Prediction):
        with pytest.raises(ValueError, match=r"spec=InputSpec\(kind, size\)"):
            make(nn.LSTM(2, 4, batch_first=True))
    with pytest.raises(ValueError, match="truncation length"):
        supervised(core, -1)


# Learning -------------------------------------------------------------------------------------------------------------


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


def test_a_sequence_autoencoder_reproduces_the_sequence_from_its_last_state() -> None:
    core, batch = make_encoder(), make_batch(lengths=[9, 5])
    objective = reconstruction(core, segment_length=50, anchors="end", reach="bptt", bptt=None, num_layers=1)
    found, draw = walk(objective, core, batch)
    assert draw.segments is not None
    assert (draw.segments.anchor.tolist(), draw.segments.start.tolist()) == ([[9], [5]], [[0], [0]])
    assert found.count == 8 + 4


def test_weighted_labels_are_torchs_own():
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0, 0])
    batch = SequenceBatch(torch.zeros(6, 1, 1), torch.ones(6, dtype=torch.int64), labels)
    weights = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
    oracle = functional.cross_entropy(logits, labels, weights, reduction="sum")
    weighted = label_loss(logits, SequenceBatch(batch.inputs, batch.lengths, labels, weights[labels]))
    assert_same([weighted.total], [oracle])
    assert weighted.count == 6
    assert_same([label_loss(logits, batch).total], [functional.cross_entropy(logits, labels, reduction="sum")])
    assert weighted.tally[6:].sum() == (logits.argmax(1) == labels).sum()
    with pytest.raises(ValueError, match="a batch with labels"):
        label_loss(logits, SequenceBatch(batch.inputs, batch.lengths))
