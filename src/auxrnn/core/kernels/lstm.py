"""An `nn.LSTM` that may run on the persistent kernel.

Knows what torch's own LSTM takes and gives; which code runs it, `backend` says. Triton loads with the first such call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from auxrnn.core.kernels.backend import check_names, choose_backend
from auxrnn.errors import InputError

LSTMState = tuple[Tensor, Tensor]


class PersistentLSTM(nn.LSTM):
    """An `nn.LSTM` with batch first and a choice of backend: same parameters, names, initialisation and state.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        Sizes, at least 1.
    backend : {"auto", "cudnn", "persistent"}
        Torch's own code ("cudnn"), the kernel of this package ("persistent"), or the kernel where it was measured to be
        equal and faster on this card, else torch ("auto").
    operands : {"fp16", "bf16", "tf32", "fp32"}
        What the kernel multiplies in the recurrent product; sums are float32. fp16 has as many digits as tf32 in half
        the room.

    Raises
    ------
    InputError
        For other names, and at the first call where "persistent" cannot run.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        backend: str = "auto",
        operands: str = "fp16",
    ) -> None:
        check_names(backend, operands)
        super().__init__(input_size, hidden_size, num_layers, batch_first=True)
        self.backend = backend
        self.operands = operands

    def forward(  # type: ignore[override]  # a core's forward: no packed sequences, lengths in their place
        self, inputs: Tensor, state: LSTMState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """Run over inputs (B, T, F).

        Parameters
        ----------
        inputs : Tensor
            (B, T, F).
        state : tuple of Tensor, optional
            Hidden and cell state, each (layers, B, H); zeros where None.
        lengths : Tensor, optional
            (B,) int64 in 0..T. A row stops after its own length: its outputs are zero from there on, and its state is
            that at the stop (for 0 steps the given one).

        Returns
        -------
        outputs : Tensor
            (B, T, H).
        state : tuple of Tensor
            Hidden and cell state, each (layers, B, H).

        Raises
        ------
        InputError
            For other shapes or lengths.
        """
        _check(inputs, (*inputs.shape[:2], self.input_size), lengths)
        if self.chosen(len(inputs), inputs.device) == "persistent":
            return self.run(inputs, [weight for layer in self.all_weights for weight in layer], state, lengths)
        if lengths is None:
            return super().forward(inputs, state)
        packed = pack_padded_sequence(inputs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        packed_outputs, last = super().forward(packed, state)
        outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=inputs.shape[1])
        lengths = lengths.to(outputs.device)
        steps = torch.arange(inputs.shape[1], device=outputs.device)
        first = (torch.zeros_like(last[0]),) * 2 if state is None else state
        moved = (lengths > 0)[:, None]
        hidden, cell = (torch.where(moved, new, old) for new, old in zip(last, first, strict=True))
        return outputs * (steps < lengths[:, None]).unsqueeze(2), (hidden, cell)

    def chosen(self, rows: int, device: torch.device) -> str:
        """Name what runs so many rows there, "cudnn" or "persistent". "auto" was measured in float32 alone."""
        if self.backend == "auto" and device.type == "cuda" and torch.is_autocast_enabled("cuda"):
            return "cudnn"
        weight = self.all_weights[0][1]
        return choose_backend(
            self.backend,
            device=device,
            dtype=weight.dtype,
            hidden_size=self.hidden_size,
            rows=rows,
            operands=self.operands,
            training=torch.is_grad_enabled() and weight.requires_grad,
        )

    def run(
        self,
        inputs: Tensor,
        weights: Sequence[Tensor],
        state: LSTMState | None = None,
        lengths: Tensor | None = None,
        *,
        told: bool = True,
    ) -> tuple[Tensor, LSTMState]:
        """The kernel on inputs (B, T, F) with other weights than its own: w_ih, w_hh, b_ih, b_hh of each layer.

        told: whether the outputs are wanted; without them and without gradient they are (B, 0, H).
        """
        kind = weights[0].dtype
        hidden, cell = _initial(state, inputs, (self.num_layers, len(inputs), self.hidden_size), kind)
        outputs, last = inputs.to(kind).unsqueeze(0), []
        stops = None if lengths is None else lengths.to(inputs.device).unsqueeze(0)
        for layer in range(self.num_layers):
            own = [weight.unsqueeze(0) for weight in weights[4 * layer : 4 * layer + 4]]
            start = (hidden[layer : layer + 1], cell[layer : layer + 1])
            wanted = told or layer + 1 < self.num_layers
            outputs, layer_state = _launch(outputs, own, start, stops, self.operands, told=wanted)
            last.append(layer_state)
        return outputs.squeeze(0), (torch.cat([part[0] for part in last]), torch.cat([part[1] for part in last]))


def use_backend(module: nn.Module, backend: str) -> None:
    """Let every LSTM within `module` that has the choice run on `backend`; InputError for one of another name."""
    check_names(backend, "fp16")
    for part in module.modules():
        if isinstance(part, PersistentLSTM):
            part.backend = backend


def _launch(
    inputs: Tensor,
    weights: Sequence[Tensor],
    state: LSTMState,
    lengths: Tensor | None,
    operands: str,
    *,
    told: bool = True,
) -> tuple[Tensor, LSTMState]:
    """One layer in float32 (float64 as it is), the results in the inputs' own type; autocast has no say."""
    from auxrnn.core.kernels.launch import run_layer

    kind = torch.float64 if inputs.dtype == torch.float64 else torch.float32
    with torch.autocast(inputs.device.type, enabled=False):
        w_ih, w_hh, b_ih, b_hh = (weight.to(kind) for weight in weights)
        hidden, cell = (part.to(kind) for part in state)
        results = run_layer(inputs.to(kind), w_ih, b_ih + b_hh, w_hh, hidden, cell, lengths, operands, told=told)
    outputs, *last = (part.to(inputs.dtype) for part in results)
    return outputs, (last[0], last[1])


def _initial(state: Any, inputs: Tensor, shape: tuple[int, ...], kind: torch.dtype) -> LSTMState:
    """The given state, or zeros."""
    if state is None:
        zeros = inputs.new_zeros(shape, dtype=kind)
        return zeros, zeros
    hidden, cell = state
    if hidden.shape != shape or cell.shape != shape:
        raise InputError(f"Expected a state of two tensors {shape}, got {tuple(hidden.shape)}, {tuple(cell.shape)}.")
    return hidden.to(kind), cell.to(kind)


def _check(inputs: Tensor, expected: tuple[int, ...], lengths: Tensor | None) -> None:
    """InputError for inputs of another shape, without rows or steps, or with lengths beyond them."""
    if inputs.shape != expected or 0 in inputs.shape:
        raise InputError(f"Expected inputs (B, T, {expected[-1]}), none of them 0, got {tuple(inputs.shape)}.")
    if lengths is None:
        return
    steps = inputs.shape[-2]
    if lengths.shape != inputs.shape[:-2] or lengths.dtype.is_floating_point:
        raise InputError(
            f"Expected lengths of shape {tuple(inputs.shape[:-2])}, whole numbers, "
            f"got {tuple(lengths.shape)}, {lengths.dtype}."
        )
    if int(lengths.min()) < 0 or int(lengths.max()) > steps:
        raise InputError(f"Expected lengths in 0..{steps}, got {int(lengths.min())} to {int(lengths.max())}.")
