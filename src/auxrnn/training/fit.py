"""The whole training of one model: its phases as consecutive fits of Lightning's Trainer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from auxrnn.allocation import prepare_process
from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.errors import InputError
from auxrnn.kernels.lstm import use_backend
from auxrnn.model import Classifier
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.augment import check_augmentation
from auxrnn.training.board import TensorBoardCurve
from auxrnn.training.checkpoints import AtomicCheckpointIO, Checkpoints
from auxrnn.training.history import History, Row
from auxrnn.training.interrupt import StopOnSignal
from auxrnn.training.module import PhaseModule
from auxrnn.training.order import BatchOrder, PlainLoader, ResumableLoader
from auxrnn.training.phases import plan_phases
from auxrnn.training.precision import matmul_precision, usable_precision
from auxrnn.training.progress import ProgressReport
from auxrnn.training.ranks import RankCheck, Ranks, find_ranks, noticing_losses, plugins_of, strategy_of
from auxrnn.training.selection import BestModel


@dataclass(frozen=True)
class Fitted:
    """What a training left: the curve, the chosen epoch (0: none was validated, the last is used), its score."""

    history: list[Row]
    best_epoch: int
    best_score: float | None
    seconds: float


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
) -> Fitted:
    """Train `model` in place; it ends with the weights of the best validated epoch, or of the last.

    folder: where checkpoints/ and metrics.csv go; nothing is written for None. resume: (phase, checkpoint) to go on
    from, on the same data and configuration; the result has the same bits as that of a run never stopped. Over several
    devices every process calls this with the same arguments, and the folder is shared. unlabelled: sequences that the
    auxiliary losses alone see, as many beside each batch as it has. Raises `DivergedError`,
    `InterruptedRun` and `LostRankError`.
    """
    prepare_process()
    if resume is not None and folder is None:
        raise ValueError("Expected the run's folder beside resume: the weights of its best epoch lie there.")
    if training.class_weights == "balanced":
        train = train.balanced()
    check_augmentation(training.augment, train)
    if unlabelled is not None:
        check_unlabelled(unlabelled, train, model_config)
    phases = plan_phases(model_config, training)
    ranks = find_ranks(training)
    if not ranks.started:
        raise InputError(
            f"Expected {ranks.number} processes for as many devices, got one; `auxrnn train` and torchrun start them."
        )
    use_backend(model, training.lstm_backend)
    history = History(model.target, None if folder is None else folder / "metrics.csv", ranks)
    best = BestModel(history, training.patience, keep=training.keep)
    first, checkpoint = resume if resume is not None else (0, None)

    def order(index: int) -> BatchOrder:
        return BatchOrder(
            len(train),
            training.batch_size,
            seed=training.seed,
            phase=index,
            ranks=ranks.number,
            rank=ranks.rank,
            lengths=train.lengths if training.sort_batches else None,
            passes=training.epoch_passes,
        )

    steps = [len(order(index)) * phase.epochs for index, phase in enumerate(phases)]
    facts = {
        "settings": (model_config, replace(training, num_workers=0, num_threads=None)),
        "number of training sequences and steps": (len(train), int(train.lengths.sum())),
        "checkpoint to go on from": None if checkpoint is None else checkpoint.name,
        "version of torch": torch.__version__,
    }
    shared: list[Callback] = [RankCheck(ranks, facts), history, best]
    if not quiet:
        shared.append(ProgressReport(history))
    stop: StopOnSignal | None = None
    if folder is not None:
        checkpoints = Checkpoints(
            folder / "checkpoints", steps=training.checkpoint_steps, minutes=training.checkpoint_minutes
        )
        stop = StopOnSignal(checkpoints, ranks)
        if TensorBoardCurve.is_installed():
            shared.append(TensorBoardCurve(history, folder / "tensorboard"))
        shared += [checkpoints, stop]
    with ExitStack() as around:
        around.enter_context(noticing_losses(ranks))
        around.enter_context(_quiet_lightning(ranks))
        precision = usable_precision(training.precision, training.accelerator)
        around.enter_context(cpu_threads(training.num_threads))
        around.enter_context(matmul_precision(training.matmul_precision))
        around.enter_context(torch.random.fork_rng(devices=[]))  # every step sets the global generator
        if stop is not None:
            around.enter_context(stop.listening())
        for index, phase in enumerate(phases):
            if index < first:
                continue
            module = PhaseModule(
                model,
                phase,
                index,
                training,
                model_config.auxiliary_options,
                steps_before=sum(steps[:index]),
                phase_steps=steps[index],
                total_steps=sum(count for count, one in zip(steps, phases, strict=True) if one.auxiliary),
                ranks=ranks,
                unlabelled=unlabelled,
            )
            validated = phase.supervised and validation is not None and len(validation) > 0
            try:
                _trainer(training, precision, phase.epochs, shared, ranks).fit(
                    module,
                    ResumableLoader(train, order(index), training.num_workers),
                    PlainLoader(validation, training.batch_size, ranks=ranks.number, rank=ranks.rank)
                    if validated and validation is not None
                    else None,
                    ckpt_path=checkpoint if index == first else None,
                    weights_only=True,
                )
            except SystemExit as leaving:
                if isinstance(leaving.__context__, KeyboardInterrupt):  # Lightning would end the whole process
                    raise KeyboardInterrupt from None
                raise
            finally:
                module.teardown("fit")  # Lightning does not after an error
            module.check_weights()
            if stop is not None:
                stop.raise_if_asked()
    if best.weights is not None:
        model.load_state_dict(best.weights)
    return Fitted(history.rows, best.epoch, best.score if best.epoch else None, history.seconds)


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


def _trainer(
    training: TrainingConfig, precision: str, epochs: int, callbacks: list[Callback], ranks: Ranks
) -> L.Trainer:
    return L.Trainer(
        accelerator=training.accelerator,
        devices=training.devices,
        num_nodes=training.num_nodes,
        strategy=strategy_of(training, ranks),
        precision=precision,  # type: ignore[arg-type]
        max_epochs=epochs,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(), *plugins_of(ranks)],
        logger=False,
        enable_checkpointing=False,  # Checkpoints does it
        enable_progress_bar=False,  # ProgressReport does it
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # BatchOrder knows the ranks; Lightning's own would shuffle regardless
    )


@contextmanager
def cpu_threads(number: int | None) -> Iterator[None]:
    """Train with `number` CPU threads, torch's own choice for None; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if number is None else number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet_lightning(ranks: Ranks) -> Iterator[None]:
    """Lightning's notes on hardware, tips and loaders say nothing that the first lines of a run do not.

    Of several ranks the first alone warns.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers")
            warnings.filterwarnings("ignore", message=".*smaller than the logging interval")
            warnings.filterwarnings("ignore", message=".*treespec, LeafSpec")
            warnings.filterwarnings("ignore", message=".*have no `val_dataloader`")  # pretraining has no labels
            warnings.filterwarnings("ignore", message="find_unused_parameters=True was specified")
            warnings.filterwarnings("ignore", message="The `srun` command is available")  # on SLURM's login nodes
            if not ranks.is_first:
                warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
