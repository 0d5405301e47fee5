"""TensorFlow's RMSProp against its formula, schedules against torch's own and by hand."""

import math

import pytest
import torch
from torch import nn

from auxrnn.training.optimizers import ONE_CYCLE_END, OPTIMIZERS, TensorFlowRMSprop, learning_rate_factor

# Optimisers -----------------------------------------------------------------------------------------------------------


def test_optimisers_by_name():
    assert {
        "rmsprop_tf": TensorFlowRMSprop,
        "rmsprop": torch.optim.RMSprop,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
    } == OPTIMIZERS


def test_the_first_steps_of_tensorflows_rmsprop_by_hand():
    weight = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))
    optimizer = TensorFlowRMSprop([weight], lr=0.1)
    weight.grad = torch.tensor([3.0, 0.0], dtype=torch.float64)
    optimizer.step()
    # s = 0.9 * 1 + 0.1 * 9 = 1.8
    first = 1 - 0.1 * 3 / math.sqrt(1.8 + 1e-10)
    assert weight.tolist() == pytest.approx([first, 1.0], rel=1e-14)
    weight.grad = torch.tensor([-1.0, 2.0], dtype=torch.float64)
    optimizer.step()
    # s = 0.9 * 1.8 + 0.1 = 1.72, and 0.9 * 0.9 + 0.1 * 4 = 1.21
    second = [first + 0.1 / math.sqrt(1.72 + 1e-10), 1 - 0.1 * 2 / math.sqrt(1.21 + 1e-10)]
    assert weight.tolist() == pytest.approx(second, rel=1e-14)


def reference(weights, gradients, lr, decay=0.9, epsilon=1e-10):
    """tensorflow/core/kernels/training_ops: ms += (g * g - ms) * (1 - rho); var -= lr * g / sqrt(ms + epsilon)."""
    weights, squares = list(weights), [1.0] * len(weights)
    for step in gradients:
        for index, gradient in enumerate(step):
            squares[index] += (gradient * gradient - squares[index]) * (1 - decay)
            weights[index] -= lr * gradient / math.sqrt(squares[index] + epsilon)
    return weights


def test_fifty_steps_of_tensorflows_rmsprop_as_the_plain_loop():
    torch.manual_seed(0)
    start = torch.randn(7, dtype=torch.float64)
    gradients = torch.randn(50, 7, dtype=torch.float64) * torch.logspace(-6, 3, 7, dtype=torch.float64)
    weights = [nn.Parameter(start[:4].clone()), nn.Parameter(start[4:].clone()), nn.Parameter(torch.ones(1))]
    optimizer = TensorFlowRMSprop(weights, lr=0.02)
    for step in gradients:
        weights[0].grad, weights[1].grad = step[:4].clone(), step[4:].clone()
        optimizer.step()
    found = torch.cat(weights[:2]).tolist()
    assert found == pytest.approx(reference(start.tolist(), gradients.tolist(), 0.02), rel=1e-12)
    assert weights[2].item() == 1  # without a gradient it stays


def test_state_of_tensorflows_rmsprop_is_stored_and_gone_on_with():
    torch.manual_seed(0)
    gradients = torch.randn(6, 5)

    def train(steps, weight, optimizer):
        for step in steps:
            weight.grad = step.clone()
            optimizer.step()
        return weight

    whole = nn.Parameter(torch.zeros(5))
    train(gradients, whole, TensorFlowRMSprop([whole]))
    first = nn.Parameter(torch.zeros(5))
    before = TensorFlowRMSprop([first])
    train(gradients[:3], first, before)
    second = nn.Parameter(first.detach().clone())
    after = TensorFlowRMSprop([second])
    after.load_state_dict(before.state_dict())
    assert torch.equal(train(gradients[3:], second, after), whole)


@pytest.mark.parametrize("options", [{"lr": -1.0}, {"decay": 1.0}, {"epsilon": 0.0}])
def test_impossible_options_of_tensorflows_rmsprop(options):
    with pytest.raises(ValueError, match="Expected lr >= 0, decay in"):
        TensorFlowRMSprop([nn.Parameter(torch.zeros(1))], **options)


# Schedules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1, 1]),
        ("step", [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("cosine", [1.0, 0.9330127, 0.75, 0.5, 0.25, 0.0669873]),  # (1 + cos(pi k / 6)) / 2
    ],
)
def test_schedules_by_hand(name, expected):
    factor = learning_rate_factor(name, 6)
    assert [factor(step) for step in range(6)] == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0.25, 0.3])
@pytest.mark.parametrize("steps", [10, 37, 400])
def test_one_cycle_is_torchs_own(steps, warmup):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, steps, pct_start=warmup, cycle_momentum=False)
    expected = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        schedule.step()
        expected.append(optimizer.param_groups[0]["lr"])
    factor = learning_rate_factor("one_cycle", steps, warmup)
    assert [factor(step) for step in range(steps)] == pytest.approx(expected, rel=1e-9)
    default = learning_rate_factor("one_cycle", steps)
    assert default(5) == learning_rate_factor("one_cycle", steps, 0.3)(5)  # torch's own share


def test_one_cycle_without_warmup_falls_from_the_start():
    factor = learning_rate_factor("one_cycle", 5, 0.0)
    assert [factor(step) for step in (0, 2, 4)] == pytest.approx([1, (1 + ONE_CYCLE_END) / 2, ONE_CYCLE_END])


def test_warmup_is_a_straight_line_up_and_the_schedule_runs_over_the_rest():
    factor = learning_rate_factor("cosine", 10, 0.4)
    expected = [0.2, 0.4, 0.6, 0.8, *(0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(6))]
    assert [factor(step) for step in range(10)] == pytest.approx(expected)


def test_schedules_end_low_and_stand_a_phase_of_no_steps():
    assert learning_rate_factor("cosine", 6)(6) == pytest.approx(0)
    assert learning_rate_factor("step", 7)(7) == pytest.approx(0.01)
    assert learning_rate_factor("one_cycle", 6)(9) == pytest.approx(ONE_CYCLE_END)
    names = ("constant", "step", "cosine", "one_cycle")
    assert [learning_rate_factor(name, 0)(0) for name in names] == [1, 1, 1, 1]


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="Expected a schedule of constant, step, cosine, one_cycle, got 'linear'"):
        learning_rate_factor("linear", 6)
