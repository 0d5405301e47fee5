"""What people pass where an array is expected, as numpy has it: tensors of any device and type, tables, lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.errors import InputError

Array = npt.NDArray[Any]

KNOWN_FLOATS = (torch.float16, torch.float32, torch.float64)
"""The floating types of torch that numpy has too."""

MISSING = ("NAType", "NaTType")
"""What pandas calls the types of its missing values, which no other library can compare or convert."""

MANY_CHANNELS = 8  # times the steps, from which the axes of X may be in another order


def check_dense(tensor: torch.Tensor, name: str) -> None:
    """InputError for a tensor that does not hold all its numbers in one block of memory."""
    if tensor.layout != torch.strided or tensor.is_nested:
        kind = "nested tensors" if tensor.is_nested else f"a tensor of {tensor.layout}"
        raise InputError(f"{name}: expected dense numbers, got {kind}. Convert it: .to_dense().")
    if tensor.is_meta:
        raise InputError(f"{name}: expected numbers, got a tensor on the device meta, which holds none.")


def as_array(value: Any, name: str) -> Array:
    """An array of the same numbers, whatever holds them.

    Parameters
    ----------
    value
        A tensor of any device, with or without gradient (bfloat16 becomes float32), or what numpy takes as an array;
        the missing values of pandas become NaN.
    name : str
        What messages call it.

    Raises
    ------
    InputError
        For a masked or sparse one. Whatever numpy raises for what is no array.
    """
    if isinstance(value, torch.Tensor):
        check_dense(value, name)
        wide = value.float() if value.is_floating_point() and value.dtype not in KNOWN_FLOATS else value
        try:
            return wide.numpy(force=True)
        except (RuntimeError, TypeError) as error:  # quantised
            raise InputError(f"{name}: expected numbers, got a tensor that numpy cannot read: {error}.") from error
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(f"{name}: expected numbers throughout, got a masked array. Fill it in: .filled(value).")
    try:
        array = np.asarray(value)
    except RuntimeError as error:  # tensors within lists, by numpy's own way
        raise InputError(
            f"{name}: expected numbers, got tensors that numpy cannot read within a list: {error}"
        ) from error
    if array.dtype.kind != "O":
        return array
    missing = np.array([type(item).__name__ in MISSING for item in array.flat], dtype=bool).reshape(array.shape)
    return np.where(missing, np.nan, array) if missing.any() else array


def as_numbers(value: Any, name: str) -> Array:
    """`as_array`, where objects become float64.

    Raises InputError for texts, whatever they say, and for numbers that float64 does not hold; TypeError, as numpy
    does, for other objects.
    """
    array = as_array(value, name)
    if array.dtype.kind != "O":
        return array
    text = next((item for item in array.flat if isinstance(item, str | bytes)), None)
    if text is not None:
        raise InputError(f"{name}: expected numbers, got a text, {str(text)[:50]!r}. Convert it first.")
    try:
        return array.astype(np.float64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: expected numbers that float64 holds, got: {error}.") from error


def doubtful_layout(steps: int, channels: int) -> str:
    """A warning for an array whose steps seem to stand last; else an empty text."""
    if channels < MANY_CHANNELS * steps:
        return ""
    return f"read as {steps:,} steps of {channels:,} channels each; if the steps stand last, (N, C, T) as in aeon"
