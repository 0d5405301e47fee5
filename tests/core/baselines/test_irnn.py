"""The iRNN is torch's ReLU network with other first weights."""

import pytest
import torch

from auxrnn.core.baselines.irnn import identity_rnn
from auxrnn.core.truncation import encode_windows


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_begins_as_the_paper_says(scale: float) -> None:
    """Le et al. 2015, section 2: identity, standard deviation 0.001, zero."""
    torch.manual_seed(0)
    core = identity_rnn(300, 40, 2, scale=scale)
    assert core.nonlinearity == "relu"
    for layer in (0, 1):
        assert torch.equal(getattr(core, f"weight_hh_l{layer}"), scale * torch.eye(40))
        assert not getattr(core, f"bias_ih_l{layer}").any()
        assert not getattr(core, f"bias_hh_l{layer}").any()
    assert float(core.weight_ih_l0.detach().std()) == pytest.approx(0.001, rel=0.05)
    assert abs(float(core.weight_ih_l0.detach().mean())) < 5e-5


def test_remembers_a_positive_state_as_it_is() -> None:
    core, state = identity_rnn(3, 5), torch.rand(1, 2, 5)
    outputs, last = core(torch.zeros(2, 1_000, 3), state)
    assert torch.equal(last, state)
    assert torch.equal(outputs[:, -1], state[0])


def test_is_a_core_for_truncation() -> None:
    torch.manual_seed(0)
    core = identity_rnn(3, 5).double()
    inputs = torch.randn(2, 12, 3, dtype=torch.float64)
    windows = encode_windows(core, inputs, torch.tensor([[8], [3]]), torch.tensor([[12], [9]]))
    torch.testing.assert_close(windows.outputs[0, 0, :4], core(inputs)[0][0, 8:12])
