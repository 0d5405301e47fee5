from typing import Any

import pytest
import torch
from torch import Tensor

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.model import LONG_WINDOW, SequenceClassifier
from auxrnn.core.objectives import Objective, Prediction, Reconstruction
from auxrnn.core.truncation import MAX_CHUNK
from oracles import assert_same, gradients

SPEC = InputSpec("pixels", 1)
LENGTHS = [40, 13, 1, 27]


def make_model(bptt: int | None = 5, regulariser: Any = "dropconnect", **encoder: Any) -> SequenceClassifier:
    """rp-LSTM: every part there is."""
    core = Encoder(SPEC, **{"hidden_size": 8, "projection_size": 6, **encoder})
    options = {"segment_length": 10, "bptt": bptt, "hidden_size": 8, "regulariser": regulariser}
    auxiliaries: dict[str, Objective] = {
        "reconstruct": Reconstruction(core, num_anchors=2, **options),
        "predict": Prediction(core, **options),
    }
    return SequenceClassifier(core, 3, auxiliaries, bptt=bptt, regulariser=regulariser)


def make_batch(lengths: list[int] = LENGTHS) -> SequenceBatch:
    levels = torch.randint(256, (len(lengths), max(lengths), 1), dtype=torch.uint8)
    return SequenceBatch(levels, torch.tensor(lengths), torch.arange(len(lengths)) % 3)


NAMES = ["supervised", "reconstruct", "predict"]


def joint_loss(model: SequenceClassifier, batch: SequenceBatch, *key: int) -> Tensor:
    losses = model.losses(batch, NAMES, 0.5, step_generator(*key))
    return losses["supervised"].mean + losses["reconstruct"].mean + losses["predict"].mean


@pytest.mark.parametrize("bptt", [0, 1, 5, None])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_logits_are_the_heads_on_each_sequences_own_last_output_whatever_the_truncation(
    cell: str, bptt: int | None
) -> None:
    model, batch = make_model(bptt, cell=cell).double().eval(), make_batch()
    expected = [
        model.supervised.head(model.encoder(batch.inputs[b : b + 1, :length])[0][0, -1])
        for b, length in enumerate(LENGTHS)
    ]
    assert_same([model(batch)], [torch.stack(expected)])


@pytest.mark.parametrize("bptt", [None, LONG_WINDOW + 5])
def test_an_answer_without_gradient_never_holds_a_whole_sequence(bptt: int | None) -> None:
    model, batch = make_model(bptt).double().eval(), make_batch([LONG_WINDOW + 9, 13, 1])
    expected = model(batch).detach()
    seen: list[int] = []
    model.encoder.features.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    with torch.no_grad():
        assert_same([model(batch)], [expected])
    assert 0 < max(seen) <= MAX_CHUNK


def test_the_gradient_of_the_logits_is_truncated() -> None:
    core = Encoder(InputSpec("values", 2), hidden_size=4, projection_size=3)
    model = SequenceClassifier(core, 3, bptt=5)
    inputs = torch.randn(2, 20, 2, requires_grad=True)
    (back,) = gradients(model(SequenceBatch(inputs, torch.tensor([20, 3]))).square().sum(), [inputs])
    assert back[0].any(-1).nonzero().flatten().tolist() == list(range(15, 20))
    assert back[1].any(-1).nonzero().flatten().tolist() == list(range(3))


def test_the_supervised_loss_is_that_of_the_logits() -> None:
    model, batch = make_model().double().eval(), make_batch()
    losses = model.losses(batch, ["supervised"], 0.0, step_generator(0))
    logits = model(batch)
    assert_same([losses["supervised"].mean], [torch.nn.functional.cross_entropy(logits, batch.labels)])
    assert torch.equal(losses["supervised"].tally, model.target.tally(logits, batch.labels))


def test_losses_come_by_name_and_only_those_asked_for() -> None:
    model, batch = make_model(), make_batch()
    assert list(model.losses(batch, NAMES, 0.5, step_generator(0))) == NAMES
    assert list(model.losses(batch, ["predict"], 0.5, step_generator(0))) == ["predict"]
    unlabelled = SequenceBatch(batch.inputs, batch.lengths)
    model.losses(unlabelled, ["reconstruct", "predict"], 0.5, step_generator(0))  # pretraining needs no labels
    with pytest.raises(KeyError):
        model.losses(batch, ["reconstruction"], 0.5, step_generator(0))


def test_without_auxiliaries() -> None:
    model = SequenceClassifier(Encoder(SPEC, hidden_size=4), 3)
    assert len(model.auxiliaries) == 0
    assert model(make_batch()).shape == (4, 3)


def test_auxiliaries_do_not_keep_a_second_encoder() -> None:
    model = make_model()
    assert {name.split(".")[0] for name in model.state_dict()} == {"encoder", "supervised", "auxiliaries"}
    assert {name.split(".")[2] for name in model.state_dict() if name.startswith("auxiliaries")} == {"decoder"}


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_nothing_is_frozen(cell: str, num_layers: int) -> None:
    """In the joint loss every parameter gets a gradient, and each output bias gets one at every element."""
    model = make_model(cell=cell, num_layers=num_layers)
    joint_loss(model, make_batch(), 0).backward()
    for name, weight in model.named_parameters():
        assert weight.requires_grad, name
        assert weight.grad is not None, name
        assert weight.grad.any(), name
    output_biases = {name: w.grad for name, w in model.named_parameters() if name.endswith("second.bias")}
    assert len(output_biases) == 3
    for name, gradient in output_biases.items():
        assert gradient is not None
        assert (gradient != 0).all(), name


@pytest.mark.parametrize("optimizer", [torch.optim.RMSprop, torch.optim.Adam, torch.optim.SGD])
def test_a_few_steps_change_every_parameter(optimizer: Any) -> None:
    model, batch = make_model(), make_batch()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    step = optimizer(model.parameters(), lr=1e-2)
    for number in range(3):
        step.zero_grad()
        joint_loss(model, batch, number).backward()
        step.step()
    for name, weight in model.named_parameters():
        assert not torch.equal(weight, before[name]), name
        if name.endswith("second.bias"):
            assert (weight != before[name]).all(), name


@pytest.mark.parametrize(
    ("names", "trained"),
    [
        (["supervised"], {"encoder", "supervised"}),
        (["reconstruct"], {"encoder", "auxiliaries.reconstruct"}),
        (["predict"], {"encoder", "auxiliaries.predict"}),
    ],
)
def test_who_has_a_gradient(names: list[str], trained: set[str]) -> None:
    model = make_model()
    model.losses(make_batch(), names, 0.5, step_generator(0))[names[0]].mean.backward()
    found = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert found == {name for name, _ in model.named_parameters() if name.startswith(tuple(trained))}


def test_at_truncation_0_the_supervised_loss_trains_the_classifier_only() -> None:
    model = make_model(bptt=0)
    model.losses(make_batch(), ["supervised"], 0.5, step_generator(0))["supervised"].mean.backward()
    found = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert found == {name for name, _ in model.named_parameters() if name.startswith("supervised")}


def test_the_same_keys_give_the_same_bits_and_others_do_not() -> None:
    batch = make_batch()

    def run(seed: int, step: int) -> list[Tensor]:
        torch.manual_seed(seed)
        model = make_model()
        loss = joint_loss(model, batch, step)
        return [loss.detach(), *gradients(loss, model.parameters())]

    first, again = run(0, 0), run(0, 0)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], run(0, 1)[0])  # other anchors and feeding
    assert not torch.equal(first[0], run(1, 0)[0])  # other weights


def test_saved_weights_give_the_same_logits() -> None:
    model, other, batch = make_model().eval(), make_model().eval(), make_batch()
    assert not torch.equal(model(batch), other(batch))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(batch), other(batch))


def test_a_batch_says_the_same_of_a_sequence_as_that_sequence_alone() -> None:
    model, batch = make_model().double().eval(), make_batch()
    alone = [
        model(SequenceBatch(batch.inputs[b : b + 1, :length], torch.tensor([length])))
        for b, length in enumerate(LENGTHS)
    ]
    assert_same([model(batch)], [torch.cat(alone)])


def test_learns_what_the_supervised_window_sees() -> None:
    """The class is the level of the last step: an easy task, so that a broken gradient path shows as chance."""
    model = make_model(bptt=3, regulariser="none")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(60):
        batch = make_batch([12] * 24)
        assert batch.labels is not None
        batch.inputs[:, -1, 0] = (batch.labels * 127).to(torch.uint8)
        optimizer.zero_grad()
        loss = joint_loss(model, batch, step)
        loss.backward()
        optimizer.step()
    assert (model.eval()(batch).argmax(1) == batch.labels).all()


def test_all_batches_of_one_step_can_be_trained_on() -> None:
    model = make_model()
    joint_loss(model, make_batch([1, 1]), 0).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
