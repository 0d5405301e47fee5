"""Sequences read in pieces: the state between two pieces, and the answer so far.

The state has a bounded size: the core's state, the raw steps that the next token still reads, and the sums that the
readout needs. An answer in the middle of a token completes it with zeros, as if the sequence ended there; the state
does not change. Knows nothing of files, checks or preprocessing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.encoder import Encoder
from auxrnn.core.objectives import Supervised, SupervisedSteps
from auxrnn.core.readouts import Moments
from auxrnn.core.recurrent import State
from auxrnn.core.totals import Totals, no_totals

OneStep = Callable[[Tensor, State], tuple[Tensor, State]]

CELLS: dict[str, Callable[..., Any]] = {
    "LSTM": torch.lstm_cell,
    "GRU": torch.gru_cell,
    "RNN_TANH": torch.rnn_tanh_cell,
    "RNN_RELU": torch.rnn_relu_cell,
}


@dataclass(frozen=True)
class Standing:
    """Where sequences that are read side by side stand between two pieces.

    Attributes
    ----------
    steps : int
        Raw steps read.
    state : State
        The core's, after the last finished token.
    recent : Tensor, optional
        The last raw steps that a token may read, (B, window - 1, ...); None without a stem.
    totals : Totals, optional
        Of the finished tokens, for a readout of all of them.
    last : Tensor, optional
        The last output (B, H), for other heads; None before the first.
    """

    steps: int
    state: State
    recent: Tensor | None = None
    totals: Totals | None = None
    last: Tensor | None = None


class Reader:
    """Read pieces with an encoder and the head on it; their weights stay as they are."""

    def __init__(self, encoder: Encoder, supervised: Supervised | SupervisedSteps) -> None:
        self.encoder, self.supervised = encoder, supervised
        self.reads_all = supervised.reads_all
        self._one_step = one_step(encoder)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_one_step"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with torch.inference_mode():
            self._one_step = one_step(self.encoder)

    def beginning(self, batch: int) -> Standing:
        """Give where `batch` sequences stand before their first step."""
        encoder = self.encoder
        example = encoder.example()
        example = example.expand(batch, *example.shape[1:])
        state = encoder.initial_state(example)
        recent = None if encoder.grid is None else encoder.grid.before(example[:, 0], encoder.spec)
        if not self.reads_all:
            return Standing(0, state, recent)
        assert isinstance(self.supervised, Supervised)
        assert self.supervised.readout is not None
        outputs, _ = encoder(example, state)
        return Standing(0, state, recent, no_totals(batch, outputs, greatest=self.supervised.readout.reads_greatest))

    def read(self, piece: Tensor, standing: Standing) -> tuple[Tensor | None, Standing]:
        """Read raw steps (B, t, ...), t at least 1.

        Returns
        -------
        outputs : Tensor or None
            (B, n, H) of the tokens that these steps finish; None where they finish none.
        standing : Standing
            Where the sequences stand then.
        """
        grid, steps, recent = self.encoder.grid, standing.steps + piece.shape[1], None
        if grid is not None:
            assert standing.recent is not None
            raw = torch.cat([standing.recent, piece.to(standing.recent)], dim=1)
            recent = raw[:, raw.shape[1] - grid.window + 1 :].clone()
            piece = grid.finished(raw, standing.steps % grid.stride)
            if not piece.shape[1]:
                return None, replace(standing, steps=steps, recent=recent)
        outputs, state = self._run(piece, standing.state)
        if standing.totals is not None:
            return outputs, Standing(steps, state, recent, standing.totals.after(outputs))
        return outputs, Standing(steps, state, recent, last=outputs[:, -1])

    def answer(self, standing: Standing) -> Tensor:
        """The head's outputs (B, size) on all that has been read, at least one step."""
        totals, last = standing.totals, standing.last
        grid = self.encoder.grid
        if grid is not None and standing.steps % grid.stride:
            assert standing.recent is not None
            token = grid.completed(standing.recent, standing.steps % grid.stride, self.encoder.spec)
            outputs, _ = self._run(token, standing.state)
            totals, last = None if totals is None else totals.after(outputs), outputs[:, -1]
        if totals is not None:
            assert isinstance(self.supervised, Supervised)
            return self.supervised.answer(Moments.of(totals))
        assert last is not None
        return self.supervised.head(last)

    def _run(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs (B, n, H) and the state behind them."""
        if tokens.shape[1] > 1 or self._one_step is None:
            return self.encoder(tokens, state)
        features = self.encoder.features(tokens)[:, 0]
        output, state = self._one_step(features, state)
        if self.encoder.residual:
            output = output + features
        return output.unsqueeze(1), state


def one_step(encoder: Encoder) -> OneStep | None:
    """Give a function of features (B, F) of one step and a state to the output (B, H) and the new state.

    One call of torch's cell a layer takes a fifth of the time of a call of the whole module, for one step and row. None
    for a core of your own.
    """
    core = encoder.core
    if not isinstance(core, nn.RNNBase) or core.proj_size or not core.bias:
        return None
    layers: list[tuple[Tensor, ...]] = [tuple(weight.clone() for weight in layer) for layer in core.all_weights]
    if encoder.projection is not None:
        own, hidden_map, bias, hidden_bias = layers[0]
        layers[0] = (
            own @ encoder.projection.weight,
            hidden_map,
            bias + own @ encoder.projection.bias,
            hidden_bias,
        )
    cell = CELLS[core.mode]

    def lstm(features: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, memory = state
        hiddens, memories = [], []
        for index, weights in enumerate(layers):
            features, kept = cell(features, (hidden[index], memory[index]), *weights)
            hiddens.append(features)
            memories.append(kept)
        return features, (_stacked(hiddens), _stacked(memories))

    def plain(features: Tensor, state: State) -> tuple[Tensor, State]:
        hiddens = []
        for index, weights in enumerate(layers):
            features = cell(features, state[index], *weights)
            hiddens.append(features)
        return features, _stacked(hiddens)

    return lstm if core.mode == "LSTM" else plain


def _stacked(layers: list[Tensor]) -> Tensor:
    """(layers, B, H); one layer is not copied."""
    return torch.stack(layers) if len(layers) > 1 else layers[0].unsqueeze(0)
