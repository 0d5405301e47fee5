"""Forward propagation through time against a loop of its own in float64, and what it refuses."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from auxrnn.config import ModelConfig, RunConfig, recipe_settings
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.core.gradients import forward_losses
from auxrnn.core.readouts import LEAST_VARIANCE
from auxrnn.core.recurrent import detach_state
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassTarget, TagsTarget, ValueTarget
from auxrnn.training.candidates import candidates
from auxrnn.training.dynamic_regulariser import ALPHA
from auxrnn.training.loop import fit
from auxrnn.training.order import BatchOrder
from auxrnn.training.sensible import sensible_settings
from auxrnn.training.step import TrainingStep
from oracles import Counted, assert_same
from small_runs import KilledError, kill, model_bytes, resume_small, run_small
from tiny_runs import TRAINING, without_tensorboard

SPEC, RATE, PIECE = InputSpec("values", 2), 0.1, 4
MODEL = ModelConfig(
    model="lstm",
    gradient="fptt",
    bptt=PIECE,
    hidden_size=4,
    projection_size=3,
    regulariser="none",
    initialisation="torch",
)
TARGETS = {"class": ClassTarget(("a", "b", "c")), "value": ValueTarget(("level",), (0.5,), (2.0,))}


def make_data(target: str = "class") -> SequenceData:
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(3 + 5 * index % 11, 2, generator=generator, dtype=torch.float64) for index in range(7)]
    labels = torch.arange(7) % 3 if target == "class" else torch.randn(7, 1, generator=generator, dtype=torch.float64)
    return SequenceData("some", SPEC, inputs, labels, target=TARGETS[target])


def read(network: Any, outputs: Tensor) -> Tensor:
    """What the head says of outputs (T, H), with gradient through the last piece of them alone."""
    begin = (len(outputs) - 1) // PIECE * PIECE
    outputs = torch.cat([outputs[:begin].detach(), outputs[begin:]])
    read = outputs[-1]
    if network.supervised.reads_all:
        deviation = (outputs.square().mean(0) - outputs.mean(0).square()).clamp(min=LEAST_VARIANCE).sqrt()
        greatest = [outputs.amax(0)] if network.supervised.readout.reads_greatest else []
        read = network.supervised.readout.norm(torch.cat([outputs.mean(0), deviation, *greatest]))
    return network.supervised.head(read)


def obvious_training(network: Any, data: SequenceData, epochs: int) -> None:
    """The algorithm of Kag & Saligrama, one sequence at a time, with plain gradient descent."""
    order = BatchOrder(len(data), 3, seed=TRAINING.seed, phase=0)
    weights = list(network.parameters())
    means, duals = [w.detach().clone() for w in weights], [torch.zeros_like(w) for w in weights]
    for epoch in range(epochs):
        order.set_epoch(epoch)
        for batch in order:
            states: list[Any] = [None] * len(batch)
            seen: list[list[Tensor]] = [[] for _ in batch]
            for first in range(0, max(len(data.inputs[row]) for row in batch), PIECE):
                losses = []
                for place, row in enumerate(batch):
                    length, piece = len(data.inputs[row]), data.inputs[row][first : first + PIECE]
                    if not len(piece):
                        continue
                    state = None if states[place] is None else detach_state(states[place])
                    outputs, states[place] = network.encoder(piece[None], state)
                    seen[place] = [*(part.detach() for part in seen[place]), *outputs[0]]
                    answer, beta = read(network, torch.stack(seen[place])), min(first + PIECE, length) / length
                    if data.target.kind == "class":
                        even = torch.full((3,), 1 / 3, dtype=torch.float64)
                        label = functional.cross_entropy(answer, data.labels[row])
                        losses.append(beta * label + (1 - beta) / 3 * functional.cross_entropy(answer, even))
                    else:
                        losses.append(beta * data.target.loss(answer[None], data.labels[row : row + 1]).total)
                pull = sum(
                    (w - m).square().sum() * ALPHA / 2 - (w * d).sum()
                    for w, m, d in zip(weights, means, duals, strict=True)
                )
                found = torch.autograd.grad(torch.stack(losses).mean() + pull, weights)
                with torch.no_grad():
                    for index, (weight, gradient) in enumerate(zip(weights, found, strict=True)):
                        weight -= RATE * gradient
                        duals[index] = duals[index] - ALPHA * (weight - means[index])
                        means[index] = (means[index] + weight) / 2 - duals[index] / (2 * ALPHA)
        with torch.no_grad():
            for index, (weight, mean) in enumerate(zip(weights, means, strict=True)):
                weight.copy_(mean)
                duals[index] = torch.zeros_like(weight)


@pytest.mark.parametrize(
    ("readout", "target", "cell"),
    [("last", "class", "lstm"), ("stats", "class", "lstm"), ("stats-max", "class", "gru"), ("last", "value", "lstm")],
)
def test_a_training_is_that_of_the_paper_step_by_step(readout: str, target: str, cell: str) -> None:
    torch.manual_seed(0)
    config, data = replace(MODEL, readout=readout, cell=cell), make_data(target)
    network = build_model(config, SPEC, TARGETS[target]).double()
    expected = deepcopy(network)
    obvious_training(expected, data, 2)
    options = {"optimizer": "sgd", "lr": RATE, "gradient_clip": None, "sort_batches": False}
    training = replace(TRAINING, batch_size=3, pretrain_epochs=0, max_epochs=2, validation_fraction=0.0, **options)
    with without_tensorboard():
        fitted = fit(network, data, None, config, training, quiet=True)
    assert_same(list(network.parameters()), list(expected.parameters()))
    assert len(fitted.history) == 2


@pytest.mark.parametrize("readout", ["last", "stats", "stats-max"])
def test_the_last_piece_has_the_loss_of_the_whole_sequence(readout: str) -> None:
    torch.manual_seed(0)
    network = build_model(replace(MODEL, readout=readout), SPEC, 3).double()
    batch = SequenceBatch(torch.randn(3, 14, 2, dtype=torch.float64), torch.full((3,), 14), torch.arange(3))
    pieces = list(forward_losses(network.encoder, batch, network.supervised))
    whole = network.measured(batch)
    assert len(pieces) == 4
    assert [int(piece.tally.sum()) > 0 for piece in pieces] == [False, False, False, True]
    assert_same([pieces[-1].total, pieces[-1].tally], [whole.total, whole.tally])
    assert_same([network.losses(batch, ["supervised"], 0.0, torch.Generator())["supervised"].total],
                [sum(piece.total for piece in pieces)])  # fmt: skip


def test_padding_is_never_read_and_ended_sequences_have_no_loss() -> None:
    torch.manual_seed(0)
    network = build_model(replace(MODEL, readout="stats-max"), SPEC, 3).double()
    inputs, lengths = torch.randn(2, 14, 2, dtype=torch.float64), torch.tensor([14, 3])
    inputs[1, 3:] = torch.nan
    pieces = list(
        forward_losses(network.encoder, SequenceBatch(inputs, lengths, torch.tensor([0, 2])), network.supervised)
    )
    alone = list(
        forward_losses(network.encoder, SequenceBatch(inputs[:1], lengths[:1], torch.tensor([0])), network.supervised)
    )
    assert [piece.count for piece in pieces] == [2, 1, 1, 1]
    assert_same([piece.total for piece in pieces[1:]], [piece.total for piece in alone[1:]])


@pytest.mark.parametrize("readout", ["last", "stats", "stats-max"])
def test_memory_is_that_of_a_piece(readout: str) -> None:
    found = []
    for steps in (128, 512):
        network = build_model(replace(MODEL, readout=readout), SPEC, 3)
        batch = SequenceBatch(torch.randn(4, steps, 2), torch.full((4,), steps), torch.arange(4) % 3)
        with Counted() as counted:
            for loss in forward_losses(network.encoder, batch, network.supervised):
                loss.total.backward()
        found.append(counted.most)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bptt": "full"}, "Expected bptt of at least 1 with gradient fptt, the steps of a piece, got full"),
        ({"bptt": 0}, "got 0; a tenth"),
        ({"model": "r-lstm"}, "Expected the labels as the only loss with gradient fptt, got model r-lstm"),
        ({"readout": "stats", "anchor_labels": 0.5}, "anchor_labels 0.5; take model lstm"),
        ({"model": "transformer"}, "gradient truncated with model transformer"),
        ({"devices": 2}, "Expected one device with gradient fptt, .* got 2 on 1 machines"),
    ],
)
def test_settings_that_it_cannot_serve(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(**{"model": "lstm", "gradient": "fptt", "bptt": 8, **changes})


def test_a_label_a_step_is_refused() -> None:
    with pytest.raises(InputError, match="Expected one label a sequence with gradient fptt, got one a step"):
        build_model(MODEL, SPEC, TagsTarget(("a", "b")))


def test_a_recipe_keeps_its_windows_and_no_candidate_asks_at_anchors() -> None:
    said = {"gradient": "fptt"}
    config = RunConfig(**recipe_settings("modern", said), recipe="modern", **said)
    data = SequenceData("some", SPEC, torch.randn(40, 900, 2), torch.arange(40) % 2, classes=("a", "b"))
    chosen, _ = sensible_settings(config, data, said)
    assert chosen.bptt == 50
    assert all("anchor_labels" not in option for option in candidates(chosen, data, said)[0])


def test_a_run_that_was_killed_and_resumed_has_the_same_bytes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"model": "lstm", "gradient": "fptt", "bptt": 20}
    run_small(tmp_path / "whole", **options)
    with monkeypatch.context() as patched:
        plain, calls = TrainingStep.pieces, iter(range(100))
        patched.setattr(TrainingStep, "pieces", lambda *given: plain(*given) if next(calls) < 4 else kill())
        with pytest.raises(KilledError):
            run_small(tmp_path / "killed", **options)
    resume_small(tmp_path / "killed")
    assert model_bytes(tmp_path / "killed") == model_bytes(tmp_path / "whole")
    assert "truncation 20" in (tmp_path / "whole" / "model" / "README.md").read_text()
