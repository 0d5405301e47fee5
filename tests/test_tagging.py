"""The loss of a label a step: values of one uninterrupted pass, unbiased over its windows, at a cost without T."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Draw, Reconstruction, SupervisedSteps, losses_of_draws, objective_losses
from auxrnn.core.truncation import WindowPlan
from auxrnn.targets import TagsTarget
from oracles import assert_same, slow_window

LENGTHS = [9, 4, 6]
TARGET = TagsTarget(("a", "b", "c"))


def make(bptt=3, cell="lstm"):
    torch.manual_seed(2)
    core = Encoder(InputSpec("values", 2), cell=cell, hidden_size=4, projection_size=3).double()
    return core, SupervisedSteps(nn.Linear(4, 3).double(), bptt=bptt, target=TARGET)


def make_batch(unlabelled=True):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(3, 9, 2, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (3, 9), generator=generator)
    lengths = torch.tensor(LENGTHS)
    labels[torch.arange(9) >= lengths.unsqueeze(1)] = -1
    if unlabelled:
        labels[0, 2], labels[2, 5] = -1, -1
    return SequenceBatch(inputs, lengths, labels)


def slow_sum(core, objective, batch, row, start, stop):
    """The summed cross-entropy of the labelled steps of a window, one step at a time."""
    outputs, _ = slow_window(core, batch.inputs[row], start, stop)
    labels = batch.labels[row, start:stop]
    there = labels != -1
    return functional.cross_entropy(objective.head(outputs)[there], labels[there], reduction="sum")


@pytest.mark.parametrize("bptt", [1, 3, 6])
def test_a_window_is_the_slow_loop_in_value_and_gradient(bptt):
    core, objective = make(bptt)
    batch = make_batch()
    draw = objective.draw(batch.lengths, step_generator(5))
    (found,) = losses_of_draws(core, batch, [objective], [draw], 0.0, step_generator(0))
    total = torch.zeros((), dtype=torch.float64)
    for row, (start, stop) in enumerate(zip(draw.windows.start[:, 0], draw.windows.stop[:, 0], strict=True)):
        length = LENGTHS[row]
        factor = 1.0 if bptt >= length else (length + bptt - 1) / bptt
        total = total + factor * slow_sum(core, objective, batch, row, int(start), int(stop))
    weights = [*core.parameters(), *objective.parameters()]
    assert found.count == int((batch.labels != -1).sum())
    assert_same([found.total], [total])
    assert_same(torch.autograd.grad(found.total, weights), torch.autograd.grad(total, weights))


def test_all_windows_together_are_the_whole_sequence():
    """The mean over every place that a window may have is the mean over all labelled steps: nothing is favoured."""
    core, objective = make(3)
    batch = make_batch()
    sums = torch.zeros((), dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        one = SequenceBatch(batch.inputs[row : row + 1, :length], torch.tensor([length]), batch.labels[row : row + 1])
        places = range(-2, length)
        for first in places:
            start, stop = torch.tensor([[max(first, 0)]]), torch.tensor([[min(first + 3, length)]])
            draws = [Draw(WindowPlan(start, stop))]
            (found,) = losses_of_draws(core, one, [objective], draws, 0.0, step_generator(0))
            sums = sums + found.total.detach() / len(places)
    whole = SupervisedSteps(objective.head, bptt=None, target=TARGET)
    (expected,) = objective_losses(core, batch, [whole], 0.0, step_generator(0))
    assert_same([sums / expected.count], [expected.mean])


def test_every_step_is_equally_likely():
    objective = make(4)[1]
    lengths = torch.full((40_000,), 10)
    windows = objective.draw(lengths, step_generator(1)).windows
    steps = torch.arange(10)
    share = ((steps >= windows.start) & (steps < windows.stop)).double().mean(0)
    assert (windows.stop - windows.start).max() == 4
    assert (share - 4 / 13).abs().max() < 5 * (4 / 13 * 9 / 13 / 40_000) ** 0.5


@pytest.mark.parametrize("bptt", [9, 100, None])
def test_a_window_as_long_as_the_sequence_is_full_back_propagation(bptt):
    core, objective = make(bptt)
    batch = make_batch()
    (found,) = objective_losses(core, batch, [objective], 0.0, step_generator(0))
    total = sum(slow_sum(core, objective, batch, row, 0, length) for row, length in enumerate(LENGTHS))
    weights = [*core.parameters(), *objective.parameters()]
    assert_same([found.total], [total])
    assert_same(torch.autograd.grad(found.total, weights), torch.autograd.grad(total, weights))


def test_gradient_by_finite_differences():
    core, objective = make(None, "gru")
    batch = make_batch()
    weight = core.core.weight_hh_l0

    def loss():
        return objective_losses(core, batch, [objective], 0.0, step_generator(0))[0].mean

    (gradient,) = torch.autograd.grad(loss(), weight)
    with torch.no_grad():
        for row, column in ((0, 0), (5, 2), (11, 3)):
            weight[row, column] += 1e-6
            above = float(loss())
            weight[row, column] -= 2e-6
            below = float(loss())
            weight[row, column] += 1e-6
            assert (above - below) / 2e-6 == pytest.approx(float(gradient[row, column]), abs=1e-7)


def test_bptt_0_trains_the_head_alone():
    core, objective = make(0)
    (found,) = objective_losses(core, make_batch(), [objective], 0.0, step_generator(0))
    found.total.backward()
    assert objective.head.weight.grad.abs().sum() > 0
    assert all(weight.grad is None or not weight.grad.any() for weight in core.parameters())


def test_padding_and_unlabelled_steps_change_nothing():
    core, objective = make(3)
    batch = make_batch()
    inputs = batch.inputs.clone()
    for row, length in enumerate(LENGTHS):
        inputs[row, length:] = 1e9
    other = SequenceBatch(inputs, batch.lengths, batch.labels)
    draws = [objective.draw(batch.lengths, step_generator(7))]
    found, same = (losses_of_draws(core, one, [objective], draws, 0.0, step_generator(0))[0] for one in (batch, other))
    assert torch.equal(found.total, same.total)


def test_the_network_answers_every_step_as_one_pass_does_whatever_its_pieces():
    torch.manual_seed(0)
    network = SequenceClassifier(Encoder(InputSpec("values", 2), hidden_size=4, projection_size=3), TARGET, bptt=2)
    network = network.double().eval()
    batch = make_batch()
    hidden, _ = network.encoder(batch.inputs)
    expected = network.supervised.head(hidden)
    assert_same([network(batch)], [expected])
    assert_same([torch.cat(list(network._stretches(batch, 4)), dim=1)], [expected])
    found = network.measured(batch)
    there = batch.labels != -1
    assert_same([found.mean], [functional.cross_entropy(expected[there], batch.labels[there])])


def test_beside_an_auxiliary_loss():
    encoder = Encoder(InputSpec("values", 2), hidden_size=4, projection_size=3)
    aux = {"reconstruct": Reconstruction(encoder, segment_length=2, bptt=3, hidden_size=4)}
    network = SequenceClassifier(encoder, TARGET, aux, bptt=3).double()
    losses = network.losses(make_batch(), ["supervised", "reconstruct"], 0.5, step_generator(0))
    torch.stack([loss.mean for loss in losses.values()]).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_labels_are_needed():
    core, objective = make()
    batch = make_batch()
    with pytest.raises(ValueError, match="a batch with labels"):
        objective_losses(core, SequenceBatch(batch.inputs, batch.lengths), [objective], 0.0, step_generator(0))
