"""The phases of a training: which losses each one minimises, for how many epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

from auxrnn.config import ModelConfig, TrainingConfig
from auxrnn.config.choices import TruthSchedule


@dataclass(frozen=True)
class Phase:
    """`epochs` over the data on the losses `objectives` ("supervised" or an auxiliary's name)."""

    name: str
    objectives: tuple[str, ...]
    epochs: int

    @property
    def supervised(self) -> bool:
        return "supervised" in self.objectives

    @property
    def auxiliary(self) -> bool:
        return any(name != "supervised" for name in self.objectives)


def plan_phases(model: ModelConfig, training: TrainingConfig) -> tuple[Phase, ...]:
    """Pretraining on the auxiliary losses alone, then training on the labels and them (Trinh et al. 2018, section 3).

    Without `joint`, training is on the labels alone, as for sa-lstm and lm-lstm (Dai & Le 2015). A model without
    auxiliary losses has nothing to pretrain on. A phase of no epochs is left out.
    """
    auxiliaries = model.auxiliaries
    beside = auxiliaries if model.auxiliary_options.joint else ()
    phases = (
        Phase("pretrain", auxiliaries, training.pretrain_epochs if auxiliaries else 0),
        Phase("train", ("supervised", *beside), training.max_epochs),
    )
    return tuple(phase for phase in phases if phase.epochs > 0)


def truth_share(start: float, end: float, progress: float, schedule: TruthSchedule = "linear") -> float:
    """The share of true inputs fed to a decoder, from `start` to `end` while the progress of training is 0 to 1.

    Scheduled sampling; the schedules are those of Bengio et al. 2015 (arXiv 1506.03099, section 2.4), stretched to
    begin and end exactly there: linear; exponential, with a hundredth of it left near the end; inverse_sigmoid, whose
    slope is steepest halfway (10 times the logistic function's unit). "constant" stays at `start`. Trinh et al. are
    silent on it.
    """
    progress = min(max(progress, 0.0), 1.0)
    if schedule == "constant":
        way = 0.0
    elif schedule == "linear":
        way = progress
    elif schedule == "exponential":
        way = (1.0 - 0.01**progress) / 0.99
    elif schedule == "inverse_sigmoid":
        first, last = _falling(0.0), _falling(1.0)
        way = (first - _falling(progress)) / (first - last)
    else:
        raise ValueError(f"Expected a schedule of {', '.join(get_args(TruthSchedule))}, got {schedule!r}.")
    return start + (end - start) * way


def _falling(progress: float) -> float:
    """k / (k + exp(i / k)) with i / k - ln k = 10 * (progress - 1/2)."""
    return 1.0 / (1.0 + math.exp(10.0 * (progress - 0.5)))
