"""Initialisations beside torch's own: TensorFlow 1's, forget bias, chrono. Knows nothing of truncation or losses."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn


@torch.no_grad()
def tensorflow_(network: nn.Module, keep: Collection[nn.Module] = ()) -> None:
    """Initialise a network as TensorFlow 1 does by default, in place. The paper's authors worked with TensorFlow 1.

    Every kernel is Glorot uniform (Glorot & Bengio 2010): U(-b, b) with b = sqrt(6 / (fan in + fan out)). Biases are
    zero, but for the gates that keep the state.

    - LSTM: one kernel (inputs + H, 4 H) a layer, forget bias 1 (`LSTMCell`).
    - GRU: one kernel (inputs + H, 2 H) for both gates, with bias 1, and one (inputs + H, H) for the candidate
      (`GRUCell`).
    - RNN: one kernel (inputs + H, H) a layer (`BasicRNNCell`).
    - Linear layers: their own matrix (`layers.dense`); each of the three maps of an attention layer likewise.
    - Embeddings: the whole table (V, E) (`get_variable`).

    Other modules stay as they are. So do those in `keep`, with all that is inside them. Draws from torch's global
    generator. Torch adds two biases a gate where TensorFlow has one: the second begins at zero and learns beside it.
    """
    if network in keep:
        return
    if isinstance(network, nn.RNNBase):
        _tensorflow_core_(network)
    elif isinstance(network, nn.Linear):
        _glorot_(network.weight, sum(network.weight.shape))
        if network.bias is not None:
            nn.init.zeros_(network.bias)
    elif isinstance(network, nn.Embedding):
        _glorot_(network.weight, sum(network.weight.shape))
    elif isinstance(network, nn.MultiheadAttention) and network.in_proj_weight is not None:
        for one in network.in_proj_weight.chunk(3):
            _glorot_(one, sum(one.shape))
    for inner in network.children():
        tensorflow_(inner, keep)


def _tensorflow_core_(core: nn.RNNBase) -> None:
    size = core.hidden_size
    stretches = {"LSTM": (slice(0, 4 * size),), "GRU": (slice(0, 2 * size), slice(2 * size, 3 * size))}
    gates = {"LSTM": slice(size, 2 * size), "GRU": slice(0, 2 * size)}  # torch's order; those that keep the state
    for weights in core.all_weights:
        inputs, recurrent, *biases = weights
        for part in stretches.get(core.mode, (slice(0, size),)):
            fans = inputs.shape[1] + recurrent.shape[1] + (part.stop - part.start)
            _glorot_(inputs[part], fans)
            _glorot_(recurrent[part], fans)
        for bias in biases:
            nn.init.zeros_(bias)
        if biases and core.mode in gates:
            biases[0][gates[core.mode]] = 1.0


def _glorot_(weight: Tensor, fans: int) -> None:
    """Draw uniformly within sqrt(6 / fans), where `fans` counts inputs and outputs together."""
    bound = math.sqrt(6 / fans)
    weight.uniform_(-bound, bound)


@torch.no_grad()
def forget_bias_(core: nn.Module, value: float = 1.0) -> None:
    """Let every gate that keeps the state begin with bias `value`, in place.

    LSTM: the forget gate. GRU: the update gate.

    Raises
    ------
    ValueError
        For a core without gates.

    References
    ----------
    Gers, Schmidhuber & Cummins (2000). Jozefowicz, Zaremba & Sutskever (2015).
    """
    for inputs, recurrent, keep, _ in _gates(core):
        inputs[keep], recurrent[keep] = value, 0.0


@torch.no_grad()
def chrono_(core: nn.Module, steps: int) -> None:
    """Initialise the gates for long dependencies, in place.

    LSTM: forget bias log U(1, T - 1), input bias its negative. GRU: the gate that keeps the state, likewise. Draws from
    torch's global generator.

    Parameters
    ----------
    core : Module
        With LSTM or GRU gates.
    steps : int
        The longest dependency expected (T), at least 3.

    Raises
    ------
    ValueError
        For a core without gates.

    References
    ----------
    Tallec & Ollivier (2018), arXiv 1804.11188, section 3.
    """
    if steps < 3:
        raise ValueError(f"Expected chrono initialisation over at least 3 steps, got {steps}.")
    for inputs, recurrent, keep, write in _gates(core):
        drawn = torch.empty_like(inputs[keep]).uniform_(1, steps - 1).log()
        inputs[keep], recurrent[keep] = drawn, 0.0
        if write is not None:
            inputs[write], recurrent[write] = -drawn, 0.0


def _gates(core: nn.Module) -> Iterator[tuple[Tensor, Tensor, slice, slice | None]]:
    """Give each layer's input bias, recurrent bias, and stretches of the gate that keeps the state and of the one that
    writes.

    Torch's order: input, forget, cell, output (LSTM); reset, update, new (GRU, whose update gate does both).
    """
    if not isinstance(core, nn.LSTM | nn.GRU) or not core.bias:
        raise ValueError(f"Expected an LSTM or GRU core with biases, got {core}.")
    size = core.hidden_size
    write = slice(0, size) if isinstance(core, nn.LSTM) else None
    for layer in range(core.num_layers):
        yield getattr(core, f"bias_ih_l{layer}"), getattr(core, f"bias_hh_l{layer}"), slice(size, 2 * size), write
