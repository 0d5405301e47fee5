"""From numbers to words: how a trained model stands to what costs a second, what went wrong, what to do next.

A pure function. Knows no data, no network and no folder; the commands come from whoever asks.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auxrnn.targets import BALANCED, SCORES
from auxrnn.verdict.evidence import Evidence, Rival
from auxrnn.verdict.paired import FEWEST, Difference

STATES = {
    "useful": "useful",
    "majority": "not distinguishable from the {trivial}",
    "floor": "not distinguishable from the floor",
    "below": "below the floor: use the floor instead",
    "untold": "too few sequences to tell",
    "memorised": "memorised the training set",
    "first": "best epoch was the first",
    "fell": "fell back in training",
    "rising": "still rising when the budget ended",
}
"""What each state is called; the first five say how good the model is, the others what its learning curve says."""

MEANINGS = {
    "useful": "It answers better than a guess without a look at the sequence, and better than a linear model that "
    "costs a second, beyond chance.",
    "majority": "It learned nothing that shows on new sequences, or there are too few test sequences to see it. Look "
    "at the data first: are the labels right, does a sequence hold the answer?",
    "floor": "A linear model that costs a second answers as well, or there are too few test sequences to see a "
    "difference.",
    "below": "A linear model that costs a second is better, beyond chance. Use it, or try other settings or more data.",
    "untold": "Whatever so few sequences say, it may be chance. Keep more of them for the test.",
}
"""What a state means for whoever wants to use the model, where it says how good that is."""

GAP = 0.1
"""How far training must be above validation to have memorised, as a share of 1; and by more than chance gives."""

RISE = 0.01
"""How much a curve must rise or fall, as a share of 1, to be said to; and by more than chance gives."""

Remedy = Callable[[str], str]
"""The next command by state; "" where there is none."""


@dataclass(frozen=True)
class Finding:
    """One state in words, and the next command to try, "" for none."""

    state: str
    words: str
    next: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a model is any good, in words.

    Attributes
    ----------
    summary : str
        The score beside the trivial answer's and the floor's.
    findings : tuple of Finding
        The first says how good the model is, the others what its learning curve says.
    better : bool
        Whether the score is above that of the floor at all, sure or not.
    """

    summary: str
    findings: tuple[Finding, ...]
    better: bool

    @property
    def state(self) -> str:
        """The first finding's state, for example "useful"."""
        return self.findings[0].state

    @property
    def lines(self) -> list[str]:
        """The verdict as lines for a terminal."""
        return lines_of(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        findings = [{"state": one.state, "words": one.words, "next": one.next} for one in self.findings]
        return {"state": self.state, "summary": self.summary, "findings": findings, "better": self.better}


def judge(evidence: Evidence, remedy: Remedy = lambda state: "") -> Verdict:
    """How good a model is, and what its learning curve says beside that."""
    found = [Finding(state, words, remedy(state)) for state, words in _standing(evidence)]
    for name, told in (("memorised", _memorised), ("first", _first), ("fell", _fell), ("rising", _rising)):
        reason = told(evidence)
        if reason:
            found.append(Finding(name, f"{STATES[name]}: {reason}", remedy(name)))
    return Verdict(_summary(evidence), tuple(found), evidence.value > evidence.floor.score)


def _standing(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """How the model stands to the trivial answer and to the best floor: the states and their words."""
    trivial, floor = evidence.trivial, evidence.floor
    if not trivial.difference.known or _too_few(evidence):
        yield "untold", f"{STATES['untold']}: {evidence.sequences} {evidence.part} sequences"
        return
    if not trivial.difference.above:
        words = STATES["majority"] if not trivial.difference.below else "below the {trivial}"
        yield "majority", words.format(trivial=trivial.name)
    if floor.difference.below and floor is not trivial:
        yield "below", f"{STATES['below']} ({floor.name})"
    elif trivial.difference.above and not floor.difference.above:
        yield "floor", f"{STATES['floor']} ({floor.name}), which costs about a second"
    elif trivial.difference.above:
        yield "useful", f"{STATES['useful']}: above the {trivial.name} and the floor"


def _too_few(evidence: Evidence) -> bool:
    """Whether the model is ahead of the trivial answer, but not beyond chance, where more test sequences would tell:
    not even a model without mistakes could be told apart, or one that learned its training sequences has a lead that
    would be beyond chance on four times as many, where the interval is half as wide.
    """
    trivial, difference = evidence.trivial, evidence.trivial.difference
    if difference.value <= 0 or difference.above or difference.low is None or evidence.score == BALANCED:
        return False  # of balanced accuracy mistakes cannot be counted, and the curve has another score
    if (1 - trivial.score) * evidence.sequences < FEWEST:
        return True
    learned = bool(evidence.train) and evidence.train[-1] > trivial.score + GAP
    return learned and difference.value > (difference.value - difference.low) / 2


def _memorised(evidence: Evidence) -> str:
    """Training far above validation at the end: by more than chance gives, with at most half of its mistakes."""
    if not evidence.train or not math.isfinite(evidence.train[-1]):
        return ""
    train, best = evidence.train[-1], max(evidence.validation)
    least = max(GAP, 1 / math.sqrt(max(evidence.validated, 1)))
    if train - best < least or 1 - train > (1 - best) / 2:
        return ""
    shown = f"{_figure(evidence.score, train)} there, {_figure(evidence.score, best)} on validation data"
    return f"{shown}; more sequences or a smaller network would help"


def _chance(evidence: Evidence) -> float:
    """How much a validation score may change without a meaning."""
    return max(RISE, 0.5 / math.sqrt(max(evidence.validated, 1)))


def _first(evidence: Evidence) -> str:
    """Of three epochs at least no later one came back to the first, by more than chance gives."""
    curve = evidence.validation
    if len(curve) < 3 or curve[0] - max(curve[1:]) <= _chance(evidence):
        return ""
    best, end = _figure(evidence.score, curve[0]), _figure(evidence.score, curve[-1])
    return f"{best} then, {end} at the end; training did harm, so take a smaller learning rate"


def fell_back(best: float, end: float, sequences: int) -> bool:
    """Whether the last epoch lies so far behind the best one that its weights are not worth keeping.

    By three standard errors of the difference between two shares of so many sequences, at their greatest: with fewer
    the best of many epochs would often be the best by chance.
    """
    return best - end > 3 * math.sqrt(0.5 / max(sequences, 1))


def _fell(evidence: Evidence) -> str:
    """The end is far behind an epoch in between; where that is the first, `_first` has told it."""
    curve = evidence.validation
    if not curve or _first(evidence) or not fell_back(max(curve), curve[-1], evidence.validated):
        return ""
    best, end = _figure(evidence.score, max(curve)), _figure(evidence.score, curve[-1])
    return f"{best} on validation data in epoch {curve.index(max(curve)) + 1}, which is kept, {end} at the end"


def _rising(evidence: Evidence) -> str:
    """The best epoch is among the last tenth, and the second half of the curve rises."""
    curve = evidence.validation
    half = curve[len(curve) // 2 :]
    if len(half) < 2 or _fell(evidence) or len(curve) - 1 - curve.index(max(curve)) >= max(len(curve) // 10, 1):
        return ""
    slope = statistics.linear_regression(range(len(half)), half).slope
    if slope * (len(half) - 1) <= _chance(evidence):
        return ""
    return (
        f"{_figure(evidence.score, half[0])} half-way, {_figure(evidence.score, max(curve))} at the end; train longer"
    )


def _summary(evidence: Evidence) -> str:
    trivial, floor = evidence.trivial, evidence.floor
    number = f"{evidence.sequences:,}" + (f" of {evidence.of:,}" if evidence.sequences < evidence.of else "")
    words = SCORES[evidence.score].words
    found = f"{evidence.part} {words} {_figure(evidence.score, evidence.value)} on {number} sequences"
    found += f"; {trivial.name} {_rival(evidence.score, trivial)}"
    if floor is not trivial:
        return f"{found}; best floor, {floor.name}, {_rival(evidence.score, floor)}"
    return f"{found}, which no floor beats"


def _rival(score: str, rival: Rival) -> str:
    return f"{_figure(score, rival.score)} (difference {_difference(score, rival.difference)})"


def _difference(score: str, difference: Difference) -> str:
    scale, digits = (100.0, ".1f") if SCORES[score].percent else (1.0, ".3f")
    found = f"{scale * difference.value:+{digits}}"
    if difference.low is None or difference.high is None:
        return found
    return f"{found}, 95 % {scale * difference.low:+{digits}} to {scale * difference.high:+{digits}}"


def _figure(score: str, value: float) -> str:
    return f"{100 * value:.1f} %" if SCORES[score].percent else f"{value:.3f}"


def without_commands(content: Mapping[str, Any]) -> dict[str, Any]:
    """A stored verdict as a model folder keeps it: the next commands are for where the run lies."""
    findings = [{name: told for name, told in one.items() if name != "next"} for one in content["findings"]]
    return {**content, "findings": findings}


def told_of(content: Any) -> tuple[str, list[tuple[str, str]]]:
    """The summary of a stored verdict, and the words of each finding with its next command; empty for what is none."""
    match content:
        case {"summary": str(summary), "findings": [*findings]}:
            told = [one for one in findings if isinstance(one, dict) and isinstance(one.get("words"), str)]
            return summary, [(one["words"], str(one.get("next", ""))) for one in told]
    return "", []


def lines_of(content: Any) -> list[str]:
    """The lines of a stored verdict; none for what is none."""
    summary, told = told_of(content)
    lines = [f"Compared    {summary}"] if summary else []
    for words, command in told:
        lines += [f"Verdict     {words}", *([f"Next        {command}"] if command else [])]
    return lines
