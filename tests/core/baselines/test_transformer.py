"""The transformer: padding changes nothing, the order of the steps does; lengths, sizes, positions."""

from typing import Any

import pytest
import torch

from auxrnn.core.anchors import step_generator
from auxrnn.core.baselines.transformer import Positions, TransformerClassifier
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.errors import InputError

SPECS = {
    "pixels": InputSpec("pixels", 2, levels=5),
    "values": InputSpec("values", 2),
    "characters": InputSpec("characters", 6),
}


def make(kind: str = "values", **options: Any) -> TransformerClassifier:
    torch.manual_seed(0)
    sizes = {"layers": 2, "width": 8, "heads": 2, "feed_forward": 12, "longest": 12}
    return TransformerClassifier(SPECS[kind], 3, **{**sizes, **options}).double().eval()


def sequences(kind: str, lengths: list[int]) -> list[torch.Tensor]:
    torch.manual_seed(1)
    if kind == "values":
        return [torch.randn(length, 2, dtype=torch.float64) for length in lengths]
    if kind == "pixels":
        return [torch.randint(5, (length, 2), dtype=torch.uint8) for length in lengths]
    return [torch.randint(6, (length,)) for length in lengths]


def padded(rows: list[torch.Tensor], steps: int, filling: float) -> SequenceBatch:
    inputs = torch.full((len(rows), steps, *rows[0].shape[1:]), filling, dtype=rows[0].dtype)
    for row, item in zip(inputs, rows, strict=True):
        row[: len(item)] = item
    return SequenceBatch(inputs, torch.tensor([len(item) for item in rows]), torch.arange(len(rows)) % 3)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("kind", "filling"), [("pixels", 4), ("values", float("nan")), ("characters", 5)])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_padding_changes_no_logit(positions: str, kind: str, filling: float, causal: bool, training: bool) -> None:
    network = make(kind, positions=positions, causal=causal, dropout=0.0, regulariser="none").train(training)
    rows = sequences(kind, [7, 1, 12, 4])
    together = network(padded(rows, 15, filling))
    alone = torch.cat([network(padded([row], len(row), 0)) for row in rows])
    torch.testing.assert_close(together, alone)


def test_padding_gets_no_gradient() -> None:
    network = make().train()
    batch = padded(sequences("values", [5, 9]), 9, 3.0)
    batch.inputs.requires_grad_()
    network(batch).sum().backward()
    assert batch.inputs.grad is not None
    assert not batch.inputs.grad[0, 5:].any()
    assert batch.inputs.grad[0, :5].any()


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_the_order_of_the_steps_matters(positions: str) -> None:
    network, (row,) = make(positions=positions), sequences("values", [6])
    assert not torch.allclose(network(padded([row], 6, 0)), network(padded([row.flip(0)], 6, 0)))


def test_causal_states_do_not_see_what_comes() -> None:
    """The mask alone: a step after the one that is read changes nothing of the states before it."""
    network, (row,) = make(causal=True), sequences("values", [6])
    seen: list[torch.Tensor] = []
    network.layers.register_forward_hook(lambda module, given, hidden: seen.append(hidden))
    network(padded([row], 6, 0))
    row = row.clone()
    row[4:] += 1
    network(padded([row], 6, 0))
    torch.testing.assert_close(seen[0][:, :4], seen[1][:, :4])
    assert not torch.allclose(seen[0][:, 4:], seen[1][:, 4:])


def test_sinusoidal_positions_are_those_of_vaswani() -> None:
    """sin(p / 10000^(2i/d)) at 2i and the cosine at 2i + 1, for d = 6 and p = 5."""
    found = Positions("sinusoidal", 6, None)(8)
    expected = []
    for i in range(3):
        angle = torch.tensor(5 / 10_000 ** (2 * i / 6))
        expected += [angle.sin(), angle.cos()]
    torch.testing.assert_close(found[5], torch.stack(expected))


def test_learned_positions_end_at_the_longest_sequence_of_training() -> None:
    network = make(positions="learned")
    assert network.longest == 12
    network(padded(sequences("values", [12]), 12, 0))
    with pytest.raises(InputError, match=r"at most 12 steps.*got 13.*sinusoidal"):
        network(padded(sequences("values", [13]), 13, 0))
    assert make().longest is None
    make()(padded(sequences("values", [40]), 40, 0))
    with pytest.raises(ValueError, match="length of the longest sequence"):
        make(positions="learned", longest=None)


def test_attention_weights_are_never_dropped() -> None:
    network = make(dropout=0.5)
    assert {module.dropout for module in network.modules() if isinstance(module, torch.nn.MultiheadAttention)} == {0.0}
    assert network.dropout.p == 0.5


def test_losses_are_the_supervised_one_alone() -> None:
    network, batch = make(), padded(sequences("values", [5, 9, 2]), 9, 0)
    (loss,) = network.losses(batch, ["supervised"], 0.5, step_generator(0)).values()
    logits = network(batch)
    torch.testing.assert_close(loss.mean, torch.nn.functional.cross_entropy(logits, batch.labels))
    assert loss.count == 3
    assert torch.equal(loss.tally, network.target.tally(logits, batch.labels))
    loss.mean.backward()
    assert all(weight.grad is not None for weight in network.parameters())
    assert network.classifier_parameters() == sum(weight.numel() for weight in network.parameters())
    with pytest.raises(ValueError, match="supervised objective alone, got supervised, reconstruct"):
        network.losses(batch, ["supervised", "reconstruct"], 0.5, step_generator(0))
    with pytest.raises(ValueError, match="with labels"):
        network.losses(SequenceBatch(batch.inputs, batch.lengths), ["supervised"], 0.5, step_generator(0))


def test_refuses_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="multiple of the heads, got 8 and 3"):
        make(heads=3)
    with pytest.raises(ValueError, match="even width"):
        make(width=7, heads=1)
    with pytest.raises(ValueError, match="learned, sinusoidal, got 'none'"):
        make(positions="none")
