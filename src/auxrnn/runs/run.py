"""A run: start, resume, finish. Everything that a run is lies in its folder (`folder`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from auxrnn.config import OWN_CORE, RunConfig
from auxrnn.core.build import build_model
from auxrnn.core.kernels.backend import choose_backend
from auxrnn.core.model import Classifier
from auxrnn.errors import InputError, is_full_memory
from auxrnn.runs.datasets import RunData, load_data, run_name
from auxrnn.runs.environment import describe_environment, peak_memory
from auxrnn.runs.folder import (
    STARTED_WITH,
    RunFolder,
    check_unchanged,
    read_config,
    read_json,
    write_config,
    write_json,
)
from auxrnn.runs.forecast import describe_run
from auxrnn.runs.judging import judge_run, score_interval
from auxrnn.runs.provenance import DATA, as_started, check_same_data, describe_data
from auxrnn.runs.stopped import FullMemoryError, StoppedRunError, UnwritableRunError
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.digest import digest_of, sample_of
from auxrnn.sources.presets import path_of
from auxrnn.storage.files import check_outside, is_left_over, remove
from auxrnn.storage.lock import TakenRunError, check_unlocked, lock_run
from auxrnn.targets import SCORES
from auxrnn.training.checkpoints import find_checkpoints, is_whole
from auxrnn.training.chosen import chosen_by_data
from auxrnn.training.interrupt import InterruptedRun
from auxrnn.training.loop import Fitted, fit
from auxrnn.training.precision import find_device
from auxrnn.training.ranks import LostRankError, find_ranks
from auxrnn.training.search import Say
from auxrnn.training.step import DivergedError
from auxrnn.training.watcher import Watcher
from auxrnn.use.inference import measure
from auxrnn.use.persistence import SavedModel, save_model
from auxrnn.verdict import Verdict
from auxrnn.verdict.floors import measure_floors
from auxrnn.verdict.judge import without_commands

TOLD = ("pretrain_epochs", "max_epochs", "batch_size", "optimizer", "lr", "class_weights")
"""Settings of training that the model card tells."""


def start_run(
    config: RunConfig,
    say: Say = print,
    *,
    given: Collection[str] | None = None,
    judged: bool = True,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Train from the beginning into a new folder.

    Over several devices every process that torchrun or SLURM has started calls this; where nothing has started them,
    this does, and trains in them. The first alone speaks, writes and has a result.

    Parameters
    ----------
    config : RunConfig
    say : callable
        Told each line that a person should read.
    given : collection of str, optional
        The settings that a person has said; on files of their own the others may be chosen by the data. None: all.
    judged : bool
        Whether the floors of the data are measured and a verdict is told at the end.
    watchers : sequence of Watcher
        Loggers and callables of one's own, in this process. For them the floors are measured before, on validation
        data, and lie in env.json.

    Returns
    -------
    dict
        What result.json holds.

    Raises
    ------
    InputError
        Where the folder holds a run already; `training.loop.fit` says what else.
    """
    ranks = find_ranks(config)
    folder = RunFolder(Path(config.out or run_name(config)))
    if not ranks.is_first:
        config, data, _ = _chosen(config, load_data(config), given, _silent)
        return _train(config, folder, data, None, say, judged)
    check_unlocked(folder.path)
    _check_new(folder)
    _check_free(folder)
    if (source := path_of(config.data)) is not None:
        check_outside(folder.path, source)
    _check_backend(config)
    find_device(config.accelerator, config.devices - 1)
    config, data, tried = _chosen(config, load_data(config), given, say)
    train = data.sequences.train  # what follows is refused before anything is written
    train.weighted(config.class_weights)
    build_model(config, train.spec, train.target, int(train.lengths.max()))
    with lock_run(folder.path):
        _check_new(folder)
        try:
            described = {DATA: describe_data(data), STARTED_WITH: config.to_dict(), "candidates": tried}
            if watchers and judged:
                described["floors"] = measure_floors(*split_data(data.sequences, config), seed=config.seed).to_dict()
            write_json(folder.environment, {**describe_environment(), **described})
            write_config(folder, config)
        except OSError as error:
            raise InputError(f"{folder.path}: expected a folder that can be written to: {error}.") from error
        return _train(config, folder, data, None, say, judged, watchers)


def _chosen(
    config: RunConfig, data: RunData, given: Collection[str] | None, say: Say
) -> tuple[RunConfig, RunData, list[str]]:
    """The configuration with what was not `given` chosen by the data, told at once, and what was tried."""
    if given is None or (data.path is None and config.recipe != "modern"):
        return config, data, []
    for line in data.findings:
        say(line)
    warn = None if say is _silent else lambda words: say(f"Time        {words}, search and training")
    config, reasons, tried = chosen_by_data(config, data.sequences.train, given, say, warn)
    return config, replace(data, findings=()), [*reasons, *tried]


def _silent(line: str) -> None:
    """The first of several ranks speaks for all."""


def _check_new(folder: RunFolder) -> None:
    if folder.config.exists():
        raise TakenRunError(
            f"{folder.path}: expected a new run folder, found a run. Go on with `auxrnn resume {folder.path}`, "
            f"or choose another folder with --out."
        )


def _check_free(folder: RunFolder) -> None:
    if folder.path.is_file():
        raise InputError(f"{folder.path}: expected a folder to write the run to, found a file; choose another --out.")
    if any(place.exists() for place in (folder.checkpoints, folder.model, folder.result)):
        raise InputError(
            f"{folder.path}: expected a new run folder, found what is left of a run; choose another --out."
        )


def resume_run(
    path: Path,
    say: Say = print,
    *,
    data_dir: str | None = None,
    judged: bool = True,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Go on with a run from its newest whole checkpoint; a finished one is left as it is.

    Parameters
    ----------
    path : Path
        The run folder.
    data_dir : str, optional
        Where the data lie now, where that has changed.
    say, judged, watchers
        As for `start_run`.

    Returns
    -------
    dict
        What result.json holds.

    Raises
    ------
    InputError
        Where the configuration or the data have changed.
    """
    folder = RunFolder(path)
    config = read_config(folder)
    if folder.result.exists():
        return _finished(folder, say)
    check_unchanged(folder, config)
    config = replace(config, data_dir=data_dir or config.data_dir)
    data = load_data(config)
    if not find_ranks(config).is_first:
        return _train(config, folder, data, _newest_whole(folder, say, put_aside=False), say, judged)
    with lock_run(folder.path):
        if folder.result.exists():  # by another process, while the data were read
            return _finished(folder, say)
        started = read_json(folder.environment) if folder.environment.is_file() else {}
        check_same_data(folder.path, started, data)
        config, notes = as_started(config, started, describe_environment())
        for note in notes:
            say(f"Note        {note}")
        for left in _parts(folder):
            remove(left)
        return _train(config, folder, data, _newest_whole(folder, say), say, judged, watchers)


def how_to_go_on(path: Path) -> str:
    """Say how to go on after an interruption outside of the training itself: while loading, testing or saving."""
    folder = RunFolder(path)
    if folder.result.exists():
        return f"the run in {path} is finished."
    if folder.config.exists():
        return f"go on with: auxrnn resume {path}"
    return "nothing was written; the same command begins anew."


def _finished(folder: RunFolder, say: Say) -> dict[str, Any]:
    for left in _parts(folder):
        if is_left_over(left):  # others may be at work, on a report of it
            remove(left)
    say(f"{folder.path} is finished; nothing to do.")
    return read_json(folder.result)


def _parts(folder: RunFolder) -> list[Path]:
    """Files that are being written, or that a kill in the middle of writing has left."""
    return [part for place in (folder.path, folder.checkpoints, folder.model) for part in place.glob(".*.part")]


def train_rank(path: Path, resume: tuple[int, Path] | None, data_dir: str | None, judged: bool) -> None:
    """The part of one of the processes that `launch` started, from a checkpoint or from the beginning."""
    folder = RunFolder(path)
    config = replace(read_config(folder), data_dir=data_dir)
    data = replace(load_data(config), findings=())  # told by the process that started this one
    _train(config, folder, data, resume, print, judged)


def _check_backend(config: RunConfig) -> None:
    """InputError for the persistent kernel where no LSTM of the run could use it."""
    if config.lstm_backend != "persistent":
        return
    if config.model in OWN_CORE or config.cell != "lstm":
        own = config.model if config.model in OWN_CORE else f"cell {config.cell}"
        raise InputError(f"Expected an LSTM with lstm_backend persistent, got {own}; leave lstm_backend out.")
    choose_backend(
        "persistent",
        device=find_device(config.accelerator),
        dtype=torch.float32,
        hidden_size=max(config.hidden_size, config.aux.decoder_hidden_size or 0),
        rows=config.batch_size,
        operands="fp16",
        training=True,
    )


def _newest_whole(folder: RunFolder, say: Say, *, put_aside: bool = True) -> tuple[int, Path] | None:
    """The checkpoint to go on from; damaged newer ones are named and put aside, by one of several ranks."""
    for phase, step, path in find_checkpoints(folder.checkpoints):
        if is_whole(path):
            if put_aside:
                say(f"Resuming from {path.name} (phase {phase + 1}, step {step}).")
            return phase, path
        if not put_aside:
            continue
        aside = path.with_suffix(".damaged")
        path.rename(aside)
        say(f"{path} is damaged; it is now {aside.name}, and the one before it is used.")
    if put_aside:
        say("No checkpoint yet; starting from the beginning.")
    return None


def split_data(data: TrainTest, config: RunConfig) -> tuple[SequenceData, SequenceData]:
    """Training and validation sequences, stratified and seeded."""
    return data.train.split(config.validation_fraction, config.seed)


def _train(
    config: RunConfig,
    folder: RunFolder,
    loaded: RunData,
    resume: tuple[int, Path] | None,
    say: Say,
    judged: bool,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    ranks = find_ranks(config)
    for line in loaded.findings if ranks.is_first else ():
        say(line)
    if not ranks.started:
        return _launch(config, folder, resume, judged)
    data = loaded.sequences
    train, validation = split_data(data, config)
    torch.manual_seed(config.seed)
    network = build_model(config, train.spec, train.target, int(train.lengths.max()))
    for line in describe_run(config, train, validation, data.test, network) if ranks.is_first else ():
        say(line)
    for remark in data.remarks if ranks.is_first else ():
        say(f"Note        {remark}")
    with _told(config, folder, resume):
        fitted = fit(
            network,
            train,
            validation,
            config.model_config(),
            config,
            folder=folder.path,
            resume=resume,
            unlabelled=loaded.unlabelled,
            watchers=watchers,
        )
    if not ranks.is_first:
        return {}
    return _finish(config, folder, loaded, network.cpu(), fitted, (train, validation), say, judged)


def _launch(config: RunConfig, folder: RunFolder, resume: tuple[int, Path] | None, judged: bool) -> dict[str, Any]:
    """Train in processes of their own, one a device; the result that the first of them leaves."""
    from auxrnn.runs.launch import launch  # slow to import

    try:
        launch(config, train_rank, folder.path, resume, config.data_dir, judged)
    except InterruptedRun as stop:
        raise _interrupted(folder, stop) from stop
    except LostRankError as error:
        raise _lost(folder, error) from error
    except StoppedRunError:
        raise
    except RuntimeError as error:
        raise StoppedRunError(str(error)) from error
    return read_json(folder.result)


@contextmanager
def _told(config: RunConfig, folder: RunFolder, resume: tuple[int, Path] | None) -> Iterator[None]:
    """Turn whatever ends a training into an error that says what to do."""
    try:
        yield
    except InterruptedRun as stop:
        raise _interrupted(folder, stop) from stop
    except DivergedError as error:
        kept = find_checkpoints(folder.checkpoints)
        where = f"The last good checkpoint is {kept[0][2]}." if kept else "There is no checkpoint yet."
        raise StoppedRunError(f"{error} {where}") from error
    except LostRankError as error:
        raise _lost(folder, error) from error
    except (OSError, SafetensorError) as error:
        raise _unwritten(folder, error) from error
    except (RuntimeError, MemoryError) as error:
        if is_full_memory(error):
            raise FullMemoryError(
                f"The memory does not hold a step of batch_size {config.batch_size}: {str(error).splitlines()[0]}"
            ) from error
        if resume is None or "loading state_dict" not in str(error):
            raise
        raise InputError(
            f"{resume[1]}: expected a checkpoint of the run that {folder.config} describes, found one that does not "
            f"fit: {str(error).splitlines()[-1].strip()} Was config.yaml changed?"
        ) from error


def _finish(
    config: RunConfig,
    folder: RunFolder,
    loaded: RunData,
    network: Classifier,
    fitted: Fitted,
    learned: tuple[SequenceData, SequenceData],
    say: Say,
    judged: bool,
) -> dict[str, Any]:
    """Test, judge and save what was trained on `learned`, the training and the validation data; the result."""
    train, test = learned[0], loaded.sequences.test
    loss, scores, tallies = measure(network, test)  # the test set is read here and nowhere else
    tested: dict[str, Any] = {**{f"test_{name}": value for name, value in scores.items()}, "test_loss": loss}
    if "accuracy" not in scores:  # whose interval follows from it
        tested["test_interval"] = score_interval(train.target, tallies)
    result = _result(config, fitted, train, tested, network)
    verdict: Verdict | None = None
    if judged:
        floors, verdict = judge_run(config, folder, (*learned, test), tallies, fitted.history)
        result |= {"floors": floors.to_dict(), "verdict": verdict.to_dict()}
    try:
        _save(folder, network, config, loaded, result)
        write_json(folder.result, result)
    except (OSError, SafetensorError) as error:
        raise _unwritten(folder, error) from error
    score = train.target.score
    words = SCORES[score].words
    best = f", validation {words} {fitted.best_score:.4f} at epoch {fitted.best_epoch}" if fitted.best_epoch else ""
    say(f"Test {words} {result[f'test_{score}']:.4f}{best}. Model in {folder.model}.")
    for line in () if verdict is None else verdict.lines:
        say(line)
    return result


def _interrupted(folder: RunFolder, stop: InterruptedRun) -> StoppedRunError:
    saved = "saved" if find_checkpoints(folder.checkpoints) else "there is no checkpoint yet"
    return StoppedRunError(f"{stop}; {saved}. Go on with: auxrnn resume {folder.path}")


def _lost(folder: RunFolder, error: LostRankError) -> StoppedRunError:
    kept = find_checkpoints(folder.checkpoints)
    where = f"The newest checkpoint is {kept[0][2]}." if kept else "There is no checkpoint yet."
    return StoppedRunError(f"{error} {where} Go on with: auxrnn resume {folder.path}")


def _unwritten(folder: RunFolder, error: Exception) -> StoppedRunError:
    return UnwritableRunError(
        f"{folder.path}: could not be read or written: {error}. Free or repair the disk, then go on with: "
        f"auxrnn resume {folder.path}"
    )


def _result(
    config: RunConfig,
    fitted: Fitted,
    train: SequenceData,
    tested: dict[str, Any],
    network: Classifier,
) -> dict[str, Any]:
    return {
        "data": config.data,
        "model": config.model,
        "bptt": config.bptt,
        "seed": config.seed,
        "target": train.target.kind,
        "train_sequences": len(train),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch or None,
        f"validation_{train.target.score}": fitted.best_score,
        **tested,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "classifier_parameters": network.classifier_parameters(),
        "seconds": round(fitted.seconds, 1),
        "cpu_seconds": round(fitted.cpu_seconds, 1),
        "peak_memory_bytes": peak_memory(),
    }


def _save(folder: RunFolder, network: Any, config: RunConfig, data: RunData, result: dict[str, Any]) -> None:
    # Facts that differ between two runs of the same bits stay out of the model.
    differing = ("seconds", "cpu_seconds", "peak_memory_bytes")
    facts = {name: value for name, value in result.items() if name not in differing and value is not None}
    test = data.sequences.test
    facts |= {**data.facts, "test_sequences": len(test)}
    if data.path is not None:  # a preset's files do not change
        facts |= {"test_digest": digest_of([test]), "train_sample": sample_of(data.sequences.train)}
    facts |= {name: getattr(config, name) for name in TOLD}
    if "verdict" in facts:
        facts["verdict"] = without_commands(facts["verdict"])  # they name the run's folder
    order = None if test.pixel_order is None else tuple(test.pixel_order.tolist())
    saved = SavedModel(
        network, config.model_config(), test.spec, test.classes, test.image_shape, order, facts, data.preprocessing
    )
    save_model(folder.model, saved)
