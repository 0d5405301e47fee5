"""Searching for settings: many short trainings, compared on validation data; the test set is never read.

A study lies in one file that several processes may work on at once, on one machine or over a shared folder; it can be
stopped and gone on with at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
import yaml

from auxrnn.config import RunConfig
from auxrnn.config.choices import Initialisation
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.runs.datasets import load_data
from auxrnn.runs.folder import FREE, flat_settings
from auxrnn.runs.run import split_data
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.loop import fit
from auxrnn.training.search import Say
from auxrnn.training.sensible import sensible_settings
from auxrnn.training.step import DivergedError
from auxrnn.use.card import shown

if TYPE_CHECKING:
    import optuna

STUDY, SETTINGS = "auxrnn", "settings"
PRETRAIN_SHARES = (0.0, 0.25, 0.5)
MOST_STEPS, MOST_SEGMENT, MOST_ANCHORS = 300, 600, 20
"""The largest truncation, segment and number of anchors that are tried: the paper's."""


def tune(
    config: RunConfig,
    trials: int,
    study_file: Path | None = None,
    say: Say | None = None,
    *,
    given: Collection[str] | None = None,
) -> RunConfig:
    """Train until the study holds `trials` finished trials, and return the configuration of the best.

    `config` holds what is not searched for; its epochs, both phases together, are those of every trial. Processes that
    share `study_file` count together and end with at most one trial too many each. A trial that diverges counts, as
    failed. given: the settings that a person has said; on files of their own the others follow the same rules of thumb
    as in `auxrnn train`, without its search. Raises InputError for a study of other settings, for settings that cannot
    be searched, and where optuna is missing.
    """
    if find_spec("optuna") is None:
        raise InputError("Expected optuna to tune, found none; install it with: pip install 'auxrnn[sweep]'")
    if config.validation_fraction == 0:
        raise InputError("Expected validation_fraction above 0 to compare trials by, got 0.")
    say = say or (lambda line: print(line, file=sys.stderr))
    loaded = load_data(config)
    for line in loaded.findings:
        say(line)
    if given is not None and loaded.path is not None:
        config, _ = sensible_settings(config, loaded.sequences.train, given)
    train, validation = split_data(loaded.sequences, config)
    study = open_study(config, study_file)
    longest = -(-int(train.lengths.max()) // config.token_steps)  # in tokens
    while len(_finished(study)) < trials:
        trial = study.ask()
        study.sampler = _sampler(config.seed, trial.number)
        candidate = suggest(trial, config, train.spec, longest)
        try:
            score = _validation_score(candidate, train, validation, loaded.unlabelled)
        except DivergedError:
            study.tell(trial, state=_states().FAIL)
            say(f"trial {trial.number:<4} diverged  {_in_words(trial.params)}")
            continue
        study.tell(trial, score)
        say(f"trial {trial.number:<4} {shown(train.target.score, score)}   {_in_words(trial.params)}")
    whole = [trial for trial in _finished(study) if trial.value is not None]
    if not whole:
        raise InputError("Expected at least one trial that does not diverge, found none; try more --trials.")
    return suggest(_replayed(study.best_trial), config, train.spec, longest)


def suggest(trial: Any, config: RunConfig, spec: InputSpec, longest: int) -> RunConfig:
    """The configuration of a trial: what is searched for drawn anew, all else as in `config`.

    Learning rate 1e-4 to 1e-2; K from 8 to 300 or the longest sequence; with auxiliary losses n from 1 to 20, l from 4
    to 600 or the longest, the share of the epochs that is pretraining, `aux.weight` 0.1 to 10 and, for pixels, the
    target; for cells with gates the initialisation. `bptt: full` stays.
    """
    chosen: dict[str, Any] = {"lr": trial.suggest_float("lr", 1e-4, 1e-2, log=True)}
    if config.bptt != "full" and config.model != "transformer":
        chosen["bptt"] = _whole(trial, "bptt", 8, min(longest, MOST_STEPS))
    if config.has_gates:
        chosen["initialisation"] = trial.suggest_categorical("initialisation", get_args(Initialisation))
    if config.auxiliaries:
        chosen["num_anchors"] = _whole(trial, "num_anchors", 1, MOST_ANCHORS)
        longest = max(longest, config.shortest_segment)
        chosen["segment_length"] = _whole(trial, "segment_length", 4, min(longest, MOST_SEGMENT))
        epochs = config.pretrain_epochs + config.max_epochs
        share = trial.suggest_categorical("pretrain_share", PRETRAIN_SHARES)
        chosen["pretrain_epochs"] = min(round(share * epochs), epochs - 1)
        chosen["max_epochs"] = epochs - chosen["pretrain_epochs"]
        finer: dict[str, Any] = {"weight": trial.suggest_float("aux.weight", 0.1, 10.0, log=True)}
        if spec.kind == "pixels":
            finer["target"] = trial.suggest_categorical("aux.target", ["softmax", "squared"])
        chosen["aux"] = replace(config.aux, **finer)
    return replace(config, **chosen)


def open_study(config: RunConfig, file: Path | None) -> optuna.Study:
    """The study in a file, made where there is none, or one in memory. InputError where it is of other settings."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settings = {name: value for name, value in flat_settings(config.to_dict()).items() if name not in FREE}
    try:
        storage = _journal(file) if file is not None else None
        study = optuna.create_study(study_name=STUDY, storage=storage, direction="maximize", load_if_exists=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: expected a study of auxrnn tune that can be written to, found: {error}") from error
    known = study.user_attrs.get(SETTINGS)
    if known is None:
        study.set_user_attr(SETTINGS, settings)
    elif known != settings:
        others = sorted(name for name in settings if settings[name] != known.get(name))
        shown = ", ".join(f"{name} {settings[name]!r} instead of {known.get(name)!r}" for name in others)
        raise InputError(f"{file}: expected the settings that the study was begun with, got {shown}.")
    return study


def as_yaml(config: RunConfig) -> str:
    """The configuration as a file for `auxrnn train --config`."""
    return yaml.safe_dump(config.to_dict(), sort_keys=False)


def _journal(file: Path) -> Any:
    from optuna.storages import JournalStorage

    from auxrnn.experiments.journal import Journal

    return JournalStorage(Journal(file))


def _whole(trial: Any, name: str, low: int, high: int) -> int:
    """A whole number on a logarithmic scale; the lower end gives way where sequences are short."""
    return int(trial.suggest_int(name, min(low, high), high, log=True))


def _sampler(seed: int, number: int) -> Any:
    """A trial draws by its own number, so that processes that share a study do not draw the same."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=(seed * 1_000_003 + number) % 2**32)


def _finished(study: optuna.Study) -> list[Any]:
    return study.get_trials(deepcopy=False, states=(_states().COMPLETE, _states().FAIL))


def _states() -> Any:
    from optuna.trial import TrialState

    return TrialState


def _replayed(trial: Any) -> Any:
    from optuna.trial import FixedTrial

    return FixedTrial(trial.params)


def _validation_score(
    config: RunConfig, train: SequenceData, validation: SequenceData, unlabelled: SequenceData | None = None
) -> float:
    torch.manual_seed(config.seed)
    network = build_model(config, train.spec, train.target, int(train.lengths.max()))
    fitted = fit(network, train, validation, config.model_config(), config, quiet=True, unlabelled=unlabelled)
    assert fitted.best_score is not None
    return fitted.best_score


def _in_words(settings: dict[str, Any]) -> str:
    parts = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in settings.values()]
    return "  ".join(f"{name} {part}" for name, part in zip(settings, parts, strict=True))
