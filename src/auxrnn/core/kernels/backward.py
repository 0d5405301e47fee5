"""The backward kernel: a program walks back in time over its ROWS sequences, the transposed weights in registers.

It writes the gradient of every gate before its function; the gradients of all weights are one product each of these,
taken outside, so their sums have one order. Tiles are (units, rows), as in the forward kernel. The product of a step is
taken at the begin of the step before it, and once after the loop, for the same reason as there.
"""

from __future__ import annotations

import triton
import triton.language as tl

from auxrnn.core.kernels.gates import gradient_operand, operand, tanh


@triton.jit(do_not_specialize=["B", "T"])
def backward_kernel(
    weight_hh,  # (G, 4H, H)
    gates,  # (G, B, T, 4H)
    cells,  # (G, B, T + 1, H)
    lengths,  # (G, B) or None
    d_outputs,  # (G, B, T, H) or None
    d_hidden_n,  # (G, B, H) or None
    d_cell_n,  # (G, B, H) or None
    scale,  # (1,): a power of two for the gradients on the way, or None
    d_gates,  # (G, B, T, 4H), zeros where lengths are given
    d_hidden_0,  # (G, B, H)
    d_cell_0,  # (G, B, H)
    B,
    T,
    H: tl.constexpr,
    UNITS: tl.constexpr,
    ROWS: tl.constexpr,
    OPERAND: tl.constexpr,
    PRECISION: tl.constexpr,
    EMULATED: tl.constexpr,
    FAST: tl.constexpr,
    HAS_LENGTHS: tl.constexpr,
    HAS_OUTPUTS: tl.constexpr,
    HAS_HIDDEN: tl.constexpr,
    HAS_CELL: tl.constexpr,
    SCALED: tl.constexpr,
):
    group = tl.program_id(1)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row = rows[None, :]
    unit = tl.arange(0, UNITS)[:, None]
    source = tl.arange(0, UNITS)[None, :]
    row_mask = row < B
    mask = row_mask & (unit < H)
    square = (unit < H) & (source < H)

    corner = weight_hh + group * (4 * H * H) + source * H + unit  # transposed
    w_write = operand(tl.load(corner, mask=square, other=0.0), OPERAND, EMULATED)  # (units, units)
    w_keep = operand(tl.load(corner + H * H, mask=square, other=0.0), OPERAND, EMULATED)
    w_new = operand(tl.load(corner + 2 * H * H, mask=square, other=0.0), OPERAND, EMULATED)
    w_show = operand(tl.load(corner + 3 * H * H, mask=square, other=0.0), OPERAND, EMULATED)

    sequence = (group * B + row).to(tl.int64)
    state = sequence * H + unit
    zeros = tl.zeros((UNITS, ROWS), d_gates.dtype.element_ty)
    up = 1.0
    down = 1.0
    if SCALED:
        up = tl.load(scale)
        down = 1.0 / up
    d_hidden_end = zeros
    if HAS_HIDDEN:
        d_hidden_end = tl.load(d_hidden_n + state, mask=mask, other=0.0) * up
    d_cell_end = zeros
    if HAS_CELL:
        d_cell_end = tl.load(d_cell_n + state, mask=mask, other=0.0) * up
    none = tl.zeros((1, ROWS), tl.int32)
    length = none + T
    if HAS_LENGTHS:
        length = tl.load(lengths + sequence, mask=row_mask, other=0).to(tl.int32)
    steps = tl.max(length)

    first_gate = gates + sequence * T * (4 * H) + unit
    first_cell = cells + sequence * (T + 1) * H + unit
    first_output = sequence * T * H + unit
    t = none + (steps - 1)  # one number a row, as its comparisons are
    present = mask & (t < length) & (t >= 0)
    write = tl.load(first_gate + t * (4 * H), mask=present, other=0.0)
    keep = tl.load(first_gate + t * (4 * H) + H, mask=present, other=0.0)
    new = tl.load(first_gate + t * (4 * H) + 2 * H, mask=present, other=0.0)
    show = tl.load(first_gate + t * (4 * H) + 3 * H, mask=present, other=0.0)
    cell = tl.load(first_cell + (t + 1) * H, mask=present, other=0.0)
    before = tl.load(first_cell + t * H, mask=mask & (t <= length) & (t >= 0), other=0.0)
    d_output = zeros
    if HAS_OUTPUTS:
        d_output = tl.load(d_outputs + first_output + t * H, mask=present, other=0.0)

    d_cell = zeros
    back_write = operand(zeros, OPERAND, EMULATED)
    back_keep = back_write
    back_new = back_write
    back_show = back_write
    for index in range(0, steps):
        t = none + (steps - 1 - index)
        earlier = mask & (t - 1 < length) & (t > 0)  # what the next turn reads, asked for ahead of its use
        place = first_gate + (t - 1) * (4 * H)
        write_next = tl.load(place, mask=earlier, other=0.0)
        keep_next = tl.load(place + H, mask=earlier, other=0.0)
        new_next = tl.load(place + 2 * H, mask=earlier, other=0.0)
        show_next = tl.load(place + 3 * H, mask=earlier, other=0.0)
        before_next = tl.load(first_cell + (t - 1) * H, mask=mask & (t - 1 <= length) & (t > 0), other=0.0)
        d_output_next = zeros
        if HAS_OUTPUTS:
            d_output_next = tl.load(d_outputs + first_output + (t - 1) * H, mask=earlier, other=0.0)

        d_hidden = tl.dot(w_write, back_write, zeros, input_precision=PRECISION, out_dtype=zeros.dtype)
        d_hidden = tl.dot(w_keep, back_keep, d_hidden, input_precision=PRECISION, out_dtype=d_hidden.dtype)
        d_hidden = tl.dot(w_new, back_new, d_hidden, input_precision=PRECISION, out_dtype=d_hidden.dtype)
        d_hidden = tl.dot(w_show, back_show, d_hidden, input_precision=PRECISION, out_dtype=d_hidden.dtype)
        live = t < length
        last = t == length - 1
        d_hidden = tl.where(last, d_hidden_end, d_hidden) + d_output * up
        d_cell = tl.where(last, d_cell_end, d_cell)

        write = write.to(zeros.dtype)
        keep = keep.to(zeros.dtype)
        new = new.to(zeros.dtype)
        show = show.to(zeros.dtype)
        bent = tanh(cell, FAST)
        d_cell = d_cell + d_hidden * show * (1.0 - bent * bent)
        d_write = tl.where(live, d_cell * new * write * (1.0 - write), 0.0)
        d_keep = tl.where(live, d_cell * before * keep * (1.0 - keep), 0.0)
        d_new = tl.where(live, d_cell * write * (1.0 - new * new), 0.0)
        d_show = tl.where(live, d_hidden * bent * show * (1.0 - show), 0.0)
        d_cell = d_cell * keep

        present = mask & live
        place = d_gates + (sequence * T + t) * (4 * H) + unit
        tl.store(place, d_write * down, mask=present)
        tl.store(place + H, d_keep * down, mask=present)
        tl.store(place + 2 * H, d_new * down, mask=present)
        tl.store(place + 3 * H, d_show * down, mask=present)

        back_write = gradient_operand(d_write, OPERAND, EMULATED)
        back_keep = gradient_operand(d_keep, OPERAND, EMULATED)
        back_new = gradient_operand(d_new, OPERAND, EMULATED)
        back_show = gradient_operand(d_show, OPERAND, EMULATED)
        write, keep, new, show = write_next, keep_next, new_next, show_next
        cell, before, d_output = before, before_next, d_output_next

    d_hidden = tl.dot(w_write, back_write, zeros, input_precision=PRECISION, out_dtype=zeros.dtype)
    d_hidden = tl.dot(w_keep, back_keep, d_hidden, input_precision=PRECISION, out_dtype=d_hidden.dtype)
    d_hidden = tl.dot(w_new, back_new, d_hidden, input_precision=PRECISION, out_dtype=d_hidden.dtype)
    d_hidden = tl.dot(w_show, back_show, d_hidden, input_precision=PRECISION, out_dtype=d_hidden.dtype)
    never = length == 0
    tl.store(d_hidden_0 + state, tl.where(never, d_hidden_end, d_hidden) * down, mask=mask)
    tl.store(d_cell_0 + state, tl.where(never, d_cell_end, d_cell) * down, mask=mask)
