"""The training of a model, from the first batch to the chosen weights. Read `fit`, then `_train_phase`.

Plain torch: the state of a training is in plain sight, so that a checkpoint holds all of it and a resumed run ends with
the same bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from auxrnn.allocation import prepare_process
from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.errors import InputError
from auxrnn.kernels.lstm import use_backend
from auxrnn.model import Classifier
from auxrnn.sources.dataset import SequenceData
from auxrnn.threads import cpu_threads
from auxrnn.training.augment import check_augmentation
from auxrnn.training.checkpoints import Checkpoints, load_checkpoint
from auxrnn.training.history import History, Row
from auxrnn.training.interrupt import InterruptedRun, StopSignals
from auxrnn.training.optimizers import learning_rate_factor, make_optimizer
from auxrnn.training.order import BatchOrder, PlainLoader, TrainingLoader
from auxrnn.training.phases import Phase, plan_phases
from auxrnn.training.precision import autocast, find_device, matmul_precision, usable_precision
from auxrnn.training.progress import ProgressReport
from auxrnn.training.ranks import Ranks, find_ranks, noticing_losses
from auxrnn.training.selection import BestEpoch
from auxrnn.training.step import TrainingStep
from auxrnn.training.watcher import TensorBoardCurve, Watcher


@dataclass(frozen=True)
class Fitted:
    """What a training left: the curve, the chosen epoch (0: none was validated, the last is used), its score."""

    history: list[Row]
    best_epoch: int
    best_score: float | None
    seconds: float


@dataclass
class _Surroundings:
    """What all phases of a training share."""

    training: TrainingConfig
    ranks: Ranks
    device: torch.device
    precision: str
    history: History
    best: BestEpoch
    watchers: list[Watcher]
    signals: StopSignals
    checkpoints: Checkpoints | None

    def raise_if_asked(self) -> None:
        """For a moment whose state is saved, and in which every rank comes here."""
        received = self.ranks.highest(self.signals.received)
        if received:
            raise InterruptedRun(received)


def fit(
    model: Classifier,
    train: SequenceData,
    validation: SequenceData | None,
    model_config: ModelConfig,
    training: TrainingConfig,
    *,
    folder: Path | None = None,
    resume: tuple[int, Path] | None = None,
    quiet: bool = False,
    unlabelled: SequenceData | None = None,
    watchers: Sequence[Watcher] = (),
) -> Fitted:
    """Train `model` in place; it ends with the weights of the best validated epoch, or of the last.

    Over several devices every process calls this with the same arguments, and the folder is shared.

    Parameters
    ----------
    model : Classifier
    train, validation : SequenceData
        Labelled sequences; without validation the last epoch is kept.
    model_config, training : ModelConfig, TrainingConfig
    folder : Path, optional
        Where checkpoints/ and metrics.csv go; nothing is written, and signals are left alone, for None.
    resume : (int, Path), optional
        Phase and checkpoint to go on from, on the same data and configuration. The result has the same bits as that of
        a run never stopped.
    quiet : bool
        Print no progress.
    unlabelled : SequenceData, optional
        Sequences that the auxiliary losses alone see, as many beside each batch as it has.
    watchers : sequence of Watcher
        Loggers and callables of one's own.

    Raises
    ------
    DivergedError, InterruptedRun, LostRankError, InputError
    """
    prepare_process()
    if resume is not None and folder is None:
        raise ValueError("Expected the run's folder beside resume: the weights of its best epoch lie there.")
    if training.class_weights == "balanced":
        train = train.balanced()
    check_augmentation(training.augment, train)
    if unlabelled is not None:
        check_unlabelled(unlabelled, train, model_config)
    ranks = find_ranks(training)
    if not ranks.started:
        raise InputError(
            f"Expected {ranks.number} processes for as many devices, got one; `auxrnn train` and torchrun start them."
        )
    use_backend(model, training.lstm_backend)
    precision = usable_precision(training.precision, training.accelerator)
    device = find_device(training.accelerator, ranks.local)
    history = History(model.target, None if folder is None else folder / "metrics.csv", ranks)
    best = BestEpoch(training.patience, keep=training.keep)
    watching = _watchers(watchers, folder, quiet) if ranks.is_first else []
    checkpoints, signals = None, StopSignals(speak=ranks.is_first)
    if folder is not None:
        checkpoints = Checkpoints(
            folder / "checkpoints", steps=training.checkpoint_steps, minutes=training.checkpoint_minutes
        )
    around = _Surroundings(training, ranks, device, precision, history, best, watching, signals, checkpoints)

    phases = plan_phases(model_config, training)
    loaders = [
        TrainingLoader(train, _order(train, training, i, ranks), training.num_workers) for i in range(len(phases))
    ]
    steps = [len(loader) * phase.epochs for loader, phase in zip(loaders, phases, strict=True)]
    first, checkpoint = resume if resume is not None else (0, None)
    facts = {
        "settings": (model_config, replace(training, num_workers=0, num_threads=None)),
        "number of training sequences and steps": (len(train), int(train.lengths.sum())),
        "checkpoint to go on from": None if checkpoint is None else checkpoint.name,
        "version of torch": torch.__version__,
    }
    with ExitStack() as stack:
        stack.enter_context(noticing_losses(ranks))
        stack.enter_context(_one_voice(ranks))
        stack.enter_context(cpu_threads(training.num_threads))
        stack.enter_context(matmul_precision(training.matmul_precision))
        stack.enter_context(torch.random.fork_rng(devices=[]))  # every step sets the global generator
        ranks.meet(device, facts)
        if folder is not None:
            stack.enter_context(signals.listening())
        for watcher in watching:
            stack.callback(watcher.close)
        stack.callback(model.cpu)
        ranks.share(model.to(device))
        saved = None if checkpoint is None else load_checkpoint(checkpoint)
        for index, phase in list(enumerate(phases))[first:]:
            step = TrainingStep(
                model,
                phase,
                index,
                training,
                model_config.auxiliary_options,
                steps_before=sum(steps[:index]),
                total_steps=sum(count for count, one in zip(steps, phases, strict=True) if one.auxiliary),
                ranks=ranks,
                unlabelled=unlabelled,
            )
            with step:
                held_out = validation if phase.supervised and validation is not None and len(validation) else None
                _train_phase(step, phase, loaders[index], held_out, around, saved if index == first else None)
            around.raise_if_asked()
        if best.weights is not None:
            model.load_state_dict(best.weights)
    return Fitted(history.rows, best.epoch, best.score if best.epoch else None, history.seconds)


def _train_phase(
    step: TrainingStep,
    phase: Phase,
    loader: TrainingLoader,
    validation: SequenceData | None,
    around: _Surroundings,
    saved: dict[str, Any] | None,
) -> None:
    """The epochs of a phase, from the beginning or from where a checkpoint was `saved`."""
    model, training, history, best = step.model, around.training, around.history, around.best
    ranks, device, checkpoints, total = around.ranks, around.device, around.checkpoints, len(loader) * phase.epochs
    factor = learning_rate_factor(training.lr_schedule, total, training.lr_warmup)
    optimizer = make_optimizer(training.optimizer, step.weights, training.lr, training.weight_decay)
    scaler = torch.amp.GradScaler(device.type, enabled=around.precision == "16-mixed")
    epoch = batch_index = 0
    parts = {"state_dict": model, "optimizer": optimizer, "scaler": scaler, "history": history, "best": best}
    if saved is not None:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        epoch, batch_index, step.number = saved["epoch"], saved["batch"], saved["global_step"]
        step.gradient_norm = saved["gradient_norm"]

    def save() -> None:
        if checkpoints is None:
            return
        step.check_weights()
        if not ranks.is_first:
            checkpoints.restart_clock()
            return
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        state |= {"epoch": epoch, "batch": batch_index, "global_step": step.number, "gradient_norm": step.gradient_norm}
        checkpoints.save(step.phase_index, step.number, state)

    model.train()
    history.start_clock()
    for watcher in around.watchers:
        watcher.phase_begins(step, history, total)
    while epoch < phase.epochs and not best.is_exhausted:
        for batch in loader.batches(epoch, batch_index):
            for group in optimizer.param_groups:
                group["lr"] = training.lr * factor(step.number)
            with autocast(device, around.precision):
                losses = step.losses(batch.to(device, non_blocking=True))
            optimizer.zero_grad()
            scaler.scale(losses.total).backward()
            ranks.average_gradients(step.weights)
            scaler.unscale_(optimizer)
            step.clip_gradient(scaled=scaler.is_enabled())
            scaler.step(optimizer)
            scaler.update()
            batch_index, step.number = batch_index + 1, step.number + 1
            history.add_step(losses)
            for watcher in around.watchers:
                watcher.step_ends(step, history)
            if batch_index == len(loader) or checkpoints is None:
                continue  # the last step of an epoch is saved after validation, which a resumed run could not make up
            if checkpoints.is_due(step.number):
                save()
            if ranks.highest(around.signals.received or checkpoints.is_late()):
                save()
                around.raise_if_asked()
        if validation is not None:
            model.eval()
            with torch.inference_mode(), autocast(device, around.precision):
                for batch in PlainLoader(validation, training.batch_size, ranks=ranks.number, rank=ranks.rank):
                    history.add_validation(model.measured(batch.to(device, non_blocking=True)))
            model.train()
        epoch, batch_index = epoch + 1, 0
        row = history.end_epoch(epoch, step, training.lr * factor(step.number))
        score = row.get(f"validation_{history.target.score}")
        if score is not None:
            step.check_weights()
            best.take(epoch, score, model)
        for watcher in around.watchers:
            watcher.epoch_ends(step, history)
        save()
        around.raise_if_asked()
    step.check_weights()


def check_unlabelled(unlabelled: SequenceData, train: SequenceData, config: ModelConfig) -> None:
    """InputError for unlabelled sequences that the model's auxiliary losses cannot read, or where it has none."""
    if not config.auxiliaries:
        raise InputError(
            f"Expected a model with an auxiliary loss beside unlabelled data, got {config.model}: nothing else learns "
            "from them; take p-lstm or r-lstm."
        )
    if unlabelled.spec != train.spec:
        raise InputError(f"{unlabelled.name}: expected {train.spec} as in training, got {unlabelled.spec}.")
    if not len(unlabelled):
        raise InputError(f"{unlabelled.name}: expected at least one unlabelled sequence, got none.")


def _order(train: SequenceData, training: TrainingConfig, phase: int, ranks: Ranks) -> BatchOrder:
    return BatchOrder(
        len(train),
        training.batch_size,
        seed=training.seed,
        phase=phase,
        ranks=ranks.number,
        rank=ranks.rank,
        lengths=train.lengths if training.sort_batches else None,
        passes=training.epoch_passes,
    )


def _watchers(given: Sequence[Watcher], folder: Path | None, quiet: bool) -> list[Watcher]:
    """Those of the caller, the report on the terminal, the curve for TensorBoard where it is installed."""
    board = [TensorBoardCurve(folder / "tensorboard")] if folder is not None and TensorBoardCurve.is_installed() else []
    return [*([] if quiet else [ProgressReport()]), *board, *given]


@contextmanager
def _one_voice(ranks: Ranks) -> Iterator[None]:
    """Of several ranks the first alone warns."""
    with warnings.catch_warnings():
        if not ranks.is_first:
            warnings.simplefilter("ignore")
        yield
