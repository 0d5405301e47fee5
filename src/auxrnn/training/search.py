"""Sets of settings tried shortly and compared on validation data, before the training proper.

Successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943): all candidates train for a few steps, the better half
for twice as many, and so on. The test data have no say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch

from auxrnn.config import RunConfig
from auxrnn.core.allocation import give_back_memory
from auxrnn.core.build import build_model
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassTarget
from auxrnn.training.candidates import PATIENT, SHORT_WINDOWS, candidates
from auxrnn.training.loop import fit
from auxrnn.training.order import steps_an_epoch
from auxrnn.training.sensible import segment_of_tokens
from auxrnn.training.step import DivergedError

Say = Callable[[str], None]
Trial = tuple[float, float]
"""Validation score, and minus the validation loss: the greater the better."""

FIRST_STEPS = 120
"""Of training in the first round."""

LONG_ROUND = 4
"""Times the first round: how long the best and the patient settings are tried where no candidate is half-way."""

HALF_WAY = 0.5
"""Of the way from the commonest class to no mistake: a best candidate that is below may wait for a faint event."""

HELD_OUT = 60
"""Sequences held out to compare candidates by, a third of the training data at most."""

FEW_HELD_OUT = 30
"""Fewer say little of one candidate: each is then tried on `DRAWINGS` of them for twice the steps; the mean counts."""

DRAWINGS = 3

LEAST_HELD_OUT = 12
"""Sequences in all drawings from which on a score is believed."""

ENOUGH = 0.95
"""A score that ends the search, where it is believed."""

CONVINCING = 0.9
"""A score of the last round from which on the training is short, where enough sequences judged."""

EASY, EASY_AND_DEAR = 1 / 2, 1 / 3
"""So many times the steps are made then; fewer where a step is dear."""

DEAR = 256
"""Tokens of a sequence from which on a step is dear."""

PATIENCE = 1.5
"""So many times the steps are made where no candidate has learned."""


@dataclass(frozen=True)
class Found:
    """What a search chose. lines: what was tried, with the scores. steps: of the optimiser that it made."""

    config: RunConfig
    lines: tuple[str, ...]
    steps: int = 0


def choose_candidate(
    config: RunConfig, train: SequenceData, given: Collection[str], say: Say = lambda line: None
) -> Found:
    """The configuration with the settings of the best candidate.

    train: all data with labels but the test data; a part of them is held out here. `config.candidates` bounds the
    number of candidates; with one the first is taken untried.
    """
    sets, patient = candidates(config, train, given)
    folds = _folds(train, config.seed) if len(sets) > 1 and config.max_epochs > 0 else []
    if not folds or not len(folds[0][1]):
        return Found(replace(config, **sets[0]), ())
    trials = Trials(config, sets, folds, say)
    best, rounds = successive_halving(len(sets), trials.try_out, trials.is_enough)
    last = rounds[-1]
    if patient is not None and last[best][0] < trials.commonest + HALF_WAY * (1 - trials.commonest):
        last = {index: trials.try_out(index, LONG_ROUND) for index in dict.fromkeys((best, patient))}
        best = max(last, key=last.__getitem__)  # of equals the first
    settings, score = sets[best], last[best][0]
    bounded = config.budget is not None or "max_epochs" in given
    if not bounded and score >= CONVINCING and trials.believed and not trials.few:
        settings = {**settings, "max_epochs": _epochs_of_easy_data(replace(config, **settings), train)}
    if not trials.learned:
        epochs = config.max_epochs if bounded else round(PATIENCE * config.max_epochs)
        settings = {**(settings if patient is None else sets[patient]), "max_epochs": epochs}
        how = "" if patient is None else " with what finds faint events"
        trials.tell(f"            none has learned yet: going on{how}, for longer")
    if not bounded and score < ENOUGH and trials.believed and trials.few:
        both = _auxiliary_losses(replace(config, **settings), train, given)
        if both:  # they reach back as far as the labels: not ten tokens
            settings = {name: value for name, value in settings.items() if name not in SHORT_WINDOWS} | both
            trials.tell(
                "            few sequences, and none convinces: auxiliary losses too, at four times the seconds a step"
            )
    if settings.get("augment", config.augment) == PATIENT["augment"] and "lr" not in given:
        settings = {**settings, "lr": config.lr / 2}
    trials.tell(f"Chosen      {_worded(settings)}")
    return Found(replace(config, **settings), tuple(trials.lines), trials.steps)


def search_steps(config: RunConfig, train: SequenceData, given: Collection[str]) -> int:
    """What the candidates take at most: the rounds of halving, and two long ones where the patient settings wait."""
    sets, patient = candidates(config, train, given)
    left, length = len(sets), 1
    rounds = 2 * LONG_ROUND if patient is not None and left > 1 else 0
    while left > 1:
        rounds += left * length
        left, length = left // 2, 2 * length
    drawings = _drawings(train)
    return rounds * _first_steps(drawings > 1) * drawings


def successive_halving(
    number: int, try_out: Callable[[int, int], Trial], is_enough: Callable[[Trial], bool]
) -> tuple[int, list[dict[int, Trial]]]:
    """The best of `number` candidates, and the trials of each round.

    Parameters
    ----------
    number : int
        Candidates, at least 1. Of equals the first is taken.
    try_out : callable
        (candidate, length) -> trial. The length is 1 in the first round and doubles from round to round.
    is_enough : callable
        Whether a trial leaves little to wish for: then no other is made.
    """
    left, rounds, length = list(range(number)), [], 1
    while True:
        trials: dict[int, Trial] = {}
        rounds.append(trials)
        for index in left:
            trials[index] = try_out(index, length)
            if is_enough(trials[index]):
                return index, rounds
        ranked = sorted(left, key=trials.__getitem__, reverse=True)  # stable: of equals the first
        left = ranked[: max(len(left) // 2, 1)]
        if len(left) == 1:
            return left[0], rounds
        length *= 2


class Trials:
    """Short trainings of candidates on each of `folds`: what trains, and what is held out and judges.

    few: whether so few are held out that they were drawn several times. believed: whether a score of theirs says
    something of classes. commonest: the share of the commonest class among them, which is the score without learning
    anything; 0 for other targets.
    """

    def __init__(
        self,
        config: RunConfig,
        sets: list[dict[str, Any]],
        folds: list[tuple[SequenceData, SequenceData]],
        say: Say,
    ) -> None:
        self.config, self.sets, self.folds, self.say = config, sets, folds, say
        fitting, self.judging = folds[0]
        self.few = len(folds) > 1
        self.believed = isinstance(fitting.target, ClassTarget) and len(self.judging) * len(folds) >= LEAST_HELD_OUT
        self.commonest = _commonest(self.judging)
        self.first_steps, self.an_epoch = _first_steps(self.few), steps_an_epoch(config, len(fitting))
        self.made: dict[tuple[int, int], Trial] = {}  # by candidate and epochs
        self.lines: list[str] = []
        times = f", {len(self.folds)} times" if self.few else ""
        self.tell(
            f"Candidates  {len(sets)} sets of settings, compared on {len(self.judging)} sequences held out{times}"
        )

    def tell(self, line: str) -> None:
        self.lines.append(line)
        self.say(line)

    def try_out(self, index: int, length: int) -> Trial:
        """Means over the drawings. Rounds of many sequences may come to as many epochs: such a trial is made once."""
        epochs = min(max(round(self.first_steps * length / self.an_epoch), 1), self.config.max_epochs)
        if (index, epochs) not in self.made:
            tried = replace(self.config, **self.sets[index], max_epochs=epochs, pretrain_epochs=0)
            scores, losses = zip(*(_trial(tried, *fold) for fold in self.folds), strict=True)
            trial = fmean(scores), fmean(losses)
            self.tell(f"            {_worded(self.sets[index])}: {self._scored(trial)} after {epochs} epochs")
            self.made[index, epochs] = trial
        return self.made[index, epochs]

    def is_enough(self, trial: Trial) -> bool:
        return self.believed and trial[0] >= ENOUGH

    @property
    def learned(self) -> bool:
        """Whether a trial is above what the commonest class gives, by more than chance would; values: above 0.1."""
        top, least = max(score for score, _ in self.made.values()), self.commonest
        return top > (least + 2 * math.sqrt(least * (1 - least) / len(self.judging)) if least else 0.1)

    @property
    def steps(self) -> int:
        """Steps of the optimiser that were made."""
        return len(self.folds) * self.an_epoch * sum(epochs for _, epochs in self.made)

    def _scored(self, trial: Trial) -> str:
        if trial[0] == -math.inf:
            return "diverged"
        return f"{self.judging.target.score} {trial[0]:.3f}, loss {-trial[1]:.3f}"


def _held_out(train: SequenceData) -> int:
    """Sequences that judge the candidates."""
    return min(HELD_OUT, len(train) // 3)


def _drawings(train: SequenceData) -> int:
    """How often those are drawn: a few labels alone would choose at random. Where every step has one they are many."""
    return DRAWINGS if _held_out(train) < FEW_HELD_OUT and not train.target.per_step else 1


def _folds(train: SequenceData, seed: int) -> list[tuple[SequenceData, SequenceData]]:
    share = _held_out(train) / len(train)
    return [train.split(share, seed + drawing) for drawing in range(_drawings(train))]


def _first_steps(few: bool) -> int:
    """Steps of a trial in the first round: what is better shows late where little is learned from."""
    return 2 * FIRST_STEPS if few else FIRST_STEPS


def _trial(config: RunConfig, train: SequenceData, validation: SequenceData) -> Trial:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_model(config, train.spec, train.target, int(train.lengths.max()))
        try:
            fitted = fit(network, train, validation, config.model_config(), config, quiet=True)
        except DivergedError:
            return -math.inf, -math.inf
        finally:
            give_back_memory()  # the next one allocates blocks of other sizes
    row = next(row for row in reversed(fitted.history) if "validation_loss" in row)
    return row[f"validation_{train.target.score}"], -row["validation_loss"]


def _commonest(judged: SequenceData) -> float:
    if not isinstance(judged.target, ClassTarget) or judged.target.per_step:
        return 0.0
    assert isinstance(judged.labels, torch.Tensor)
    return int(torch.bincount(judged.labels).max()) / len(judged)


def _epochs_of_easy_data(config: RunConfig, train: SequenceData) -> int:
    tokens = int(train.lengths.median()) / config.token_steps
    return max(round((EASY_AND_DEAR if tokens >= DEAR else EASY) * config.max_epochs), 1)


def _auxiliary_losses(config: RunConfig, train: SequenceData, given: Collection[str]) -> dict[str, Any]:
    """Both losses beside the labels; nothing where a model was said or the gradient goes through all steps."""
    if "model" in given or config.model != "lstm" or config.gradient != "truncated":
        return {}
    own = replace(config, model="rp-lstm")
    return {
        "model": own.model,
        **({} if "segment_length" in given else {"segment_length": segment_of_tokens(own, train)}),
    }


def _worded(settings: dict[str, Any]) -> str:
    return " ".join(f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
                    for name, value in settings.items()) or "the recipe as it is"  # fmt: skip
