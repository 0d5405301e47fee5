"""Lifetimes of cores whose gates are set by hand, and the gates of the others against one step of the cell."""

import pytest
import torch
from torch import nn

from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.stems import ConvStem
from auxrnn.experiments.lifetimes import SHARES, lifetimes

SPEC, H = InputSpec("values", 2), 4
LASTS = torch.tensor([2.0, 5.0, 50.0, 1000.0], dtype=torch.float64)


def make(cell: str, layers: int = 1, stem: ConvStem | None = None) -> Encoder:
    torch.manual_seed(0)
    size = 3
    return Encoder(SPEC, cell=cell, hidden_size=H, projection_size=size, num_layers=layers, stem=stem).double()


def make_batch() -> SequenceBatch:
    inputs, lengths = torch.randn(3, 20, 2, dtype=torch.float64), torch.tensor([20, 3, 11])
    for row, length in enumerate(lengths.tolist()):
        inputs[row, length:] = 1e3  # padding counts nothing
    return SequenceBatch(inputs, lengths)


@torch.no_grad()
def set_by_hand(core: nn.Module, cell: str, layer: int, lasts: torch.Tensor) -> None:
    """Let each unit of a layer keep 1 - 1 / lasts at every step."""
    kept = 1 - 1 / lasts
    if cell == "lru":
        core.layers[layer].begin_at_(kept.log())
        return
    if cell in ("lstm", "gru"):
        parts = [getattr(core, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for part in parts:
            part.chunk(4 if cell == "lstm" else 3)[1].zero_()
        parts[2][H : 2 * H] = kept.logit()
        return
    linear = core.maps[layer]
    linear.weight[: 2 * H if cell == "ur-lstm" else H].zero_()
    if cell == "mingru":
        linear.bias[:H] = -kept.logit()
    else:  # a refine gate of one half leaves g = f
        linear.bias[:H], linear.bias[H : 2 * H] = kept.logit(), 0.0


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru", "ur-lstm", "mingru", "lru"])
def test_gates_set_by_hand(cell: str, layers: int) -> None:
    encoder = make(cell, layers)
    for layer in range(layers):
        set_by_hand(encoder.core, cell, layer, LASTS + layer)
    found = lifetimes(encoder, make_batch())
    assert len(found) == layers
    for layer in range(layers):
        torch.testing.assert_close(found[layer], LASTS + layer, rtol=1e-9, atol=0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "ur-lstm", "mingru"])
def test_gates_that_read_their_inputs_are_those_of_the_cell(cell: str) -> None:
    """What a nudge of a unit's own state does to it, where nothing reads the state but the unit's own path."""
    encoder, batch = make(cell), make_batch()
    core = encoder.core
    with torch.no_grad():
        if cell in ("lstm", "gru"):
            core.weight_hh_l0.zero_()
        elif cell == "ur-lstm":
            core.maps[0].weight[:, -H:].zero_()
    read = encoder.projection(encoder.features(batch.inputs))
    kept = []
    for row, length in enumerate(batch.lengths.tolist()):
        state = None
        for step in read[row : row + 1, :length].split(1, dim=1):
            if state is None:
                _, state = core(step[:, :1] * 0, None)  # some state; its nudge is what counts
            own = (state[1] if isinstance(state, tuple) else state).detach().requires_grad_()
            after = core(step, (state[0], own) if isinstance(state, tuple) else own)[1]
            moved = after[1] if isinstance(after, tuple) else after
            kept.append(torch.autograd.grad(moved.sum(), own)[0].flatten())
            state = after
    expected = 1 / (1 - torch.stack(kept).mean(0))
    torch.testing.assert_close(lifetimes(encoder, batch)[0], expected, rtol=1e-9, atol=0)


def test_steps_are_tokens_and_a_plain_rnn_has_no_share() -> None:
    stem = ConvStem(SPEC, 3, stride=4, kernel=2)
    encoder = make("lru", stem=stem)
    set_by_hand(encoder.core, "lru", 0, LASTS)
    torch.testing.assert_close(lifetimes(encoder, encoder.cut(make_batch()))[0], LASTS, rtol=1e-9, atol=0)
    assert lifetimes(make("rnn"), make_batch()) == []
    assert len(SHARES) == 5
