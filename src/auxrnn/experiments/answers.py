"""What an experiment says in plain sentences: which arms are ahead of the one they are compared with, which behind.

Functions of numbers. An arm is ahead or behind where its 95 % interval over seeds and the baseline's do not touch.
"""

from __future__ import annotations

from collections.abc import Mapping

from auxrnn.report.comparisons import Comparison, compare_all
from auxrnn.report.statistics import spread


def answer(task: str, arms: Mapping[str, Mapping[int, float]], baseline: str, *, less_is_better: bool = False) -> str:
    """One paragraph on a task.

    Parameters
    ----------
    task : str
        Its name, the first word.
    arms : mapping
        The figure of each arm by seed, between 0 and 1; `baseline` is one of them.
    less_is_better : bool
        Whether the figure is an error.
    """
    found = compare_all(arms, baseline)
    own = list(arms[baseline].values())
    seeds = f"{len(own)} seed{'s' if len(own) > 1 else ''}"
    groups: dict[str, dict[str, Comparison]] = {"Ahead": {}, "Behind": {}, "Not told apart": {}}
    for name, one in found.items():
        better = one.difference < 0 if less_is_better else one.difference > 0
        groups["Not told apart" if not one.apart else "Ahead" if better else "Behind"][name] = one
    told = [f"{group}: {_listed(members)}." for group, members in groups.items() if members]
    return " ".join([f"{task}: {baseline} is at {spread(own)} % ({seeds}).", *told])


def _listed(members: Mapping[str, Comparison]) -> str:
    """The arms with their differences in points, the greatest first."""
    ranked = sorted(members.items(), key=lambda member: -member[1].difference)
    return "; ".join(f"{name} ({100 * one.difference:+.1f})" for name, one in ranked)
