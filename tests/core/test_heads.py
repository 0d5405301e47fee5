import pytest
import torch
from torch import nn
from torch.nn import functional

from auxrnn.core.batch import InputSpec
from auxrnn.core.heads import DropConnectLinear, FeedForward, StepHead


def test_dropconnect_in_evaluation_is_a_plain_linear_layer() -> None:
    layer, inputs = DropConnectLinear(6, 4, 0.5).eval(), torch.randn(3, 6)
    assert torch.equal(layer(inputs), functional.linear(inputs, layer.weight, layer.bias))


def test_dropconnect_in_training_is_right_on_average() -> None:
    layer, inputs = DropConnectLinear(6, 4, 0.5).double(), torch.randn(3, 6, dtype=torch.float64)
    with torch.no_grad():
        draws = torch.stack([layer(inputs) for _ in range(3_000)])
    error = draws.std(0) / 3_000**0.5
    plain = functional.linear(inputs, layer.weight, layer.bias)
    assert ((draws.mean(0) - plain).abs() < 5 * error).all()
    assert (error > 0).all()


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_dropconnect_drops_single_weights_and_scales_the_rest(rate: float) -> None:
    layer = DropConnectLinear(200, 100, rate)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.zero_()
        used = layer(torch.eye(200))  # (200, 100): the weights as they were used
    assert used.unique().tolist() == [0.0, pytest.approx(1 / (1 - rate))]
    dropped = used == 0
    assert float(dropped.float().mean()) == pytest.approx(rate, abs=0.02)
    assert not dropped.all(0).any()  # single weights, neither whole inputs nor outputs
    assert not dropped.all(1).any()


def test_dropconnect_draws_one_mask_a_call() -> None:
    layer = DropConnectLinear(6, 4, 0.5)
    row = torch.randn(6)
    together = layer(row.expand(50, 2, 6))
    assert (together == together[0, 0]).all()
    assert not torch.equal(layer(row), layer(row))


def test_dropconnect_never_drops_the_bias() -> None:
    layer = DropConnectLinear(6, 4, 0.9)
    for _ in range(20):
        assert torch.equal(layer(torch.zeros(6)), layer.bias)


def test_dropconnect_gives_gradient_to_the_kept_weights_alone() -> None:
    layer = DropConnectLinear(50, 40, 0.5)
    layer(torch.ones(50)).sum().backward()
    assert layer.weight.grad is not None
    assert set(layer.weight.grad.unique().tolist()) == {0.0, 2.0}
    assert layer.bias.grad.tolist() == [1.0] * 40


@pytest.mark.parametrize("regulariser", ["dropconnect", "dropout", "none"])
def test_feed_forward_in_evaluation(regulariser: str) -> None:
    head = FeedForward(6, 4, regulariser=regulariser).eval()  # type: ignore[arg-type]
    inputs = torch.randn(3, 5, 6)
    assert head.first.weight.shape == (256, 6)  # the paper's 256 units
    units = (inputs @ head.first.weight.T + head.first.bias).clamp(min=0)
    torch.testing.assert_close(head(inputs), units @ head.second.weight.T + head.second.bias)


def test_the_second_layer_alone_is_regularised() -> None:
    inputs = torch.randn(3, 6)
    for regulariser, drops in (("dropconnect", True), ("dropout", True), ("none", False)):
        head = FeedForward(6, 4, regulariser=regulariser)  # type: ignore[arg-type]
        units = []
        head.first.register_forward_hook(lambda *args, units=units: units.append(args[2]))
        first, second = head(inputs), head(inputs)
        assert torch.equal(units[0], units[1])
        assert torch.equal(first, second) != drops
    assert type(FeedForward(6, 4, regulariser="dropout").second) is nn.Linear


def test_rate_zero_drops_nothing() -> None:
    for regulariser in ("dropconnect", "dropout"):
        head = FeedForward(6, 4, regulariser=regulariser, rate=0.0)  # type: ignore[arg-type]
        inputs = torch.randn(3, 6)
        assert torch.equal(head(inputs), head.eval()(inputs))


def test_feed_forward_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="regulariser of dropconnect, dropout, none, got 'dropconect'"):
        FeedForward(6, 4, regulariser="dropconect")  # type: ignore[arg-type]
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match=r"rate in \[0, 1\)"):
            FeedForward(6, 4, rate=rate)


# What is said of a step -----------------------------------------------------------------------------------------------


def test_shapes_and_the_target_where_none_is_chosen() -> None:
    hidden = torch.randn(2, 5, 6)
    for spec, target, shape in (
        (InputSpec("pixels", 3), None, (2, 5, 3, 256)),
        (InputSpec("pixels", 3, levels=17), "softmax", (2, 5, 3, 17)),
        (InputSpec("pixels", 3), "squared", (2, 5, 3)),
        (InputSpec("values", 4), None, (2, 5, 4)),
        (InputSpec("characters", 9), None, (2, 5, 9)),
    ):
        assert StepHead(6, spec, target=target)(hidden).shape == shape  # type: ignore[arg-type]


def test_every_grey_level_is_its_own_target() -> None:
    """For each of the 256 levels the loss is about 0 where that level is said, and large where any other is."""
    head = StepHead(6, InputSpec("pixels", 1))
    levels = torch.arange(256, dtype=torch.uint8)
    said = 50 * torch.eye(256)  # row v says v
    loss = head.loss(said.view(256, 1, 1, 256).expand(256, 256, 1, 256), levels.view(1, 256, 1).expand(256, 256, 1))
    assert torch.equal(loss < 1, torch.eye(256, dtype=torch.bool))
    assert torch.equal(head.best(said.view(256, 1, 256)).flatten(), levels)


def test_every_grey_level_survives_the_squared_target() -> None:
    head = StepHead(6, InputSpec("pixels", 1), target="squared")
    levels = torch.arange(256, dtype=torch.uint8).view(256, 1)
    said = levels.double() / 255
    assert not head.loss(said, levels).any()
    assert torch.equal(head.best(said), levels)
    assert float(head.loss(torch.zeros(1, dtype=torch.float64), levels[255])) == 1.0


def test_best_stays_within_the_levels() -> None:
    head = StepHead(6, InputSpec("pixels", 1), target="squared")
    assert head.best(torch.tensor([[-0.3], [0.0], [1.0], [7.0]])).flatten().tolist() == [0, 0, 255, 255]


def test_best_of_characters_and_values() -> None:
    assert StepHead(6, InputSpec("characters", 3)).best(torch.tensor([[0.1, 0.7, 0.2]])).tolist() == [1]
    values = torch.randn(2, 4)
    assert torch.equal(StepHead(6, InputSpec("values", 4)).best(values), values)


def test_losses_by_hand() -> None:
    characters = StepHead(6, InputSpec("characters", 3))
    logits = torch.tensor([[0.1, 0.7, 0.2]])
    expected = functional.cross_entropy(logits, torch.tensor([2]))
    torch.testing.assert_close(characters.loss(logits, torch.tensor([2]))[0], expected)
    values = StepHead(6, InputSpec("values", 2))
    assert values.loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 2.0]])).tolist() == [4.0]
    pixels = StepHead(6, InputSpec("pixels", 2))
    assert pixels.loss(torch.zeros(1, 2, 256), torch.zeros(1, 2, dtype=torch.uint8)).item() == pytest.approx(11.090355)


@pytest.mark.parametrize(("kind", "target"), [("values", "softmax"), ("characters", "squared")])
def test_refuses_a_target_that_makes_no_sense(kind: str, target: str) -> None:
    with pytest.raises(ValueError, match=f"target that fits {kind}, got '{target}'"):
        StepHead(6, InputSpec(kind, 3), target=target)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["pixels", "characters"])
def test_scaled_pixels_are_refused_as_targets(kind):
    head = StepHead(3, InputSpec(kind, 1 if kind == "pixels" else 5))
    steps = torch.rand(2, 1) if kind == "pixels" else torch.rand(2)
    with pytest.raises(ValueError, match=f"Expected {kind} as whole numbers, got torch.float32"):
        head.loss(head(torch.randn(2, 3)), steps)
