"""All that a recipe leaves to the data: rules of thumb, what a budget has time for, and a search."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache

from auxrnn.config import RunConfig
from auxrnn.core.allocation import prepare_process
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.budget import seconds_a_step, tell_duration, with_rest_of_budget, within_budget
from auxrnn.training.candidates import CANDIDATES
from auxrnn.training.order import steps_an_epoch
from auxrnn.training.search import Say, choose_candidate
from auxrnn.training.sensible import sensible_settings


def chosen_by_data(
    config: RunConfig, train: SequenceData, given: Collection[str], say: Say, warn: Say | None = None
) -> tuple[RunConfig, list[str], list[str]]:
    """The configuration with all that its recipe leaves to the data; the reasons, and what was tried.

    given: the settings that a person has said, which stay. say: hears both, line by line. warn: hears before the search
    how long that and the training will take about, where it is more than a minute.
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
            if config.budget is not None:
                reasons.append(f"Note        a budget of {config.budget} is not used, for max_epochs was said")
        elif config.budget is not None:
            config = within_budget(config, train, given, step_time())
            reasons = [line for line in reasons if "--max_epochs" not in line]
            reasons.append(
                f"Chosen      --max_epochs {config.max_epochs}: what a budget of {config.budget} has time for"
            )
        config = replace(config, candidates=config.candidates or CANDIDATES)
    for line in reasons:
        say(line)
    if warn is not None:
        tell_duration(config, train, given, warn, step_time)
    if config.recipe != "modern":
        return config, reasons, []
    found = choose_candidate(config, train, given, say)
    if found.lines and config.budget is not None and "max_epochs" not in given:
        found = with_rest_of_budget(found, steps_an_epoch(config, len(train)), step_time(), say)
    return found.config, reasons, list(found.lines)
