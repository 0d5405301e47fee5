"""From raw steps to hidden states: features of a step, a linear projection, a recurrent core. Knows nothing of losses.

An `Encoder` is itself a core over raw inputs (uint8 pixels, float values, characters). So truncation cuts sequences in
their compact type, and only the chunk at hand becomes floats.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.cells.lru import LRU
from auxrnn.core.cells.mingru import MinGRU
from auxrnn.core.cells.ur_lstm import URLSTM
from auxrnn.core.kernels.lstm import PersistentLSTM
from auxrnn.core.lazy_steps import Inputs
from auxrnn.core.recurrent import Core, RaggedCore, State, check_core, initial_state, is_divisible, state_tensors
from auxrnn.core.stems import NO_CHARACTER, Stem
from auxrnn.errors import did_you_mean

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
"""Torch's own, which decoders have too."""

OWN_CELLS: dict[str, type[nn.Module]] = {"lru": LRU, "mingru": MinGRU, "ur-lstm": URLSTM}


def make_core(name: str, input_size: int, hidden_size: int, num_layers: int = 1) -> nn.Module:
    """Make a core by its name.

    Parameters
    ----------
    name : {"lstm", "gru", "rnn", "lru", "mingru", "ur-lstm"}
        Kind of cell.
    input_size, hidden_size, num_layers : int
        Sizes, at least 1.

    Raises
    ------
    ValueError
        For another name, with the nearest right one.
    """
    if name in OWN_CELLS:
        return OWN_CELLS[name](input_size, hidden_size, num_layers)
    check_cell(name, [*CELLS, *OWN_CELLS])
    return make_cell(name, input_size, hidden_size, num_layers)


def make_cell(name: str, input_size: int, hidden_size: int, num_layers: int = 1) -> nn.RNNBase:
    """Make one of torch's cores by its name, as decoders have them; an LSTM may run on the persistent kernel.

    Parameters
    ----------
    name : {"lstm", "gru", "rnn"}
        Kind of cell.
    input_size, hidden_size, num_layers : int
        Sizes, at least 1.

    Returns
    -------
    nn.RNNBase
        Batch first.

    Raises
    ------
    ValueError
        For another name, with the nearest right one.
    """
    check_cell(name)
    if name == "lstm":
        return PersistentLSTM(input_size, hidden_size, num_layers)
    return CELLS[name](input_size, hidden_size, num_layers, batch_first=True)


def check_cell(name: str, known: Collection[str] = tuple(CELLS)) -> None:
    """ValueError with the nearest right name where no cell that is known, torch's own by default, is called so."""
    if name not in known:
        raise ValueError(f"Expected a cell of {', '.join(known)}, got {name!r}.{did_you_mean(str(name), known)}")


class StepFeatures(nn.Module):
    """Turn one raw step into float features: pixels scaled to 0..1, values as they are, characters embedded.

    Maps inputs (B, T, C) or (B, T) to features (B, T, F).

    Parameters
    ----------
    spec : InputSpec
        What a raw step is.
    embedding_size : int
        Features of one character; F is so many for each character of a step, and C for pixels and values.
    """

    divisible = True  # each row by itself

    def __init__(self, spec: InputSpec, embedding_size: int) -> None:
        super().__init__()
        self.spec = spec
        self.size = embedding_size * spec.group if spec.kind == "characters" else spec.size
        self.embedding = nn.Embedding(spec.size, embedding_size) if spec.kind == "characters" else None
        self.top: Tensor  # follows the module's type, so that float64 weights read float64 features
        self.register_buffer("top", torch.tensor(float(spec.levels - 1)), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.embedding is not None:
            embedded = self.embedding(inputs.long().clamp(min=0))
            if self.spec.group == 1:
                return embedded
            return (embedded * (inputs != NO_CHARACTER).unsqueeze(-1)).flatten(-2)
        if self.spec.kind == "pixels":
            return inputs.to(self.top.dtype) / self.top
        return inputs.to(self.top.dtype)


class Encoder(nn.Module):
    """A recurrent core over raw inputs: step features, a linear projection, and the core itself.

    With torch's own cells the projection is folded into the core's input map: two linear maps in a row are one,
    `W_ih @ W_project`, computed once a call, exactly and with gradients to both factors.

    Parameters
    ----------
    spec : InputSpec
        What a raw step is.
    cell : {"lstm", "gru", "rnn", "lru", "mingru", "ur-lstm"} or Module
        A core by its name, see `make_core`; or a core of your own whose input size is `projection_size` (or that of the
        features).
    hidden_size : int
        Units of a core made by name (H), at least 1.
    projection_size : int or None
        Size to which a step is projected, at least 1; None for no projection. Of characters, size of the embedding.
    num_layers : int
        Layers of a core made by name, at least 1.
    stem : Stem, optional
        Turns raw steps into tokens, in place of step features and projection. The core then reads tokens, and its input
        size is the stem's; `cut` a batch first.
    residual : bool
        Whether each output of the core gets its token added. Needs a stem of the core's output size.

    Raises
    ------
    ValueError
        For an unknown cell, or one of torch's modules that is not batch first or reads backward; for `residual`
        without a stem.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), section on the model: inputs projected to 128, one LSTM layer of 128 cells. The stem
    is ours; so is the sum with its tokens, after He et al. (2016), arXiv 1512.03385.
    """

    def __init__(
        self,
        spec: InputSpec,
        *,
        cell: str | nn.Module = "lstm",
        hidden_size: int = 128,
        projection_size: int | None = 128,
        num_layers: int = 1,
        stem: Stem | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if residual and stem is None:
            raise ValueError("Expected a stem with residual, got none: raw steps are no outputs of a core.")
        self.spec, self.residual = spec, residual
        self.grid = None if stem is None else stem.grid
        self.features = StepFeatures(spec, projection_size or hidden_size) if stem is None else stem
        size = self.features.size
        self.projection: nn.Linear | None = None
        if stem is None and projection_size is not None and spec.kind != "characters":  # an embedding is one already
            self.projection = nn.Linear(size, projection_size)
            size = projection_size
        self.core: nn.Module = make_core(cell, size, hidden_size, num_layers) if isinstance(cell, str) else cell
        check_core(self.core)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run the core over raw steps or tokens.

        Parameters
        ----------
        inputs : Tensor
            (B, T, C) or (B, T) in their compact type, or tokens as `cut` gives them.
        state : State, optional
            The state before the first step; the core's first state where None.

        Returns
        -------
        outputs : Tensor
            (B, T, H).
        state : State
            After the last step.
        """
        features = self.features(inputs)  # (B, T, F)
        if self.projection is None:
            outputs, state = self.core(features, state)
            return (outputs + features if self.residual else outputs), state
        if isinstance(self.core, nn.RNNBase) and self.core.bias:
            return _run(self.core, _folded(self.core, self.projection), features, state)
        return self.core(self.projection(features), state)

    def settled(self) -> Core:
        """Give the same core for calls without gradient while the weights stay: the projection is folded once."""
        core, projection = self.core, self.projection
        if projection is None or not (isinstance(core, nn.RNNBase) and core.bias):
            return self
        with torch.no_grad():
            weights = _folded(core, projection)

        def run(inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
            return _run(core, weights, self.features(inputs), state)

        return run

    def ragged(self, rows: int, device: torch.device) -> RaggedCore | None:
        """Give the core as a function in which rows stop at lengths of their own; None where the kernel does not run.

        See `recurrent.ragged`.
        """
        core, projection = self.core, self.projection
        if not isinstance(core, PersistentLSTM) or core.chosen(rows, device) != "persistent":
            return None
        weights = (
            [weight for layer in core.all_weights for weight in layer]
            if projection is None
            else _folded(core, projection)
        )

        def run(inputs: Tensor, state: State, lengths: Tensor, told: bool) -> tuple[Tensor, State]:
            features = self.features(inputs)
            outputs, state = core.run(features, weights, state, lengths, told=told)
            if self.residual and outputs.shape[1]:
                inside = torch.arange(outputs.shape[1], device=device) < lengths.to(device).unsqueeze(1)
                outputs = outputs + features[:, : outputs.shape[1]] * inside.unsqueeze(2)
            return outputs, state

        return run

    @property
    def step_spec(self) -> InputSpec:
        """What auxiliary losses reproduce of one step of the core: a raw step, or the raw steps of a token."""
        return self.spec if self.grid is None else self.spec.of_tokens(self.grid.stride)

    @property
    def stride(self) -> int:
        """Raw steps of one step of the core."""
        return 1 if self.grid is None else self.grid.stride

    def cut(self, batch: SequenceBatch) -> SequenceBatch:
        """Cut a batch of raw steps into what the core reads: tokens where there is a stem, else the batch as it is."""
        return batch if self.grid is None else self.grid.cut(batch, self.spec)

    @property
    def divisible(self) -> bool:
        """Whether parts of a batch may run by themselves; see `recurrent.is_divisible`."""
        return is_divisible(self.core)

    def initial_state(self, inputs: Inputs) -> State:
        """Give the core's state before the first step of inputs (B, T, ...), one row a sequence."""
        projected = self.features(inputs[:, :1])
        return initial_state(self.core, projected if self.projection is None else self.projection(projected))

    def example(self) -> Tensor:
        """One sequence of one step, or token, of zeros, to learn the sizes that the core gives."""
        shape = (1, 1) if self.spec.kind == "characters" else (1, 1, self.spec.size)
        if self.grid is not None:
            shape = (*shape, self.grid.window)
        kinds = {"characters": torch.int64, "pixels": torch.uint8, "values": _float_type(self)}
        device = next(self.parameters()).device
        return torch.zeros(shape, dtype=kinds[self.spec.kind], device=device)


def top_state(state: State) -> list[Tensor]:
    """Give the state of a core's top layer as tensors (R, F), one for each tensor of the state.

    A tensor with the layers in front (layers, R, H) gives its last layer; a smaller one is flattened behind its rows.
    """
    return [(part[-1] if part.dim() >= 3 else part).flatten(1) for part in map(_at_least_2d, state_tensors(state))]


def core_sizes(core: Core, example: Tensor) -> tuple[int, list[int]]:
    """Find the sizes of a core's outputs and of each top state tensor, on inputs like `example` (1, 1, ...)."""
    with torch.no_grad():
        outputs, state = core(example, None)
    return outputs.shape[-1], [part.shape[1] for part in top_state(state)]


def _at_least_2d(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(1) if tensor.dim() == 1 else tensor


def _float_type(module: nn.Module) -> torch.dtype:
    """The type of the module's own weights, or torch's default where it has none."""
    weight = next((weight for weight in module.parameters() if weight.is_floating_point()), None)
    return torch.get_default_dtype() if weight is None else weight.dtype


def _folded(core: nn.RNNBase, projection: nn.Linear) -> list[Tensor]:
    """The weights of `core(projection(...))` with the two input maps multiplied into one."""
    weights: list[Tensor] = [weight for layer in core.all_weights for weight in layer]  # w_ih, w_hh, b_ih, b_hh a layer
    own = weights[0]  # (gates * H, P)
    weights[0] = own @ projection.weight  # (gates * H, F)
    weights[2] = weights[2] + own @ projection.bias  # (gates * H,)
    return weights


def _run(core: nn.RNNBase, weights: list[Tensor], features: Tensor, state: State | None) -> tuple[Tensor, State]:
    """The core with other weights than its own."""
    if isinstance(core, PersistentLSTM) and core.chosen(len(features), features.device) == "persistent":
        return core.run(features, weights, state)
    if state is None:
        cell = features.new_zeros(core.num_layers, len(features), core.hidden_size)
        hidden = features.new_zeros(core.num_layers, len(features), core.proj_size or core.hidden_size)
        state = (hidden, cell) if core.mode == "LSTM" else hidden
    functions: dict[str, Any] = {
        "LSTM": torch.lstm,
        "GRU": torch.gru,
        "RNN_TANH": torch.rnn_tanh,
        "RNN_RELU": torch.rnn_relu,
    }
    options = (core.bias, core.num_layers, core.dropout, core.training, False, True)  # one direction, batch first
    with _scattered_weights() if features.is_cuda else nullcontext():
        outputs, *last = functions[core.mode](features, state, weights, *options)
    return outputs, tuple(last) if core.mode == "LSTM" else last[0]


@contextmanager
def _scattered_weights() -> Iterator[None]:
    """Silence cuDNN's warning of weights in several places: it gathers those that were folded anew by itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        yield
