"""The training of a model, from the first batch to the chosen weights. Read `fit`, then `_train_phase`.

Plain torch: the state of a training is in plain sight, so that a checkpoint holds all of it and a resumed run ends with
the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.core.allocation import prepare_process
from auxrnn.core.batch import SequenceBatch
from auxrnn.core.model import Classifier
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.augment import check_augmentation
from auxrnn.training.checkpoints import load_checkpoint
from auxrnn.training.dynamic_regulariser import DynamicRegulariser
from auxrnn.training.history import Row
from auxrnn.training.optimizers import learning_rate_factor, make_optimizer
from auxrnn.training.order import PlainLoader, TrainingLoader, training_loader
from auxrnn.training.phases import plan_phases
from auxrnn.training.precision import autocast, in_autocast
from auxrnn.training.step import TrainingStep, check_unlabelled
from auxrnn.training.surroundings import Surroundings
from auxrnn.training.watcher import Watcher


@dataclass(frozen=True)
class Fitted:
    """What a training left: the curve, the chosen epoch (0: none was validated, the last is used), its score, its time.

    cpu_seconds: of all threads of this process.
    """

    history: list[Row]
    best_epoch: int
    best_score: float | None
    seconds: float
    cpu_seconds: float


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
    """Train `model` in place; it ends with the weights of the best validated epoch, or of the last (`keep`).

    Over several devices every process calls this with the same arguments, and the folder is around.

    Parameters
    ----------
    model : Classifier
    train, validation : SequenceData
        Labelled sequences; without validation the last epoch is kept.
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
    train = _weighted(train, unlabelled, model_config, training)
    around = Surroundings.of(model, training, folder, watchers, quiet=quiet)
    phases = plan_phases(model_config, training)
    loaders = [training_loader(train, training, index, around.ranks) for index in range(len(phases))]
    steps = [len(loader) * phase.epochs for loader, phase in zip(loaders, phases, strict=True)]
    first, checkpoint = resume if resume is not None else (0, None)
    with around.at_work(model, _facts(train, model_config, training, checkpoint)):
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
                ranks=around.ranks,
                unlabelled=unlabelled,
            )
            with step:
                held_out = validation if phase.supervised else None
                _train_phase(step, loaders[index], held_out, around, saved if index == first else None)
            around.raise_if_asked()
        kept, history = around.best.kept(), around.history
        if kept.weights is not None:
            model.load_state_dict(kept.weights)
    return Fitted(history.rows, kept.epoch, kept.score, history.seconds, history.cpu_seconds)


def _weighted(
    train: SequenceData, unlabelled: SequenceData | None, model_config: ModelConfig, training: TrainingConfig
) -> SequenceData:
    """The training data with weights of classes where they are asked for; InputError for what cannot be trained on."""
    train = train.weighted(training.class_weights)
    check_augmentation(training.augment, train)
    if unlabelled is not None:
        check_unlabelled(unlabelled, train, model_config)
    return train


def _facts(
    train: SequenceData, model_config: ModelConfig, training: TrainingConfig, checkpoint: Path | None
) -> dict[str, Any]:
    """What has to be the same in all processes."""
    return {
        "settings": (model_config, replace(training, num_workers=0, num_threads=None)),
        "number of training sequences and steps": (len(train), int(train.lengths.sum())),
        "checkpoint to go on from": None if checkpoint is None else checkpoint.name,
        "version of torch": torch.__version__,
    }


def _train_phase(
    step: TrainingStep,
    loader: TrainingLoader,
    validation: SequenceData | None,
    around: Surroundings,
    saved: dict[str, Any] | None,
) -> None:
    """The epochs of a phase, from the beginning or from where a checkpoint was `saved`."""
    model, training, history, best = step.model, around.training, around.history, around.best
    epochs, total = step.phase.epochs, len(loader) * step.phase.epochs
    factor = learning_rate_factor(training.lr_schedule, total, training.lr_warmup)
    state = _State(step, around)
    if saved is not None:
        state.load(saved)
    model.train()
    history.start_clock()
    for watcher in around.watchers:
        watcher.phase_begins(step, history, total)
    while state.epoch < epochs and not best.is_exhausted:
        for batch in loader.batches(state.epoch, state.batch):
            _take_step(step, batch, training.lr * factor(step.number), state, around)
            del batch  # before the next one, for long sequences are large
            for watcher in around.watchers:
                watcher.step_ends(step, history)
            if state.batch == len(loader) or around.checkpoints is None:
                continue  # the last step of an epoch is saved after validation, which a resumed run could not make up
            due = around.checkpoints.is_due(step.number)
            if due:
                state.save()
            if around.ranks.highest(around.signals.received or around.checkpoints.is_late()):
                if not due:
                    state.save()
                around.raise_if_asked()
        state.regulariser.epoch_ends()
        if validation is not None and len(validation):
            _validate(model, validation, around)
        state.epoch, state.batch = state.epoch + 1, 0
        row = history.end_epoch(state.epoch, step, training.lr * factor(step.number))
        score = row.get(f"validation_{history.target.score}")
        if score is not None:
            assert validation is not None
            step.check_weights()
            best.take(state.epoch, score, len(validation), model)
        for watcher in around.watchers:
            watcher.epoch_ends(step, history)
        state.save()
        around.raise_if_asked()
    step.check_weights()


def _take_step(step: TrainingStep, batch: SequenceBatch, lr: float, state: _State, around: Surroundings) -> None:
    """Forward, backward, the gradients' average over the ranks, clipping, and the optimiser's step.

    Once a batch; with gradient fptt once a piece of it.
    """
    optimizer, scaler, regulariser = state.optimizer, state.scaler, state.regulariser
    for group in optimizer.param_groups:
        group["lr"] = lr
    pieces = step.pieces(batch.to(around.device, non_blocking=True))
    for losses in in_autocast(pieces, around.device, around.precision):
        optimizer.zero_grad()
        scaler.scale(losses.total).backward()
        around.ranks.average_gradients(step.weights)
        scaler.unscale_(optimizer)
        regulariser.add_gradients()
        step.clip_gradient(scaled=scaler.is_enabled())
        scaler.step(optimizer)
        scaler.update()
        regulariser.step_ends()
        around.history.add_step(losses)
    step.number, state.batch = step.number + 1, state.batch + 1


def _validate(model: Classifier, validation: SequenceData, around: Surroundings) -> None:
    """Count every sequence of the validation set in the epoch's row."""
    ranks, size = around.ranks, around.training.batch_size
    model.eval()
    with torch.inference_mode(), autocast(around.device, around.precision):
        for batch in PlainLoader(validation, size, ranks=ranks.number, rank=ranks.rank):
            around.history.add_validation(model.measured(batch.to(around.device, non_blocking=True)))
            del batch
    model.train()


class _State:
    """All that a checkpoint holds. epoch: finished in this phase; batch: done in the epoch at hand."""

    def __init__(self, step: TrainingStep, around: Surroundings) -> None:
        training, self.step, self.around = around.training, step, around
        self.epoch = self.batch = 0
        self.optimizer = make_optimizer(training.optimizer, step.weights, training.lr, training.weight_decay)
        self.scaler = torch.amp.GradScaler(around.device.type, enabled=around.precision == "16-mixed")
        self.regulariser = DynamicRegulariser(step.weights if step.model.gradient == "fptt" else [])
        self.parts: dict[str, Any] = {
            "state_dict": step.model,
            "optimizer": self.optimizer,
            "scaler": self.scaler,
            "history": around.history,
            "best": around.best,
        }
        if step.model.gradient == "fptt":
            self.parts["regulariser"] = self.regulariser

    def load(self, saved: dict[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(saved[name])
        self.epoch, self.batch = saved["epoch"], saved["batch"]
        self.step.number, self.step.gradient_norm = saved["global_step"], saved["gradient_norm"]

    def save(self) -> None:
        """Every rank comes here at the same step; the first writes. Weights that are not finite are not kept."""
        if self.around.checkpoints is None:
            return
        self.step.check_weights()
        if not self.around.ranks.is_first:
            self.around.checkpoints.restart_clock()
            return
        content = {name: part.state_dict() for name, part in self.parts.items()}
        content |= {"epoch": self.epoch, "batch": self.batch}
        content |= {"global_step": self.step.number, "gradient_norm": self.step.gradient_norm}
        self.around.checkpoints.save(self.step.phase_index, self.step.number, content)
