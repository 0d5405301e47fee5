import math

import pytest
import torch
from torch import nn

from auxrnn.core.initialisation import chrono_, forget_bias_, tensorflow_


def test_lstm_forget_bias_is_log_uniform_and_input_bias_its_negative() -> None:
    core = nn.LSTM(2, 4_000, 2, batch_first=True)
    weights = core.weight_ih_l1.clone()
    chrono_(core, 101)
    for layer in range(2):
        inputs, forget, cell, output = getattr(core, f"bias_ih_l{layer}").detach().chunk(4)  # torch's order of gates
        assert torch.equal(inputs, -forget)
        steps = forget.exp()  # uniform over 1..100: mean 50.5, standard deviation 28.6, so 0.45 for a mean of 4,000
        assert steps.min() >= 1 - 1e-5
        assert steps.max() <= 100 + 1e-4
        assert abs(float(steps.mean()) - 50.5) < 2.3
        assert float(steps.std()) == pytest.approx(99 / math.sqrt(12), rel=0.05)
        recurrent = getattr(core, f"bias_hh_l{layer}").detach()
        assert not recurrent[: 2 * 4_000].any()  # torch adds both biases, so the sum is the drawn one
        assert cell.any()
        assert output.any()
    assert torch.equal(core.weight_ih_l1, weights)


def kept(core: nn.LSTM | nn.GRU) -> torch.Tensor:
    """The share of its state that a core keeps in one step where nothing comes in; seen from outside, not by index."""
    size = core.hidden_size
    with torch.no_grad():
        for layer in range(core.num_layers):
            for name in ("weight_ih", "weight_hh"):
                getattr(core, f"{name}_l{layer}").zero_()
            for name in ("bias_ih", "bias_hh"):
                getattr(core, f"{name}_l{layer}")[2 * size :] = 0  # the new state or cell is zero
        ones = torch.ones(core.num_layers, 1, size)
        state = (torch.zeros_like(ones), ones) if isinstance(core, nn.LSTM) else ones
        _, state = core(torch.zeros(1, 1, core.input_size), state)
    return state[1] if isinstance(core, nn.LSTM) else state


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_chrono_keeps_the_state_for_the_drawn_time(kind: type) -> None:
    core = kind(1, 500, 2, batch_first=True)
    chrono_(core, 101)
    share = kept(core)
    steps = share / (1 - share)  # sigmoid(log s) = s / (1 + s)
    assert steps.min() >= 1 - 1e-3
    assert steps.max() <= 100.1
    assert float(steps.std()) == pytest.approx(99 / math.sqrt(12), rel=0.1)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("value", [1.0, 2.5])
def test_forget_bias_keeps_its_sigmoid(kind: type, value: float) -> None:
    core = kind(1, 8, 2, batch_first=True)
    forget_bias_(core, value)
    torch.testing.assert_close(kept(core), torch.full((2, 1, 8), 1 / (1 + math.exp(-value))))


def test_forget_bias_is_one_and_leaves_the_other_gates() -> None:
    core = nn.LSTM(1, 8)
    before = core.bias_ih_l0.clone()
    forget_bias_(core)
    assert core.bias_ih_l0[8:16].tolist() == [1.0] * 8
    assert torch.equal(core.bias_ih_l0[:8], before[:8])
    assert torch.equal(core.bias_ih_l0[16:], before[16:])


def test_the_seed_matters_and_repeats() -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        core = nn.LSTM(1, 8)
        chrono_(core, 10)
        return core.bias_ih_l0

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


def test_parameters_stay_parameters() -> None:
    core = nn.LSTM(1, 8).double()
    chrono_(core, 10)
    assert all(weight.requires_grad and weight.dtype == torch.float64 for weight in core.parameters())


@pytest.mark.parametrize("core", [nn.RNN(1, 2), nn.LSTM(1, 2, bias=False), nn.Linear(1, 2)])
def test_refuses_a_core_without_gates_or_biases(core: nn.Module) -> None:
    for initialise in (forget_bias_, lambda core: chrono_(core, 10)):
        with pytest.raises(ValueError, match="LSTM or GRU core with biases"):
            initialise(core)


def test_refuses_fewer_than_three_steps() -> None:
    with pytest.raises(ValueError, match="at least 3 steps, got 2"):
        chrono_(nn.LSTM(1, 2), 2)


# TensorFlow 1 ---------------------------------------------------------------------------------------------------------


def is_uniform(weight: torch.Tensor, bound: float) -> bool:
    """Within the bound, near it, and with mean 0 and variance bound^2 / 3 up to five standard errors."""
    values, count = weight.detach().double().flatten() / bound, weight.numel()
    inside = bool(values.abs().max() <= 1 + 1e-6) and bool(values.abs().max() > 1 - 30 / count)
    mean = abs(float(values.mean())) < 5 * math.sqrt(1 / 3 / count)
    variance = abs(float(values.square().mean()) - 1 / 3) < 5 * math.sqrt(4 / 45 / count)
    return inside and mean and variance


@pytest.mark.parametrize("layers", [1, 2])
def test_tensorflow_lstm(layers: int) -> None:
    core = nn.LSTM(7, 40, layers, batch_first=True)
    tensorflow_(core)
    for layer in range(layers):
        inputs = 7 if layer == 0 else 40
        bound = math.sqrt(6 / (inputs + 40 + 4 * 40))  # one kernel (inputs + H, 4 H)
        assert is_uniform(getattr(core, f"weight_ih_l{layer}"), bound)
        assert is_uniform(getattr(core, f"weight_hh_l{layer}"), bound)
        both = getattr(core, f"bias_ih_l{layer}") + getattr(core, f"bias_hh_l{layer}")
        assert both.tolist() == [0.0] * 40 + [1.0] * 40 + [0.0] * 80  # torch: input, forget, cell, output


def test_tensorflow_gru() -> None:
    core = nn.GRU(7, 50, batch_first=True)
    tensorflow_(core)
    gates, candidate = math.sqrt(6 / (7 + 50 + 2 * 50)), math.sqrt(6 / (7 + 50 + 50))  # GRUCell's two kernels
    for weight in (core.weight_ih_l0, core.weight_hh_l0):
        assert is_uniform(weight[:100], gates)
        assert is_uniform(weight[100:], candidate)
    assert (core.bias_ih_l0 + core.bias_hh_l0).tolist() == [1.0] * 100 + [0.0] * 50  # torch: reset, update, new


def test_tensorflow_rnn_linear_embedding_attention() -> None:
    core = nn.RNN(7, 60, batch_first=True)
    tensorflow_(core)
    bound = math.sqrt(6 / (7 + 60 + 60))
    assert is_uniform(core.weight_ih_l0, bound)
    assert is_uniform(core.weight_hh_l0, bound)
    assert not core.bias_ih_l0.any()
    assert not core.bias_hh_l0.any()

    linear, table, attention = nn.Linear(30, 50), nn.Embedding(40, 20), nn.MultiheadAttention(32, 4)
    norm = nn.LayerNorm(5)
    tensorflow_(nn.ModuleList([linear, table, attention, norm]))
    assert is_uniform(linear.weight, math.sqrt(6 / 80))
    assert not linear.bias.any()
    assert is_uniform(table.weight, math.sqrt(6 / 60))
    for part in attention.in_proj_weight.chunk(3):
        assert is_uniform(part, math.sqrt(6 / 64))
    assert is_uniform(attention.out_proj.weight, math.sqrt(6 / 64))
    assert norm.weight.tolist() == [1.0] * 5


def test_what_is_kept_stays() -> None:
    network = nn.ModuleDict({"core": nn.Sequential(nn.LSTM(2, 3)), "head": nn.Linear(3, 4)})
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    tensorflow_(network, keep=[network["core"]])
    changed = {name for name, weight in network.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_tensorflow_draws_anew() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    for seed, linear in enumerate((first, second)):
        torch.manual_seed(seed)
        tensorflow_(linear)
    assert not torch.equal(first.weight, second.weight)
