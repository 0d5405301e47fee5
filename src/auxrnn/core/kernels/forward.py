"""The forward kernel: a program owns ROWS sequences of one group for the whole window, its weights in registers.

Tiles are (units, rows): the weights are the left operand of the product, so eight rows fill a tensor core instruction.
The product of step t + 1 is taken at the end of step t, and once before the loop: a weight used at two places is loaded
by the compiler before both and stays in registers, where one used in the loop alone is read from shared memory again at
every step. Torch's order of gates: input (`write`), forget (`keep`), cell (`new`), output (`show`).
"""

from __future__ import annotations

import triton
import triton.language as tl

from auxrnn.core.kernels.gates import input_part, operand, sigmoid, tanh


@triton.jit(do_not_specialize=["B", "T"])
def forward_kernel(
    inputs,  # (G, B, T, F), or (G, B, T, 4H) projected and with the biases where F = 0
    weight_ih,  # (G, 4H, F) or None
    bias,  # (G, 4H) or None
    weight_hh,  # (G, 4H, H)
    hidden_0,  # (G, B, H)
    cell_0,  # (G, B, H)
    lengths,  # (G, B) or None
    outputs,  # (G, B, T, H), zeros where lengths are given; or None
    gates,  # (G, B, T, 4H), after their functions, or None
    cells,  # (G, B, T + 1, H), the first one the initial state, or None
    hidden_n,  # (G, B, H)
    cell_n,  # (G, B, H)
    B,
    T,
    F: tl.constexpr,
    H: tl.constexpr,
    UNITS: tl.constexpr,  # H rounded up to a power of two
    ROWS: tl.constexpr,
    OPERAND: tl.constexpr,
    PRECISION: tl.constexpr,
    EMULATED: tl.constexpr,
    FAST: tl.constexpr,
    SAVED: tl.constexpr,
    TOLD: tl.constexpr,  # whether outputs are wanted
    HAS_LENGTHS: tl.constexpr,
):
    group = tl.program_id(1)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row = rows[None, :]
    unit = tl.arange(0, UNITS)[:, None]
    source = tl.arange(0, UNITS)[None, :]
    row_mask = row < B
    mask = row_mask & (unit < H)
    square = (unit < H) & (source < H)

    corner = weight_hh + group * (4 * H * H) + unit * H + source
    w_write = operand(tl.load(corner, mask=square, other=0.0), OPERAND, EMULATED)  # (units, units)
    w_keep = operand(tl.load(corner + H * H, mask=square, other=0.0), OPERAND, EMULATED)
    w_new = operand(tl.load(corner + 2 * H * H, mask=square, other=0.0), OPERAND, EMULATED)
    w_show = operand(tl.load(corner + 3 * H * H, mask=square, other=0.0), OPERAND, EMULATED)
    if F > 0:
        weight_ih += group * (4 * H * F)
        bias += group * (4 * H)

    sequence = (group * B + row).to(tl.int64)  # (1, rows)
    state = sequence * H + unit
    hidden = tl.load(hidden_0 + state, mask=mask, other=0.0)  # (units, rows)
    cell = tl.load(cell_0 + state, mask=mask, other=0.0)
    if SAVED:
        tl.store(cells + sequence * (T + 1) * H + unit, cell, mask=mask)
    length = tl.zeros((1, ROWS), tl.int32) + T
    if HAS_LENGTHS:
        length = tl.load(lengths + sequence, mask=row_mask, other=0).to(tl.int32)
    steps = tl.max(length)

    step = sequence * T
    write, keep, new, show = input_part(
        inputs, weight_ih, bias, step, unit, row_mask & (length > 0), mask & (length > 0), F, H
    )
    shown = operand(hidden, OPERAND, EMULATED)
    write = tl.dot(w_write, shown, write, input_precision=PRECISION, out_dtype=write.dtype)
    keep = tl.dot(w_keep, shown, keep, input_precision=PRECISION, out_dtype=keep.dtype)
    new = tl.dot(w_new, shown, new, input_precision=PRECISION, out_dtype=new.dtype)
    show = tl.dot(w_show, shown, show, input_precision=PRECISION, out_dtype=show.dtype)
    for t in range(0, steps):
        more = t + 1 < length
        write_part, keep_part, new_part, show_part = input_part(
            inputs, weight_ih, bias, step + t + 1, unit, row_mask & more, mask & more, F, H
        )
        write = sigmoid(write, FAST)
        keep = sigmoid(keep, FAST)
        new = tanh(new, FAST)
        show = sigmoid(show, FAST)
        live = t < length
        cell = tl.where(live, keep * cell + write * new, cell)
        hidden = tl.where(live, show * tanh(cell, FAST), hidden)

        present = mask & live
        if SAVED:
            place = gates + (step + t) * (4 * H) + unit
            kind = gates.dtype.element_ty
            tl.store(place, write.to(kind), mask=present)
            tl.store(place + H, keep.to(kind), mask=present)
            tl.store(place + 2 * H, new.to(kind), mask=present)
            tl.store(place + 3 * H, show.to(kind), mask=present)
            tl.store(cells + (sequence * (T + 1) + t + 1) * H + unit, cell, mask=present)
        if TOLD:
            tl.store(outputs + (step + t) * H + unit, hidden, mask=present)

        shown = operand(hidden, OPERAND, EMULATED)
        write = tl.dot(w_write, shown, write_part, input_precision=PRECISION, out_dtype=write_part.dtype)
        keep = tl.dot(w_keep, shown, keep_part, input_precision=PRECISION, out_dtype=keep_part.dtype)
        new = tl.dot(w_new, shown, new_part, input_precision=PRECISION, out_dtype=new_part.dtype)
        show = tl.dot(w_show, shown, show_part, input_precision=PRECISION, out_dtype=show_part.dtype)
    tl.store(hidden_n + state, hidden, mask=mask)
    tl.store(cell_n + state, cell, mask=mask)
