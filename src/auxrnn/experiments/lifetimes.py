"""How many steps the state of each unit lasts, by the share of it that a step keeps. Knows no data and no training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.batch import SequenceBatch
from auxrnn.core.cells.lru import LRU
from auxrnn.core.cells.mingru import MinGRU
from auxrnn.core.cells.ur_lstm import URLSTM
from auxrnn.core.encoder import Encoder
from auxrnn.core.recurrent import state_tensors

MOST_STEPS = 1_000
"""Steps of the core that are looked at, from the first on."""


@torch.no_grad()
def lifetimes(encoder: Encoder, batch: SequenceBatch) -> list[Tensor]:
    """Find how many steps of the core the state of each unit lasts: 1 / (1 - the mean share that a step keeps).

    The share is the forget gate of an LSTM or UR-LSTM, the update gate z of a GRU, 1 - z of a minGRU and |lambda| of an
    LRU. The mean is over the first `MOST_STEPS` steps of all sequences. What goes from unit to unit is not in it.

    Parameters
    ----------
    encoder : Encoder
    batch : SequenceBatch
        Raw steps, or tokens where there is a stem (`Encoder.cut`).

    Returns
    -------
    list of Tensor
        (H,) float64 a layer; empty for a core without such a share.
    """
    core = encoder.core
    share = next((function for kind, function in SHARES.items() if isinstance(core, kind)), None)
    if share is None:
        return []
    lengths = batch.lengths.clamp(max=MOST_STEPS)
    read = encoder.features(batch.inputs[:, : int(lengths.max())])
    read = read if encoder.projection is None else encoder.projection(read)
    hidden = _hidden_states(core, read)  # (layers, B, T, H) where gates read them
    inside = (torch.arange(read.shape[1]) < lengths.unsqueeze(1)).to(read.device)
    found = []
    for layer in range(len(hidden)):
        below = read if layer == 0 else hidden[layer - 1]
        before = functional.pad(hidden[layer][:, :-1], (0, 0, 1, 0))
        kept = share(core, layer, below, before).double()
        found.append(1 / (1 - kept[inside].mean(0)))
    return found


def _hidden_states(core: nn.Module, read: Tensor) -> Tensor:
    """The first tensor of the state of each layer after each step, (layers, B, T, .)."""
    state, states = None, []
    for step in read.split(1, dim=1):
        _, state = core(step, state)
        states.append(state_tensors(state)[0])
    return torch.stack(states, dim=2)


def _gate(core: nn.Module, layer: int, below: Tensor, before: Tensor) -> Tensor:
    """The second gate of torch's LSTM (forget) and GRU (update)."""
    assert isinstance(core, nn.RNNBase)
    weights = [getattr(core, f"{name}_l{layer}").chunk(4 if core.mode == "LSTM" else 3)[1]
               for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")]  # fmt: skip
    return (functional.linear(below, *weights[:2]) + functional.linear(before, *weights[2:])).sigmoid()


def _refined_gate(core: nn.Module, layer: int, below: Tensor, before: Tensor) -> Tensor:
    assert isinstance(core, URLSTM)
    forget, refine, *_ = core.maps[layer](torch.cat([below, before], dim=2)).sigmoid().chunk(4, dim=2)
    return forget**2 + 2 * refine * (forget - forget**2)


def _min_gate(core: nn.Module, layer: int, below: Tensor, before: Tensor) -> Tensor:
    assert isinstance(core, MinGRU)
    return (-core.maps[layer](below).chunk(2, dim=2)[0]).sigmoid()


def _modulus(core: nn.Module, layer: int, below: Tensor, before: Tensor) -> Tensor:
    assert isinstance(core, LRU)
    return core.layers[layer].factors().abs().expand(*below.shape[:2], -1)  # type: ignore[operator]


SHARES: dict[type[nn.Module], Callable[[nn.Module, int, Tensor, Tensor], Tensor]] = {
    nn.LSTM: _gate,
    nn.GRU: _gate,
    URLSTM: _refined_gate,
    MinGRU: _min_gate,
    LRU: _modulus,
}
"""The share of its state that each unit of a layer keeps at each step, (B, T, H), by the kind of core."""
