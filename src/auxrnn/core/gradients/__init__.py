"""Ways to the gradient of the supervised loss through all steps, in memory that grows with their root or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable

from auxrnn.core.gradients.checkpointed import checkpointed_loss as checkpointed_loss
from auxrnn.core.gradients.eligibility import eligibility_loss as eligibility_loss
from auxrnn.core.gradients.eligibility import has_traces as has_traces
from auxrnn.core.objectives import Loss
from auxrnn.core.truncation import MAX_CHUNK

GRADIENTS: dict[str, Callable[..., Loss]] = {"checkpointed": checkpointed_loss, "exact": eligibility_loss}
"""By the names that `--gradient` has beside "truncated"."""


def piece_steps(gradient: str, longest: int) -> int:
    """Say how many steps of each sequence have a graph at one time, where the longest has so many."""
    return min(MAX_CHUNK, longest) if gradient == "exact" else math.isqrt(longest - 1) + 1
