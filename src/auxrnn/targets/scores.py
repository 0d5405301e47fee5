"""The scores by which answers are judged: what each is called, and whether it is a share. Knows nothing of networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """words: for people. percent: a share of 1, shown in percent; else in its own units."""

    words: str
    percent: bool = True

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be shown."""
        return 100.0 if self.percent else 1.0

    @property
    def unit(self) -> str:
        """What stands behind the words in a heading."""
        return f"{self.words}, %" if self.percent else self.words


MACRO_F1 = Score("macro-F1")
"""Of several kinds of target."""

BALANCED = "balanced_accuracy"
"""What verdicts compare by where the classes have weights: a constant answer and a guess have 1 / classes alike."""
