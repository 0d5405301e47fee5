"""Replay as in R2D2 (Kapturowski et al. 2019): pieces of episodes with the stored state of the network at their start.

The stored state is stale, for the weights have changed since. R2D2 lets the network run over some steps first without
gradient ("burn-in") and learns on the steps behind them. `encode_windows` does just that: the prefix of a window is run
without gradient, and values are those of one uninterrupted pass. It needs a core that begins in the stored state.
"""

import torch
from torch import nn
from torch.nn import functional

from auxrnn import encode_windows


class FromStoredState(nn.Module):
    """A core that begins a batch in the states that were stored with it."""

    def __init__(self, core: nn.LSTM, stored: tuple[torch.Tensor, torch.Tensor]) -> None:
        super().__init__()
        self.core, self.stored = core, stored

    def initial_state(self, inputs):
        return self.stored

    def forward(self, inputs, state=None):
        return self.core(inputs, state)


BURN_IN, LEARN, FEATURES, ACTIONS = 8, 12, 4, 3
torch.manual_seed(0)
core, values = nn.LSTM(FEATURES, 16, batch_first=True), nn.Linear(16, ACTIONS)
optimizer = torch.optim.Adam([*core.parameters(), *values.parameters()], lr=1e-3)

# An actor has written pieces of BURN_IN + LEARN steps, and the state (layers, B, H) with which each began.
observations = torch.randn(32, BURN_IN + LEARN, FEATURES)
actions, targets = torch.randint(0, ACTIONS, (32, LEARN)), torch.randn(32, LEARN)
stored = (0.1 * torch.randn(1, 32, 16), 0.1 * torch.randn(1, 32, 16))

start = torch.full((32, 1), BURN_IN)
for step in range(10):
    windows = encode_windows(FromStoredState(core, stored), observations, start, start + LEARN)
    said = values(windows.outputs[:, 0]).gather(2, actions.unsqueeze(2)).squeeze(2)  # (B, LEARN)
    loss = functional.mse_loss(said, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 5 == 4:
        print(f"step {step + 1}: loss {loss.item():.3f}")
