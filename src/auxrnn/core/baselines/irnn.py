"""The iRNN: a ReLU network whose recurrent weights begin as the identity. A core like torch's own, which it is."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def identity_rnn(input_size: int, hidden_size: int, num_layers: int = 1, *, scale: float = 1.0) -> nn.RNN:
    """Make an `nn.RNN` with ReLU whose recurrent weights begin as the identity.

    Input weights are normal with standard deviation 0.001, biases zero.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        Sizes, at least 1.
    scale : float
        Times the identity; 0.01 forgets on purpose, for tasks with short dependencies.

    References
    ----------
    Le, Jaitly & Hinton (2015), arXiv 1504.00941, section 2.
    """
    core = nn.RNN(input_size, hidden_size, num_layers, nonlinearity="relu", batch_first=True)
    for name, weight in core.named_parameters():
        if name.startswith("weight_hh"):
            weight.copy_(scale * torch.eye(hidden_size))
        elif name.startswith("weight_ih"):
            nn.init.normal_(weight, std=0.001)
        else:
            nn.init.zeros_(weight)
    return core
