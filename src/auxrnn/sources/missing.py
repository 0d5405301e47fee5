"""What is done with missing values of one sequence. Pure functions of an array."""

from __future__ import annotations

import numpy as np

from auxrnn.config.reading import Missing
from auxrnn.errors import InputError
from auxrnn.sources.reader import Array


def fill_missing(values: Array, missing: Missing, where: str, names: tuple[str, ...] = ()) -> tuple[Array, int]:
    """`values` (T, C) without NaN, and how many there were; infinite ones are always refused.

    zero: 0 in the units of the file. drop: the whole step goes. interpolate: on a straight line over the steps between
    the nearest known ones of the channel; before the first and after the last the nearest. The result may have no step
    left after `drop`. Raises InputError naming the step for `error`, and for a channel without any value to
    interpolate between.
    """
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values, 0
    gaps = np.isnan(values)
    if np.isinf(values).any():
        step, channel = np.argwhere(np.isinf(values))[0].tolist()
        raise InputError(
            f"{where}: expected finite values, got {values[step, channel]} at step {step}, {_named(channel, names)}."
        )
    number = int(gaps.sum())
    if missing == "error":
        step, channel = np.argwhere(gaps)[0].tolist()
        raise InputError(
            f"{where}: expected a value at step {step}, {_named(channel, names)}, got none ({number:,} missing in this "
            "sequence). Say what to do: --missing zero, drop or interpolate."
        )
    if missing == "zero":
        return np.where(gaps, 0, values).astype(values.dtype), number
    if missing == "drop":
        return values[kept_steps(values)], number
    filled = values.copy()
    steps = np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(0)).tolist():
        known = ~gaps[:, channel]
        if not known.any():
            raise InputError(
                f"{where}: expected a value to interpolate from in {_named(channel, names)}, got none at all. "
                "Use --missing zero, or leave the sequence out."
            )
        filled[~known, channel] = np.interp(steps[~known], steps[known], values[known, channel])
    return filled, number


def kept_steps(values: Array) -> Array:
    """Places of the steps (T, C) that "drop" keeps."""
    return np.flatnonzero(~np.isnan(values).any(1))


def _named(channel: int, names: tuple[str, ...]) -> str:
    return names[channel] if names else f"channel {channel}"
