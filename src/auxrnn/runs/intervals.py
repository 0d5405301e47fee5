"""How sure a score of a test set is: its interval over the drawing of the sequences. Knows no folder and no network."""

from __future__ import annotations

import torch

from auxrnn.targets import Target
from auxrnn.verdict.bootstrap import bootstrap_score


def score_interval(target: Target, tallies: torch.Tensor) -> list[float] | None:
    """Low and high end of the 95 % bootstrap interval of a target's first score; None where it cannot be told: for
    fewer than two sequences, and where every draw scores alike, as without a single mistake.

    tallies: of each sequence, (N, sums), as `inference.measure` gives them: whole sequences are drawn again, for the
    steps of one are no independent trials. The paper gives no interval of any score.
    """
    found = bootstrap_score(tallies.numpy(), lambda sums: target.first_score(torch.from_numpy(sums)).numpy())
    return None if found is None or found.low == found.high else [found.low, found.high]
