"""Ways to the gradient of the supervised loss in memory that grows with the root of the steps, or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable

from auxrnn.core.gradients.checkpointed import checkpointed_loss as checkpointed_loss
from auxrnn.core.gradients.eligibility import eligibility_loss as eligibility_loss
from auxrnn.core.gradients.eligibility import has_traces as has_traces
from auxrnn.core.gradients.forward import forward_loss as forward_loss
from auxrnn.core.gradients.forward import forward_losses as forward_losses
from auxrnn.core.objectives import Loss
from auxrnn.core.truncation import MAX_CHUNK

GRADIENTS: dict[str, Callable[..., Loss]] = {
    "checkpointed": checkpointed_loss,
    "exact": eligibility_loss,
    "fptt": forward_loss,
}
"""By the names that `--gradient` has beside "truncated"."""


def piece_steps(gradient: str, longest: int, bptt: int | None) -> int:
    """Say how many steps of each sequence have a graph at one time, where the longest has so many."""
    if gradient == "checkpointed":
        return math.isqrt(longest - 1) + 1
    return min(MAX_CHUNK if gradient == "exact" else bptt or longest, longest)
