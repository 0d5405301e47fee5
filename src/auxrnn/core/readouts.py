"""Readouts: what a head reads of a whole sequence. Values are exact; the gradient comes from sampled windows.

`last` is the last output, the paper's. `stats` is the mean and the standard deviation of each unit's outputs over all
steps; `stats-max` adds the greatest output of each unit. Both end in layer norm. Know nothing of windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from auxrnn.config.choices import ReadoutKind
from auxrnn.core.totals import Totals

LEAST_VARIANCE = 1e-8
"""Smaller variances count as this: the root of a variance has no bounded slope at zero."""


@dataclass(frozen=True)
class Moments:
    """Statistics of each unit's outputs over a sequence, all (B, H).

    Of a whole sequence they are float64, because a variance is a small difference of `square` and `mean` squared.

    Attributes
    ----------
    mean, square : Tensor
        Mean of the outputs and of their squares.
    greatest : Tensor, optional
        Greatest output; None where it is not read.
    """

    mean: Tensor
    square: Tensor
    greatest: Tensor | None = None

    @classmethod
    def of(cls, totals: Totals) -> Moments:
        """Give the moments of all steps of each sequence."""
        count = totals.count.to(totals.total.device).unsqueeze(1)
        return cls(totals.total / count, totals.squares / count, totals.greatest)


class Readout(nn.Module):
    """Turn the moments (B, H) of a sequence into what the head reads, (B, size).

    Parameters
    ----------
    kind : {"last", "stats", "stats-max"}
        Last output; mean and deviation over all steps; the greatest output of each unit too.
    hidden_size : int
        Units of the core (H); `size` is H, 2 H or 3 H.

    References
    ----------
    Trinh, Dai, Luong & Le (2018) read the last output. `stats` and `stats-max` are ours.
    """

    divisible = True  # each row by itself

    def __init__(self, kind: ReadoutKind, hidden_size: int) -> None:
        super().__init__()
        if kind not in get_args(ReadoutKind):
            raise ValueError(f"Expected a readout of {', '.join(get_args(ReadoutKind))}, got {kind!r}.")
        self.kind = kind
        self.size = hidden_size * {"last": 1, "stats": 2, "stats-max": 3}[kind]
        self.norm = nn.Identity() if kind == "last" else nn.LayerNorm(self.size)

    @property
    def reads_all(self) -> bool:
        """Whether all steps are read, not the last alone."""
        return self.kind != "last"

    @property
    def reads_greatest(self) -> bool:
        return self.kind == "stats-max"

    def forward(self, moments: Moments) -> Tensor:
        assert isinstance(self.norm, nn.LayerNorm)
        mean, square = moments.mean.double(), moments.square.double()
        parts = [mean, (square - mean.square()).clamp(min=LEAST_VARIANCE).sqrt()]
        if self.reads_greatest:
            assert moments.greatest is not None
            parts.append(moments.greatest)
        return self.norm(torch.cat([part.to(self.norm.weight.dtype) for part in parts], dim=1))
