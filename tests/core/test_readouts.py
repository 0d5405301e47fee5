"""Readouts of all steps: exact values, and a gradient that is right on average, against plain loops in float64."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.heads import FeedForward
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Draw, Supervised, losses_of_draws, objective_losses
from auxrnn.core.readouts import LEAST_VARIANCE, Moments, Readout
from auxrnn.core.stems import ConvStem
from auxrnn.core.threads import even_parts
from auxrnn.core.totals import TotalsPlan, no_totals
from auxrnn.core.truncation import WindowPlan, run_prefix
from auxrnn.targets import ClassesTarget, Target, ValueTarget
from oracles import assert_same, gradients, slow_window
from slow_losses import make_batch, make_encoder

H, CLASSES = 4, 3
LENGTHS = [20, 9, 2, 1, 13]
KINDS = ["stats", "stats-max"]


def make_objective(kind: Any = "stats", bptt: int | None = 4, **options: Any) -> Supervised:
    torch.manual_seed(5)
    readout = Readout(kind, H)
    head = FeedForward(readout.size, CLASSES, regulariser="none")
    return Supervised(head, bptt=bptt, readout=readout, **options).double()


def slow_outputs(core: nn.Module, sequence: Tensor, block: int | None) -> Tensor:
    """Outputs (T, H) of one sequence, whose graph is cut at the start of every block."""
    steps = len(sequence)
    block = block or steps
    found = [slow_window(core, sequence, first, min(first + block, steps))[0] for first in range(0, steps, block)]
    return torch.cat([part for part in found if part is not None])


def slow_answer(objective: Supervised, outputs: Tensor) -> Tensor:
    """What the head says of one sequence from all of its outputs (T, H), the plain way."""
    mean = outputs.mean(0)
    variance = outputs.square().mean(0) - mean.square()
    parts = [mean, variance.clamp(min=LEAST_VARIANCE).sqrt()]
    assert objective.readout is not None
    if objective.readout.kind == "stats-max":
        parts.append(outputs.amax(0))
    return objective.head(objective.readout.norm(torch.cat(parts)))


def slow_loss(objective: Supervised, core: nn.Module, batch: SequenceBatch, block: int | None) -> Tensor:
    assert batch.labels is not None
    said = [
        slow_answer(objective, slow_outputs(core, sequence[:length], block))
        for sequence, length in zip(batch.inputs, batch.lengths.tolist(), strict=True)
    ]
    return functional.cross_entropy(torch.stack(said), batch.labels, reduction="sum")


def weights_of(*modules: nn.Module) -> list[nn.Parameter]:
    return [weight for module in modules for weight in module.parameters()]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bptt", [1, 3, 4, 20, None])
@pytest.mark.parametrize("kind", KINDS)
def test_value_is_the_plain_readouts(kind: str, bptt: int | None, threads: int) -> None:
    core, batch = make_encoder(), make_batch()
    objective = make_objective(kind, bptt)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    finally:
        torch.set_num_threads(before)
    assert_same([found.total], [slow_loss(objective, core, batch, bptt)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("core_kind", ["lstm", "gru", "rnn"])
def test_gradient_through_all_blocks_is_the_cut_gradient(core_kind: str, kind: str) -> None:
    core, batch = make_encoder(cell=core_kind), make_batch()
    objective = make_objective(kind, 4, num_windows=5, top_windows=5)
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    weights = weights_of(core, objective)
    assert_same(gradients(found.total, weights), gradients(slow_loss(objective, core, batch, 4), weights))


@pytest.mark.parametrize("kind", KINDS)
def test_one_window_over_all_is_full_back_propagation(kind: str) -> None:
    core, batch = make_encoder(), make_batch()
    for bptt in (None, 20, 50):
        objective = make_objective(kind, bptt)
        (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
        weights = weights_of(core, objective)
        assert_same(gradients(found.total, weights), gradients(slow_loss(objective, core, batch, None), weights))


def test_mean_over_all_draws_is_the_cut_gradient() -> None:
    """Every choice of two blocks is as likely: the mean of the gradients over all of them, exactly."""
    core, lengths = make_encoder(), [20, 9, 1]
    batch = make_batch(lengths=lengths)
    objective = make_objective("stats", 4, num_windows=2)
    weights = weights_of(core, objective)
    numbers = [5, 3, 1]
    sums: list[Tensor] = [torch.zeros_like(weight) for weight in weights]
    choices = [list(itertools.combinations(range(number), min(2, number))) for number in numbers]
    every = list(itertools.product(*choices))
    for chosen in every:
        blocks = torch.tensor([[*own, *[-1] * (2 - len(own))] for own in chosen])
        start = blocks.clamp(min=0) * 4
        stop = torch.where(blocks < 0, start, torch.minimum(start + 4, batch.lengths.unsqueeze(1)))
        draw = Draw(WindowPlan(start, stop), totals=objective.totals(batch.lengths))
        (found,) = losses_of_draws(core, batch, [objective], [draw], 0.0, step_generator(0))
        sums = [one + other for one, other in zip(sums, gradients(found.total, weights), strict=True)]
    expected = gradients(slow_loss(objective, core, batch, 4), weights)
    assert_same([one / len(every) for one in sums], expected)


def test_every_choice_of_blocks_is_as_likely() -> None:
    objective = make_objective(num_windows=2)
    seen: dict[tuple[int, ...], int] = {}
    generator = step_generator(7)
    for _ in range(3000):
        plan = objective.draw(torch.tensor([18, 3]), generator).windows
        own = tuple(sorted(plan.start[0].tolist()))
        assert plan.stop[0].tolist() == [min(first + 4, 18) for first in plan.start[0].tolist()]
        assert sorted((plan.stop - plan.start)[1].tolist()) == [0, 3]  # one block alone, and an empty window
        seen[own] = seen.get(own, 0) + 1
    assert len(seen) == 10  # two of five blocks
    assert all(abs(count - 300) < 5 * 300**0.5 for count in seen.values())


def test_greatest_outputs_have_their_gradient_in_few_windows() -> None:
    """With one top window the units that are greatest there have their gradient, the others none."""
    core, batch = make_encoder(), make_batch(lengths=[20])
    objective = make_objective("stats-max", 4, num_windows=5, top_windows=1)
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    outputs = slow_outputs(core, batch.inputs[0], 4)
    place = outputs.argmax(0) // 4
    most = place.bincount().argmax()
    assert len(place.unique()) > 1
    mean, square = outputs.mean(0), outputs.square().mean(0)
    greatest = torch.where(place == most, outputs.amax(0), outputs.amax(0).detach())
    said = objective.answer(Moments(mean[None], square[None], greatest[None]))
    expected = functional.cross_entropy(said, batch.labels, reduction="sum")
    weights = weights_of(core, objective)
    assert_same([found.total], [expected])
    assert_same(gradients(found.total, weights), gradients(expected, weights))


class Lowered(nn.Module):
    """A core whose outputs lie far below zero, as those of one's own may."""

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.core = core

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs, state = self.core(inputs, state)
        return 3 * outputs - 9, state


def test_greatest_outputs_may_lie_anywhere() -> None:
    core, batch = Lowered(make_encoder()), make_batch()
    objective = make_objective("stats-max", 4, num_windows=5, top_windows=5, anchor_weight=0.5)
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    at_anchors = [
        torch.stack(
            [
                functional.cross_entropy(slow_answer(objective, part), label)
                for part in slow_outputs(core, sequence[:length], 4).split(4)
            ]
        ).mean()
        for sequence, length, label in zip(batch.inputs, LENGTHS, batch.labels, strict=True)
    ]
    expected = slow_loss(objective, core, batch, 4) + 0.5 * torch.stack(at_anchors).sum()
    weights = weights_of(core, objective)
    assert_same([found.total], [expected])
    assert_same(gradients(found.total, weights), gradients(expected, weights))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind: str) -> None:
    core, batch = make_encoder(), make_batch()
    inputs = batch.inputs.detach().clone()
    for row, length in enumerate(LENGTHS):
        inputs[row, length:] = float("nan")
    objective = make_objective(kind)
    weights = weights_of(core, objective)
    found, other = (
        objective_losses(core, one, [objective], 0.0, step_generator(0))[0]
        for one in (batch, SequenceBatch(inputs, batch.lengths, batch.labels))
    )
    assert_same([found.total], [other.total])
    assert_same(gradients(found.total, weights), gradients(other.total, weights))


@pytest.mark.parametrize("kind", KINDS)
def test_constant_outputs_give_no_nan(kind: str) -> None:
    core, batch = make_encoder(), make_batch()
    for weight in core.parameters():
        nn.init.zeros_(weight)
    objective = make_objective(kind)
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    found.total.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in weights_of(core, objective) if weight.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_without_back_propagation_the_head_alone_learns(kind: str) -> None:
    core, batch = make_encoder(), make_batch()
    objective = make_objective(kind, 0)
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    assert_same([found.total], [slow_loss(objective, core, batch, None)])
    assert not any(one.any() for one in gradients(found.total, core.parameters()))
    assert all(one.any() for one in gradients(found.total, objective.head.parameters()))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_at_anchors_ask_the_head_of_each_window_alone(kind: str) -> None:
    core, batch = make_encoder(), make_batch()
    objective = make_objective(kind, 4, num_windows=5, top_windows=5, anchor_weight=0.5)
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    expected = slow_loss(objective, core, batch, 4)
    for sequence, length, label in zip(batch.inputs, LENGTHS, batch.labels, strict=True):
        parts = slow_outputs(core, sequence[:length], 4).split(4)
        asked = [functional.cross_entropy(slow_answer(objective, part), label) for part in parts]
        expected = expected + 0.5 * torch.stack(asked).mean()
    weights = weights_of(core, objective)
    assert_same([found.total], [expected])
    assert_same(gradients(found.total, weights), gradients(expected, weights))
    assert found.count == len(batch)


@pytest.mark.parametrize("stem", [None, 2])
@pytest.mark.parametrize("kind", ["last", *KINDS])
def test_parts_of_a_batch_give_the_loss_of_the_whole(kind: Any, stem: int | None, monkeypatch: Any) -> None:
    """With labels at anchors too, where sequences have unequal numbers of windows."""
    torch.manual_seed(0)
    lengths = [20] * 5 + [3, 2, 9, 1]
    spec = InputSpec("values", 2)
    own = None if stem is None else ConvStem(spec, 4, stride=stem)
    encoder = Encoder(spec, hidden_size=H, projection_size=4, stem=own)
    windows = {"anchor_weight": 0.0 if kind == "last" else 0.5}
    model = SequenceClassifier(encoder, CLASSES, bptt=3, readout=kind, windows=windows, regulariser="none").double()
    inputs = torch.randn(len(lengths), 20, 2, dtype=torch.float64)
    batch = SequenceBatch(inputs, torch.tensor(lengths), torch.arange(len(lengths)) % CLASSES)
    cuts: list[int] = []
    found = []
    for parts in (1, 3):
        monkeypatch.setattr(
            "auxrnn.core.objectives.base.tiles",
            lambda sequences, *_, parts=parts: cuts.append(parts) or even_parts(sequences, parts),
        )
        loss = model.losses(batch, ["supervised"], 0.0, step_generator(0))["supervised"]
        found.append([loss.total, *gradients(loss.total, weights_of(encoder, model.supervised))])
    assert cuts == [1, 3]
    assert_same(*found)


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        (ValueTarget(("a", "b")), torch.randn(5, 2, dtype=torch.float64)),
        (ClassesTarget(("a", "b", "c")), torch.randint(2, (5, 3)).double()),
    ],
)
def test_values_and_several_classes(target: Target, labels: Tensor) -> None:
    core, batch = make_encoder(), make_batch()
    readout = Readout("stats", H)
    head = FeedForward(readout.size, target.size, regulariser="none")
    objective = Supervised(head, bptt=4, target=target, readout=readout, anchor_weight=0.3).double()
    own = SequenceBatch(batch.inputs, batch.lengths, labels)
    (found,) = objective_losses(core, own, [objective], 0.0, step_generator(0))
    plain = Supervised(head, bptt=4, target=target, readout=readout).double()
    said = torch.stack(
        [slow_answer(plain, slow_outputs(core, one[:n], 4)) for one, n in zip(batch.inputs, LENGTHS, strict=True)]
    )
    (same,) = objective_losses(core, own, [plain], 0.0, step_generator(0))
    expected = target.loss(said, labels).total
    weights = weights_of(core, plain)
    assert_same([same.total], [expected])
    assert_same(gradients(same.total, weights), gradients(expected, weights))  # five blocks are all of them
    for one, length, label in zip(batch.inputs, LENGTHS, labels, strict=True):
        parts = slow_outputs(core, one[:length], 4).split(4)
        asked = [target.loss(slow_answer(plain, part)[None], label[None]).total for part in parts]
        expected = expected + 0.3 * torch.stack(asked).mean()
    assert_same([found.total], [expected])
    assert_same(gradients(found.total, weights), gradients(expected, weights))


def test_a_model_answers_what_the_loss_has_seen() -> None:
    torch.manual_seed(0)
    batch = make_batch()
    model = SequenceClassifier(make_encoder(), CLASSES, bptt=4, readout="stats-max", regulariser="none").double()
    with torch.no_grad():
        logits = model(batch)
    loss = model.losses(batch, ["supervised"], 0.0, step_generator(0))["supervised"]
    assert_same([loss.total], [functional.cross_entropy(logits, batch.labels, reduction="sum")])
    same, other = (
        model.losses(batch, ["supervised"], 0.0, step_generator(0))["supervised"].total.detach() for _ in range(2)
    )
    assert torch.equal(same, other)


def test_outputs_that_hardly_change_keep_the_digits_of_their_deviation() -> None:
    """It is a small difference of large numbers, of which float32 would keep two digits."""
    torch.manual_seed(0)
    outputs = 0.7 + 1e-3 * torch.randn(2, 300, H)
    totals = no_totals(2, outputs, greatest=False)
    for piece in outputs.split([1, 99, 200], dim=1):
        totals = totals.after(piece)
    found = Readout("stats", H)(Moments.of(totals))
    exact = outputs.double()
    expected = functional.layer_norm(torch.cat([exact.mean(1), exact.std(1, correction=0)], dim=1), (2 * H,))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)


# Totals ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 3, 7, 300])
def test_pieces_begin_at_every_block_and_are_short(block: int) -> None:
    points = TotalsPlan(torch.tensor([5, 400]), block).points(128).tolist()
    assert points[0] == 0
    assert points == sorted(set(points))
    assert set(range(0, 400, block)) <= set(points)
    assert all(1 <= after - before <= 128 for before, after in itertools.pairwise([*points, 400]))


def test_memory_of_totals_does_not_grow_with_the_length() -> None:
    core = make_encoder()
    kept = []
    for steps in (200, 4000):
        batch = make_batch(lengths=[steps, steps])
        totals = run_prefix(core, batch.inputs, [], TotalsPlan(batch.lengths, 2, top=3)).totals
        assert totals is not None
        assert totals.blocks is not None
        assert totals.blocks.shape == (2, 3)
        kept.append(totals.states[0].shape)
    assert kept[0] == kept[1]


def test_an_answer_keeps_no_states_of_blocks() -> None:
    core, batch = make_encoder(), make_batch(lengths=[300, 41])
    plan = TotalsPlan(batch.lengths, 2, top=3)
    named = run_prefix(core, batch.inputs, [], plan).totals
    bare = run_prefix(core, batch.inputs, [], plan.without_blocks()).totals
    assert named is not None
    assert bare is not None
    assert (bare.blocks, bare.block_of, bare.states) == (None, None, None)
    assert_same([bare.total, bare.squares, bare.greatest], [named.total, named.squares, named.greatest])
