"""The phases of a training: which losses each one minimises, for how many epochs."""

from __future__ import annotations

from dataclasses import dataclass

from auxrnn.config import ModelConfig, TrainingConfig


@dataclass(frozen=True)
class Phase:
    """`epochs` over the data on the losses `objectives` ("supervised" or an auxiliary's name)."""

    name: str
    objectives: tuple[str, ...]
    epochs: int

    @property
    def supervised(self) -> bool:
        return "supervised" in self.objectives


def plan_phases(model: ModelConfig, training: TrainingConfig) -> tuple[Phase, ...]:
    """Pretraining on the auxiliary losses alone, then training on the labels and them (Trinh et al. 2018, section 3).

    A model without auxiliary losses has nothing to pretrain on. A phase of no epochs is left out.
    """
    auxiliaries = model.auxiliaries
    phases = (
        Phase("pretrain", auxiliaries, training.pretrain_epochs if auxiliaries else 0),
        Phase("train", ("supervised", *auxiliaries), training.max_epochs),
    )
    return tuple(phase for phase in phases if phase.epochs > 0)


def truth_share(start: float, end: float, progress: float) -> float:
    """The share of true inputs fed to a decoder, linear from `start` to `end` over the whole training (0 to 1).

    Scheduled sampling (Bengio et al. 2015); the paper is silent on the schedule, we chose the simplest.
    """
    return start + (end - start) * min(max(progress, 0.0), 1.0)
