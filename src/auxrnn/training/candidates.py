"""A few sets of settings tried shortly and compared on validation data, before the training proper.

No single setting serves all data: labels at anchors help where evidence is spread and hurt where one short event
decides; tokens added to outputs, their greatest and a turn of the sequences find a short event, wherever it lies.
Successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943): all candidates train for a few steps, the better half
for twice as many, and so on. The test data have no say.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Any

import torch

from auxrnn.config import OWN_CORE, RunConfig, seconds_of
from auxrnn.core.allocation import give_back_memory, prepare_process
from auxrnn.core.anchors import step_generator
from auxrnn.core.build import build_model
from auxrnn.core.threads import cpu_threads
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassTarget
from auxrnn.training.loop import fit
from auxrnn.training.optimizers import make_optimizer
from auxrnn.training.sensible import segment_of_tokens, sensible_settings
from auxrnn.training.step import DivergedError

Say = Callable[[str], None]
Trial = tuple[float, float]
"""Validation score, and minus the validation loss: the greater the better."""

FIRST_STEPS = 120
"""Of training in the first round."""

LONG_ROUND = 4
"""Times the first round: how long the best and the patient settings are tried where no candidate is half-way."""

CONVINCING = 0.9
"""A score of the last round of halving from which on the training is short, where enough sequences judged."""

HALF_WAY = 0.5
"""Of the way from the commonest class to no mistake: a best candidate that is below may wait for a faint event."""

HELD_OUT = 60
"""Sequences held out to compare candidates by, a third of the training data at most."""

FEW_HELD_OUT = 30
"""Fewer say little of one candidate: each is then tried on `DRAWINGS` of them for twice the steps; the mean counts."""

DRAWINGS = 3

LEAST_STEPS_TIMED = 500
"""Fewer are done before it is worth to say how long they take."""

MOST_TIMED = 20
TIMED_SECONDS = 1.0
"""Steps, and seconds, after which a step is timed well enough."""

LONG = 60.0
"""Seconds of search and training that are told beforehand."""

CANDIDATES = 5

ANCHORED: dict[str, Any] = {"anchor_labels": 0.5}
PATIENT: dict[str, Any] = {"residual": True, "readout": "stats-max", "augment": "turn"}
"""What finds a faint event, in time: it may need some hundred steps before it shows. It trains at half the learning
rate in the end: at the whole one the sensor job of 16,384 steps ended at chance after a trial that was right on all."""
SHORT_WINDOWS: dict[str, Any] = {"bptt": 10, "top_windows": 16}
"""And these where windows leave a part of a sequence out: many short ones reach more of the greatest outputs than few
long ones do, in fewer tokens."""
NO_NORM: dict[str, Any] = {"stem_norm": "none"}
"""And this of values there: an event stands out by its height. In short sequences it costs some points."""

EXACT: dict[str, Any] = {
    "cell": "lru",
    "max_phase": 1.0,
    "gradient": "exact",
    "bptt": "full",
    "readout": "last",
    "anchor_labels": 0.0,
}
"""A linear recurrence with the gradient through all steps, which is exact for raw steps alone. Its last output depends
on every step and on their order, which mean and deviation lose."""

PATIENCE = 1.5
"""So many times the steps are made then."""

EASY, EASY_AND_DEAR = 1 / 2, 1 / 3
"""And so many where the best candidate convinces; fewer where a step is dear."""

DEAR = 256
"""Tokens of a sequence from which on a step is dear."""

ENOUGH = 0.95
"""A score that ends the search, of at least `LEAST_HELD_OUT` sequences in all drawings."""

LEAST_HELD_OUT = 12


@dataclass(frozen=True)
class Found:
    """What a search chose. lines: what was tried, with the scores. steps: of the optimiser that it made."""

    config: RunConfig
    lines: tuple[str, ...]
    steps: int = 0


def chosen_by_data(
    config: RunConfig, train: SequenceData, given: Collection[str], say: Say, warn: Say | None = None
) -> tuple[RunConfig, list[str], list[str]]:
    """The configuration with all that its recipe leaves to the data; the reasons, and what was tried.

    given: the settings that a person has said, which stay. say: hears both, line by line. warn: hears before the search
    how long that and the training will take about, where it is more than `LONG` seconds.
    """
    prepare_process()  # before a step is timed, for oneDNN reads its limit when the first kernel is made
    config, reasons = sensible_settings(config, train, given)
    step_time = cache(lambda: seconds_a_step(config, train))
    if config.recipe == "modern":
        searched = config.devices * config.num_nodes == 1
        if not searched and (config.candidates or 1) > 1:
            raise InputError(
                f"Expected candidates 1 with several devices, got {config.candidates}: the search runs in one process."
            )
        if not searched or "max_epochs" in given:
            config = replace(config, candidates=config.candidates or 1)
        elif config.budget is not None:
            config = _within_budget(config, train, given, step_time())
            reasons = [line for line in reasons if "--max_epochs" not in line]
            reasons.append(
                f"Chosen      --max_epochs {config.max_epochs}: what a budget of {config.budget} has time for"
            )
        config = replace(config, candidates=config.candidates or CANDIDATES)
    for line in reasons:
        say(line)
    if warn is not None:
        _tell_duration(config, train, given, warn, step_time)
    if config.recipe != "modern":
        return config, reasons, []
    found = choose_candidate(config, train, given, say)
    if found.lines and config.budget is not None and "max_epochs" not in given:
        found = _with_rest_of_budget(found, steps_an_epoch(config, len(train)), step_time(), say)
    return found.config, reasons, list(found.lines)


def _with_rest_of_budget(found: Found, an_epoch: int, step_time: float, say: Say) -> Found:
    """What was found, with more epochs where the search took fewer steps than it might have."""
    assert found.config.budget is not None
    epochs = round((seconds_of(found.config.budget) / step_time - found.steps) / an_epoch)
    if epochs <= found.config.max_epochs:
        return found
    line = f"Chosen      --max_epochs {epochs}: what the search left of the budget"
    say(line)
    return replace(found, config=replace(found.config, max_epochs=epochs), lines=(*found.lines, line))


def _within_budget(config: RunConfig, train: SequenceData, given: Collection[str], step_time: float) -> RunConfig:
    """As many epochs as the budget has time for, beside the candidates; of those as many as half of it has time for."""
    assert config.budget is not None
    steps = seconds_of(config.budget) / step_time
    if config.candidates is None:
        numbers = (replace(config, candidates=number) for number in range(CANDIDATES, 0, -1))
        config = next(one for one in numbers if one.candidates == 1 or search_steps(one, train, given) <= steps / 2)
    left = max(steps - search_steps(config, train, given), steps / 2)
    return replace(config, max_epochs=max(round(left / steps_an_epoch(config, len(train))), 1))


def search_steps(config: RunConfig, train: SequenceData, given: Collection[str]) -> int:
    """What the candidates take at most: the rounds of halving, and two long ones where the patient settings wait."""
    options, patient = _sets(config, train, given)
    left, length = len(options), 1
    rounds = 2 * LONG_ROUND if patient is not None and left > 1 else 0
    while left > 1:
        rounds += left * length
        left, length = left // 2, 2 * length
    return rounds * _first_steps(train) * _drawings(train)


def steps_an_epoch(config: RunConfig, number: int) -> int:
    """Steps of the optimiser on so many sequences."""
    batch = config.batch_size * config.devices * config.num_nodes
    return math.ceil(number / batch) * config.epoch_passes


def seconds_a_step(config: RunConfig, train: SequenceData) -> float:
    """Wall time of a training step here and now, beside what else is at work: the mean over batches drawn at random,
    for about a second, after one that is not counted.
    """
    on_gpu = config.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    with torch.random.fork_rng(devices=[]), cpu_threads(config.num_threads):
        network = build_model(config, train.spec, train.target, int(train.lengths.max())).to(device)
        optimizer = make_optimizer(config.optimizer, list(network.parameters()), config.lr, config.weight_decay)
        names = ["supervised", *config.auxiliaries]

        def step(number: int) -> float:
            generator = step_generator(number)
            rows = torch.randperm(len(train), generator=generator)[: config.batch_size]
            losses = network.losses(train.batch(rows, lazy=True).to(device), names, 1.0, generator)
            optimizer.zero_grad()
            torch.stack([loss.mean for loss in losses.values()]).sum().backward()
            optimizer.step()
            if on_gpu:
                torch.cuda.synchronize()
            return time.perf_counter()

        start = step(0)
        for number in range(1, MOST_TIMED + 1):
            seconds = step(number) - start
            if seconds >= TIMED_SECONDS:
                break
    return seconds / number


def _tell_duration(
    config: RunConfig, train: SequenceData, given: Collection[str], warn: Say, step_time: Callable[[], float]
) -> None:
    epochs = config.max_epochs + config.pretrain_epochs * bool(config.auxiliaries)
    steps = steps_an_epoch(config, len(train)) * epochs
    if config.recipe == "modern":
        steps += search_steps(config, train, given)
    if steps < LEAST_STEPS_TIMED:
        return
    seconds = steps * step_time()
    if seconds > LONG:
        warn(f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h")


def candidates(config: RunConfig, train: SequenceData, given: Collection[str]) -> list[dict[str, Any]]:
    """Settings over those of `config`, the likeliest first; what was `given` is in none of them."""
    if train.target.per_step or config.readout == "last":
        options: list[dict[str, Any]] = [{}, {"lr": config.lr / 3}]
    else:
        patient = _patient(config, train, given)
        options = [
            ANCHORED,
            patient,
            {**patient, **ANCHORED},
            {**ANCHORED, "stride": max(config.stride // 2, 1)},
            {**ANCHORED, **({"augment": "noise"} if train.spec.kind == "values" else {"readout": "stats-max"})},
        ]
    if train.image_shape is not None or config.stem != "conv":
        given = {*given, "stride"}
    kept: list[dict[str, Any]] = []
    for option in options:
        free = _free(option, config, given)
        if free not in kept:
            kept.append(free)
    return [*kept[:1], EXACT, *kept[1:]] if _may_be_exact(config, train, given) else kept


def _patient(config: RunConfig, train: SequenceData, given: Collection[str]) -> dict[str, Any]:
    """What finds a faint event in sequences of this length."""
    tokens = int(train.lengths.median()) / config.token_steps
    if isinstance(config.bptt, str) or tokens <= config.num_windows * config.bptt:
        return PATIENT
    plain = config.gradient == "truncated" and not config.auxiliaries
    reads_greatest = "readout" not in given or config.readout == PATIENT["readout"]
    said = not SHORT_WINDOWS.keys().isdisjoint(given)
    norm = NO_NORM if train.spec.kind == "values" else {}
    return PATIENT | norm | (SHORT_WINDOWS if plain and reads_greatest and not said else {})


def _may_be_exact(config: RunConfig, train: SequenceData, given: Collection[str]) -> bool:
    """Whether the exact settings are such for these data, and none of them was said."""
    raw = config.stem == "none" and train.spec.kind != "characters" and not train.target.per_step
    plain = config.model not in OWN_CORE and not config.auxiliaries
    served = config.precision != "16-mixed" and config.lstm_backend != "persistent"
    return raw and plain and served and EXACT.keys().isdisjoint(given)


def _free(option: dict[str, Any], config: RunConfig, given: Collection[str]) -> dict[str, Any]:
    """What of a set of settings was not said, is not so anyway, and may be."""
    fixed = given if config.has_like_tokens else {*given, "residual"}
    fixed = fixed if config.stem == "conv" else {*fixed, "stem_norm"}  # quiet bands are far below zero
    fixed = {*fixed, "anchor_labels"} if config.gradient == "fptt" else fixed
    return {name: value for name, value in option.items() if name not in fixed and value != getattr(config, name)}


def _sets(config: RunConfig, train: SequenceData, given: Collection[str]) -> tuple[list[dict[str, Any]], int | None]:
    """The settings that are tried, at most `config.candidates`, and the number of the patient ones among them."""
    options = candidates(config, train, given)[: (config.candidates or CANDIDATES)]
    patient = _free(_patient(config, train, given), config, given)
    return options, options.index(patient) if patient in options else None


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


def choose_candidate(
    config: RunConfig, train: SequenceData, given: Collection[str], say: Say = lambda line: None
) -> Found:
    """The configuration with the settings of the best candidate.

    train: all data with labels but the test data; a part of them is held out here. `config.candidates` bounds the
    number of candidates; with one the first is taken untried.
    """
    options, patient = _sets(config, train, given)
    if len(options) < 2 or config.max_epochs < 1:
        settings = options[0] if options else {}
        return Found(replace(config, **settings), ())
    folds = [train.split(_held_out(train) / len(train), config.seed + fold) for fold in range(_drawings(train))]
    fitting, judging = folds[0]
    if not len(judging):
        return Found(replace(config, **options[0]), ())
    times = f", {len(folds)} times" if len(folds) > 1 else ""
    lines = [f"Candidates  {len(options)} sets of settings, compared on {len(judging)} sequences held out{times}"]
    say(lines[0])

    an_epoch = steps_an_epoch(config, len(fitting))
    made: dict[tuple[int, int], Trial] = {}  # rounds of many sequences may come to as many epochs

    def try_out(index: int, length: int) -> Trial:
        settings = options[index]
        epochs = min(max(round(_first_steps(train) * length / an_epoch), 1), config.max_epochs)
        if (index, epochs) in made:
            return made[index, epochs]
        tried = replace(config, **settings, max_epochs=epochs, pretrain_epochs=0)
        scores, losses = zip(*(_trial(tried, *fold) for fold in folds), strict=True)
        trial = fmean(scores), fmean(losses)
        lines.append(f"            {_worded(settings)}: {_scored(trial, train)} after {epochs} epochs")
        say(lines[-1])
        made[index, epochs] = trial
        return trial

    judged = isinstance(train.target, ClassTarget) and len(judging) * len(folds) >= LEAST_HELD_OUT
    best, rounds = successive_halving(len(options), try_out, lambda trial: judged and trial[0] >= ENOUGH)
    least = _commonest(judging)
    if patient is not None and rounds[-1][best][0] < least + HALF_WAY * (1 - least):
        rounds.append({index: try_out(index, LONG_ROUND) for index in dict.fromkeys((best, patient))})
        best = max(rounds[-1], key=rounds[-1].__getitem__)  # of equals the first
    settings, reached = options[best], rounds[-1][best][0]
    bounded = config.budget is not None or "max_epochs" in given
    if reached >= CONVINCING and judged and len(folds) == 1 and not bounded:
        tokens = int(train.lengths.median()) / replace(config, **settings).token_steps
        share = EASY_AND_DEAR if tokens >= DEAR else EASY
        settings = {**settings, "max_epochs": max(round(share * config.max_epochs), 1)}
    top = max(trials[index][0] for trials in rounds for index in trials)
    if not _learns(top, judging):
        epochs = config.max_epochs if bounded else round(PATIENCE * config.max_epochs)
        settings = {**(settings if patient is None else options[patient]), "max_epochs": epochs}
        how = "" if patient is None else " with what finds faint events"
        lines.append(f"            none has learned yet: going on{how}, for longer")
        say(lines[-1])
    if reached < ENOUGH and judged and len(folds) > 1 and not bounded:
        both = _auxiliary_losses(replace(config, **settings), train, given)
        if both:  # they reach back as far as the labels: not ten tokens
            settings = {name: value for name, value in settings.items() if name not in SHORT_WINDOWS} | both
            lines.append(
                "            few sequences, and none convinces: auxiliary losses too, at four times the seconds a step"
            )
            say(lines[-1])
    if settings.get("augment", config.augment) == PATIENT["augment"] and "lr" not in given:
        settings = {**settings, "lr": config.lr / 2}
    lines.append(f"Chosen      {_worded(settings)}")
    say(lines[-1])
    return Found(replace(config, **settings), tuple(lines), len(folds) * an_epoch * sum(epochs for _, epochs in made))


def _auxiliary_losses(config: RunConfig, train: SequenceData, given: Collection[str]) -> dict[str, Any]:
    """Both losses beside the labels; nothing where a model was said or the gradient goes through all steps."""
    if "model" in given or config.model != "lstm" or config.gradient != "truncated":
        return {}
    own = replace(config, model="rp-lstm")
    return {
        "model": own.model,
        **({} if "segment_length" in given else {"segment_length": segment_of_tokens(own, train)}),
    }


def _held_out(train: SequenceData) -> int:
    """Sequences that judge the candidates."""
    return min(HELD_OUT, len(train) // 3)


def _drawings(train: SequenceData) -> int:
    """How often those are drawn: a few labels alone would choose at random. Where every step has one they are many."""
    return DRAWINGS if _held_out(train) < FEW_HELD_OUT and not train.target.per_step else 1


def _first_steps(train: SequenceData) -> int:
    """Steps of a trial in the first round: what is better shows late where little is learned from."""
    return FIRST_STEPS if _drawings(train) == 1 else 2 * FIRST_STEPS


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
    """The share of the commonest class: the score without learning anything. 0 for other targets."""
    if not isinstance(judged.target, ClassTarget) or judged.target.per_step:
        return 0.0
    assert isinstance(judged.labels, torch.Tensor)
    return int(torch.bincount(judged.labels).max()) / len(judged)


def _learns(score: float, judged: SequenceData) -> bool:
    """Whether a score is above what the commonest class gives, by more than chance would; values: above 0.1."""
    least = _commonest(judged)
    return score > (least + 2 * math.sqrt(least * (1 - least) / len(judged)) if least else 0.1)


def _worded(settings: dict[str, Any]) -> str:
    return " ".join(f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
                    for name, value in settings.items()) or "the recipe as it is"  # fmt: skip


def _scored(trial: Trial, train: SequenceData) -> str:
    if trial[0] == -math.inf:
        return "diverged"
    return f"{train.target.score} {trial[0]:.3f}, loss {-trial[1]:.3f}"
