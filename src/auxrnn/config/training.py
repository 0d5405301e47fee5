"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from auxrnn.config.checks import MOST_AT_ONCE, MOST_NUMBERED, at_least, at_most, check_types, within
from auxrnn.config.choices import (
    Accelerator,
    Augmentation,
    Backend,
    ClassWeights,
    Keep,
    MatmulPrecision,
    Optimizer,
    Precision,
    RateSchedule,
    Strategy,
)
from auxrnn.errors import InputError


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Parameters
    ----------
    pretrain_epochs
        epochs on the auxiliary losses alone, before training, at least 0; 0 for a model without such losses.
    max_epochs
        epochs on the labels and the auxiliary losses together, at least 0.
    batch_size
        sequences a step and device, at least 1.
    optimizer
        by name. The paper's RMSProp is TensorFlow's ("rmsprop_tf"), which differs from torch's ("rmsprop").
    lr
        learning rate, above 0 (the paper: 0.001).
    lr_schedule
        constant, step (divided by 10 after each third), cosine (to 0) or one_cycle (up as a cosine during
        the warm-up, then down to 0; Smith & Topin 2018), over the steps of each phase (?).
    lr_warmup
        share of a phase's steps on which the learning rate rises to `lr`; when left out 0.3 for one_cycle,
        none for the others (?).
    weight_decay
        decoupled decay of adamw on matrices alone, biases and norms left out; torch's own of everything
        when left out.
    augment
        how training sequences are changed at random at every step: not, turned round their end ("turn"), by
        noise, or by a factor ("scale"). Labels of single steps allow none.
    sort_batches
        put sequences of like length into one batch, which saves padding; else they meet at random.
    epoch_passes
        how often an epoch reads the training data; more than once for few sequences, so that validation
        costs less than training.
    keep
        the weights that are kept: those of the best validated epoch, or the last, unless validation tells that
        training fell far back before its end: then the best.
    gradient_clip
        largest norm of the gradient, above 0; null for no clipping (?).
    patience
        stop when the validation score has not risen for this many epochs, at least 1; null for never.
    class_weights
        "balanced" makes every class count as much as any other in the supervised loss.
    validation_fraction
        share of the training data, 0 to 0.9, stratified, that chooses the best epoch; at 0 the last epoch is kept.
    seed
        seed of everything random, at least 0.
    accelerator
        auto is a CUDA GPU where there is one, else the CPU; gpu is CUDA or Apple's.
    devices
        devices on each machine, at least 1.
    num_nodes
        machines, at least 1.
    strategy
        of several devices, which always is ddp: each has the whole model, gradients are averaged.
    precision
        of the forward pass.
    matmul_precision
        of float32 matrix products on a GPU, as `torch.set_float32_matmul_precision` has it: "highest"
        for all digits, "high" for tf32, several times faster, "medium" for bf16. cuDNN's LSTM takes tf32 anyway.
    lstm_backend
        what runs an LSTM on a GPU: torch's own code ("cudnn"), the kernel of this package that keeps the
        recurrent weights in one multiprocessor ("persistent"; products of fp16, sums of float32), or that kernel
        where it was measured to be equal and faster on this card ("auto").
    num_threads
        CPU threads of a process; torch's own choice when null. One is the default, for two beside a busy
        neighbour can slow a step many times over, and the same bits come out on every machine of one kind.
    num_workers
        loader processes, at least 0.
    checkpoint_steps
        save every so many steps, at least 1; null for never.
    checkpoint_minutes
        and every so many minutes, above 0; null for never.
    """

    pretrain_epochs: int = 5
    max_epochs: int = 20
    batch_size: int = 128
    optimizer: Optimizer = "rmsprop_tf"
    lr: float = 1e-3
    lr_schedule: RateSchedule = "constant"
    lr_warmup: float | None = None
    weight_decay: float | None = None
    augment: Augmentation = "none"
    sort_batches: bool = True
    epoch_passes: int = 1
    keep: Keep = "best"
    gradient_clip: float | None = 1.0
    patience: int | None = None
    class_weights: ClassWeights = "none"
    validation_fraction: float = 0.1
    seed: int = 0
    accelerator: Accelerator = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: Strategy = "auto"
    precision: Precision = "32-true"
    matmul_precision: MatmulPrecision = "highest"
    lstm_backend: Backend = "auto"
    num_threads: int | None = 1
    num_workers: int = 0
    checkpoint_steps: int | None = 500
    checkpoint_minutes: float | None = 10.0

    def __post_init__(self) -> None:
        check_types(self, TrainingConfig)
        for name in ("pretrain_epochs", "max_epochs", "seed", "num_workers"):
            at_least(name, getattr(self, name), 0)
        if self.seed >= 2**63:
            raise InputError(f"Expected seed below 2**63, got {self.seed}.")
        for name in (
            "batch_size",
            "devices",
            "num_nodes",
            "num_threads",
            "patience",
            "checkpoint_steps",
            "epoch_passes",
        ):
            at_least(name, getattr(self, name), 1)
        if self.patience is not None and self.keep == "last":
            raise InputError("Expected keep best with patience, got last: to stop early is to go back to the best.")
        at_least("weight_decay", self.weight_decay, 0)
        if self.weight_decay is not None and self.optimizer != "adamw":
            raise InputError(f"Expected optimizer adamw with weight_decay, got {self.optimizer}.")
        at_most("epoch_passes", self.epoch_passes, MOST_NUMBERED)
        at_most("batch_size", self.batch_size, MOST_NUMBERED)
        for name in ("num_threads", "num_workers"):
            at_most(name, getattr(self, name), MOST_AT_ONCE)
        for name in ("lr", "gradient_clip", "checkpoint_minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"Expected {name} above 0, got {value}.")
        within("validation_fraction", self.validation_fraction, 0, 0.9)
        if self.lr_warmup is not None:
            within("lr_warmup", self.lr_warmup, 0, 1)
