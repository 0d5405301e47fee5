"""What the forward and the backward kernel share: gate functions and operands of the recurrent product, on the device.

Knows nothing of memory or of time.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tanh(x, FAST: tl.constexpr):
    """tanh; `FAST` takes the card's own approximation (relative error 2^-11), one instruction in place of a dozen."""
    if FAST:
        return tl.inline_asm_elementwise("tanh.approx.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1)
    small = tl.exp(-2.0 * tl.abs(x))  # never overflows
    size = (1.0 - small) / (1.0 + small)
    return tl.where(x < 0, -size, size)


@triton.jit
def sigmoid(x, FAST: tl.constexpr):
    return 0.5 + 0.5 * tanh(0.5 * x, FAST)


@triton.jit
def operand(x, OPERAND: tl.constexpr, EMULATED: tl.constexpr):
    """x in the type that the tensor cores multiply. `EMULATED`: rounded to it, but kept in float32.

    Triton's interpreter keeps bfloat16 as raw bits: it cannot multiply them, and cuts digits off instead of rounding.
    """
    if EMULATED and tl.bfloat16 == OPERAND:
        bits = x.to(tl.int32, bitcast=True)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000
        return rounded.to(tl.float32, bitcast=True)
    if EMULATED:
        return x.to(OPERAND).to(tl.float32)
    return x.to(OPERAND)


@triton.jit
def gradient_operand(x, OPERAND: tl.constexpr, EMULATED: tl.constexpr):
    """`operand`, saturating where float16 would overflow; NaN stays NaN."""
    if tl.float16 == OPERAND:
        x = tl.clamp(x, -65504.0, 65504.0, propagate_nan=tl.PropagateNan.ALL)
    return operand(x, OPERAND, EMULATED)


@triton.jit
def input_part(inputs, weight_ih, bias, step, unit, row_mask, mask, F: tl.constexpr, H: tl.constexpr):
    """What the inputs alone add to the four gates at one step, four tiles (units, rows).

    step: the number of that step of each row in the whole batch, (1, rows). F = 0: `inputs` are projected already.
    """
    if F == 0:
        first = inputs + step * (4 * H) + unit
        write = tl.load(first, mask=mask, other=0.0)
        keep = tl.load(first + H, mask=mask, other=0.0)
        new = tl.load(first + 2 * H, mask=mask, other=0.0)
        show = tl.load(first + 3 * H, mask=mask, other=0.0)
    else:
        known = unit < H
        write = tl.load(bias + unit, mask=known, other=0.0)
        keep = tl.load(bias + H + unit, mask=known, other=0.0)
        new = tl.load(bias + 2 * H + unit, mask=known, other=0.0)
        show = tl.load(bias + 3 * H + unit, mask=known, other=0.0)
        for f in tl.static_range(F):
            x = tl.load(inputs + step * F + f, mask=row_mask, other=0.0)  # (1, rows)
            column = weight_ih + unit * F + f
            write = write + x * tl.load(column, mask=known, other=0.0)
            keep = keep + x * tl.load(column + H * F, mask=known, other=0.0)
            new = new + x * tl.load(column + 2 * H * F, mask=known, other=0.0)
            show = show + x * tl.load(column + 3 * H * F, mask=known, other=0.0)
    return write, keep, new, show
