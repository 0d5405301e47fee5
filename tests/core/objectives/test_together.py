"""What holds for every objective, alone and with others."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.objectives import Prediction, Reconstruction, objective_losses
from oracles import assert_same, gradients
from slow_losses import LENGTHS, SPECS, make_batch, make_encoder, prediction, reconstruction, supervised, walk

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
