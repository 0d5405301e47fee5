"""One layer of G independent LSTMs through the two kernels, as a function that autograd knows.

Knows shapes, types and launches; the mathematics of a step lies in `forward` and `backward`.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from auxrnn.core.kernels.backward import backward_kernel
from auxrnn.core.kernels.forward import forward_kernel

INTERPRETED = not isinstance(forward_kernel, triton.runtime.JITFunction)
"""Whether Triton runs in its interpreter (TRITON_INTERPRET=1 before its import): tensors on the CPU, very slowly."""

OPERANDS = {"fp16": tl.float16, "bf16": tl.bfloat16, "tf32": tl.float32, "fp32": tl.float32}

IN_KERNEL_FEATURES = 4
"""Up to so many input features are multiplied inside the kernel; more are projected before, in one product."""

GRADIENT_TOP = 64.0
"""fp16: gradients are scaled so that the largest that comes in is about this; they saturate 1,024 times above."""


def run_layer(
    inputs: Tensor,
    weight_ih: Tensor,
    bias: Tensor,
    weight_hh: Tensor,
    hidden: Tensor,
    cell: Tensor,
    lengths: Tensor | None,
    operands: str,
    rows_per_program: int = 8,
    *,
    told: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs (G, B, T, H) and the last hidden and cell state, each (G, B, H), of G layers at once.

    inputs (G, B, T, F), weight_ih (G, 4H, F), bias (G, 4H), weight_hh (G, 4H, H), hidden and cell (G, B, H), lengths
    (G, B) or None; all in float32, or all in float64 for the interpreter. told: whether the outputs are wanted; without
    them and without gradient they are (G, B, 0, H), and nothing is kept that grows with T.
    """
    direct = inputs.shape[-1] <= IN_KERNEL_FEATURES
    if not direct:
        G, B, T, F = inputs.shape
        flat = inputs.reshape(G, B * T, F)
        inputs = torch.baddbmm(bias.unsqueeze(1), flat, weight_ih.transpose(1, 2)).view(G, B, T, -1)
    differentiable = [inputs, weight_ih, bias, weight_hh, hidden, cell]
    saved = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in differentiable)
    own = (weight_ih, bias) if direct else (None, None)
    layer: Any = _Layer
    return layer.apply(inputs, *own, weight_hh, hidden, cell, lengths, operands, rows_per_program, saved, told or saved)


class _Layer(torch.autograd.Function):
    """Inputs with `weight_ih` and `bias`, or inputs projected already, (G, B, T, 4H), without the two."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight_ih: Tensor | None,
        bias: Tensor | None,
        weight_hh: Tensor,
        hidden: Tensor,
        cell: Tensor,
        lengths: Tensor | None,
        operands: str,
        rows: int,
        saved: bool,
        told: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        G, B, T, _ = inputs.shape
        H = hidden.shape[-1]
        inputs, weight_hh, hidden, cell = (part.contiguous() for part in (inputs, weight_hh, hidden, cell))
        weight_ih = None if weight_ih is None else weight_ih.contiguous()
        bias = None if bias is None else bias.contiguous()
        lengths = None if lengths is None else lengths.contiguous()
        outputs = _room(inputs, (G, B, T if told else 0, H), lengths)
        gates = inputs.new_empty(G, B, T, 4 * H, dtype=_kept(inputs, operands)) if saved else None
        cells = inputs.new_empty(G, B, T + 1, H) if saved else None
        hidden_n, cell_n = torch.empty_like(hidden), torch.empty_like(cell)
        with _device(inputs):
            forward_kernel[(triton.cdiv(B, rows), G)](
                *(inputs, weight_ih, bias, weight_hh, hidden, cell, lengths),
                *(outputs if told else None, gates, cells, hidden_n, cell_n, B, T),
                F=0 if weight_ih is None else weight_ih.shape[-1],
                SAVED=saved,
                TOLD=told,
                **_options(inputs, H, rows, operands, lengths),
            )
        read = inputs if weight_ih is not None else None  # projected ones are not needed again
        ctx.save_for_backward(read, weight_ih, weight_hh, hidden, lengths, outputs, gates, cells)
        ctx.operands, ctx.rows = operands, rows
        ctx.set_materialize_grads(False)
        return outputs, hidden_n, cell_n

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, d_outputs: Tensor | None, d_hidden_n: Tensor | None, d_cell_n: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, hidden, lengths, outputs, gates, cells = ctx.saved_tensors
        G, B, T, H = outputs.shape
        given = [None if part is None else part.contiguous() for part in (d_outputs, d_hidden_n, d_cell_n)]
        scale = _scale([part for part in given if part is not None]) if ctx.operands == "fp16" else None
        d_gates = _room(outputs, (G, B, T, 4 * H), lengths)
        d_hidden, d_cell = torch.empty_like(hidden), torch.empty_like(hidden)
        with _device(outputs):
            backward_kernel[(triton.cdiv(B, ctx.rows), G)](
                *(weight_hh, gates, cells, lengths, *given, scale, d_gates, d_hidden, d_cell, B, T),
                HAS_OUTPUTS=given[0] is not None,
                HAS_HIDDEN=given[1] is not None,
                HAS_CELL=given[2] is not None,
                SCALED=scale is not None,
                **_options(outputs, H, ctx.rows, ctx.operands, lengths),
            )
        flat = d_gates.view(G, B * T, 4 * H)
        before = torch.cat([hidden.unsqueeze(2), outputs[:, :, :-1]], dim=2).view(G, B * T, H)
        d_weight_hh = flat.transpose(1, 2) @ before
        if weight_ih is None:
            return d_gates, None, None, d_weight_hh, d_hidden, d_cell, *[None] * 5
        d_inputs = (flat @ weight_ih).view_as(inputs) if ctx.needs_input_grad[0] else None
        d_weight_ih = flat.transpose(1, 2) @ inputs.view(G, B * T, -1)
        return d_inputs, d_weight_ih, flat.sum(1), d_weight_hh, d_hidden, d_cell, *[None] * 5


def units(hidden_size: int) -> int:
    """Hidden size rounded up to what the kernels compute with: a power of two, at least 16."""
    return max(triton.next_power_of_2(hidden_size), 16)


def _options(like: Tensor, hidden_size: int, rows: int, operands: str, lengths: Tensor | None) -> dict[str, Any]:
    """The constants that both kernels take, and the warps: 64 registers a thread hold weights of 16 bits."""
    half = operands in ("fp16", "bf16")
    return {
        "H": hidden_size,
        "UNITS": units(hidden_size),
        "ROWS": rows,
        "OPERAND": tl.float64 if like.dtype == torch.float64 else OPERANDS[operands],
        "PRECISION": "tf32" if operands == "tf32" else "ieee",
        "EMULATED": INTERPRETED and half,
        "FAST": half and not INTERPRETED,
        "HAS_LENGTHS": lengths is not None,
        "num_warps": 8 if units(hidden_size) >= 128 else 4,
        "num_stages": 1,
        "enable_fp_fusion": True,  # said, because Triton 3.9 warns where it is not
    }


def _kept(like: Tensor, operands: str) -> torch.dtype:
    """The type in which the gates wait for the backward kernel; they lie in -1..1, where fp16 is finer than bf16."""
    return torch.float16 if operands in ("fp16", "bf16") and like.dtype == torch.float32 else like.dtype


def _room(like: Tensor, shape: tuple[int, ...], lengths: Tensor | None) -> Tensor:
    """Memory that a kernel fills, all of it or up to each row's own length."""
    return like.new_empty(shape) if lengths is None else like.new_zeros(shape)


def _scale(gradients: list[Tensor]) -> Tensor:
    """The power of two (1,) that brings the largest gradient to about `GRADIENT_TOP`; the host need not know it."""
    largest = torch.stack([gradient.abs().amax() for gradient in gradients]).amax().reshape(1)
    scale = GRADIENT_TOP * torch.exp2(-torch.floor(torch.log2(largest)))
    return torch.where(torch.isfinite(scale), scale, 1.0)


def _device(tensor: Tensor) -> Any:
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
