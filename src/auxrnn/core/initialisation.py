"""Initialisations beside torch's own: TensorFlow 1's, and those of the gates that keep a state.

A core may have a method `keep_biases_(draw)`: the share of each unit's state that a step keeps begins as the sigmoid of
what `draw` makes of an empty tensor (H,), layer by layer. Knows nothing of truncation or losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

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


def forget_bias_(core: nn.Module, value: float = 1.0) -> None:
    """Let every gate that keeps the state begin with bias `value`, in place, and leave the one that writes as it is.

    LSTM: the forget gate. GRU: the update gate. Others: as their `keep_biases_` says.

    Raises
    ------
    ValueError
        For a core without gates.

    References
    ----------
    Gers, Schmidhuber & Cummins (2000). Jozefowicz, Zaremba & Sutskever (2015).
    """
    _begin(core, lambda biases: torch.full_like(biases, value), write=False)


def chrono_(core: nn.Module, steps: int) -> None:
    """Initialise the gates for long dependencies, in place.

    The gate that keeps the state begins with bias log U(1, T - 1), so that a unit's state lasts 2 to T steps. Of an
    LSTM the gate that writes begins with its negative. Draws from torch's global generator.

    Parameters
    ----------
    core : Module
        With gates: LSTM, GRU, minGRU, UR-LSTM; or an LRU, whose moduli begin where such gates would.
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
    _begin(core, lambda biases: biases.uniform_(1, _longest(steps) - 1).log())


def log_uniform_(core: nn.Module, steps: int) -> None:
    """Initialise the gates as `chrono_`, with bias U(0, log(T - 1)): time scales that are uniform in their logarithm.

    A tenth of the units lasts about T steps where `chrono_` lets most do. Ours; time scales of state-space models begin
    so (Gu, Goel & Re 2022, arXiv 2111.00396, delta). Parameters as for `chrono_`.
    """
    _begin(core, lambda biases: biases.uniform_(0, math.log(_longest(steps) - 1)))


def uniform_gate_(core: nn.Module) -> None:
    """Let the gate that keeps the state begin uniformly in (1 / H, 1 - 1 / H), in place.

    Its bias is the logit of such a number; of an LSTM the gate that writes begins with its negative. Draws from torch's
    global generator.

    Raises
    ------
    ValueError
        For a core without gates.

    References
    ----------
    Gu, Gulcehre, Paine, Hoffman & Pascanu (2020), arXiv 1910.09890, section 3.2.
    """
    _begin(core, lambda biases: biases.uniform_(1 / max(biases.shape[-1], 2), 1 - 1 / max(biases.shape[-1], 2)).logit())


def _longest(steps: int) -> int:
    if steps < 3:
        raise ValueError(f"Expected time scales over at least 3 steps, got {steps}.")
    return steps


@torch.no_grad()
def _begin(core: nn.Module, draw: Callable[[Tensor], Tensor], *, write: bool = True) -> None:
    """Let the gates that keep the state begin with the biases (H,) that `draw` makes of empty ones, layer by layer.

    Torch's order: input, forget, cell, output (LSTM); reset, update, new (GRU, whose update gate keeps and writes).
    """
    own = getattr(core, "keep_biases_", None)
    if own is not None:
        own(draw)
        return
    if not isinstance(core, nn.LSTM | nn.GRU) or not core.bias:
        raise ValueError(f"Expected an LSTM or GRU core with biases, got {core}.")
    size = core.hidden_size
    keep = slice(size, 2 * size)
    for layer in range(core.num_layers):
        inputs, recurrent = getattr(core, f"bias_ih_l{layer}"), getattr(core, f"bias_hh_l{layer}")
        drawn = draw(torch.empty_like(inputs[keep]))
        inputs[keep], recurrent[keep] = drawn, 0.0
        if write and isinstance(core, nn.LSTM):
            inputs[:size], recurrent[:size] = -drawn, 0.0
