"""One step: what is drawn in it, the losses of a batch, the clipped gradient. Knows no model by name and no file.

Everything random in a step is a function of (seed, phase, step, rank): anchors and scheduled sampling draw from a
generator of that key, and torch's global generator, which dropout uses, is set from it. So a run that is resumed draws
what it would have drawn, and a checkpoint needs no random state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from auxrnn.config import AuxiliaryConfig, ModelConfig, TrainingConfig
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import SequenceBatch
from auxrnn.core.model import Classifier
from auxrnn.core.objectives import Loss
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.augment import augmented
from auxrnn.training.phases import Phase, truth_share
from auxrnn.training.ranks import ALONE, Ranks

STEP_KEY = 2  # keeps these generators apart from those of other purposes
AUGMENT_KEY = 3
UNLABELLED_KEY = 4


class DivergedError(RuntimeError):
    """The loss, its gradient or a weight is no longer finite. No step was made from it, and it was not saved."""


class StepLosses(NamedTuple):
    """What a step minimises, and what a reader of the curves wants to know of it."""

    total: Tensor
    """Weighted sum, with gradient."""

    value: Tensor
    """The same over all ranks, without."""

    parts: dict[str, Loss]
    """Each objective's over all ranks, without gradient."""


class TrainingStep:
    """The step of one phase.

    Within its `with` block only the weights that the phase trains take a gradient; none is left afterwards.

    Parameters
    ----------
    model : Classifier
    phase : Phase
    phase_index : int
    training : TrainingConfig
    aux : AuxiliaryConfig
        The options in effect (`ModelConfig.auxiliary_options`).
    steps_before, total_steps : int
        Of the whole training, as far as auxiliary losses take part, for the schedule of scheduled sampling.
    ranks : Ranks
        Over several, a loss is the mean over the batches of all of them.
    unlabelled : SequenceData, optional
        Sequences that the auxiliary losses read beside each batch.
    """

    def __init__(
        self,
        model: Classifier,
        phase: Phase,
        phase_index: int,
        training: TrainingConfig,
        aux: AuxiliaryConfig,
        *,
        steps_before: int,
        total_steps: int,
        ranks: Ranks = ALONE,
        unlabelled: SequenceData | None = None,
    ) -> None:
        self.model, self.phase, self.phase_index = model, phase, phase_index
        self.training, self.aux = training, aux
        self.steps_before, self.total_steps = steps_before, total_steps
        self.ranks, self.unlabelled = ranks, unlabelled
        self.number = 0  # steps done in this phase
        self.gradient_norm = math.nan
        used = {id(weight) for part in model.parts(phase.objectives) for weight in part.parameters()}
        self.weights = [weight for weight in model.parameters() if id(weight) in used]

    def __enter__(self) -> TrainingStep:
        self._before = {weight: weight.requires_grad for weight in self.model.parameters()}
        trained = set(self.weights)
        for weight, before in self._before.items():
            weight.requires_grad_(before and weight in trained)
        return self

    def __exit__(self, *_: object) -> None:
        for weight, before in self._before.items():
            weight.requires_grad_(before)
            weight.grad = None

    def pieces(self, batch: SequenceBatch) -> Iterator[StepLosses]:
        """Yield the losses of a batch; with gradient fptt those after each piece of it, computed when asked for.

        Between two pieces the optimiser may step.
        """
        if self.model.gradient != "fptt":
            yield self.losses(batch)
            return
        _, batch = self._begun(batch)
        for loss in self.model.losses_forward(batch):
            yield self._summed({"supervised": loss})

    def losses(self, batch: SequenceBatch) -> StepLosses:
        """The losses of a batch; DivergedError where their sum is not finite."""
        generator, batch = self._begun(batch)
        progress = (self.steps_before + self.number) / max(self.total_steps, 1)
        share = truth_share(self.aux.truth_start, self.aux.truth_end, progress, self.aux.truth_schedule or "linear")
        losses = self.model.losses(batch, self.phase.objectives, share, generator)
        if self.unlabelled is not None and self.phase.auxiliary:
            losses |= self._beside(self.unlabelled, losses, share)
        return self._summed(losses)

    @property
    def _key(self) -> tuple[int, ...]:
        return STEP_KEY, self.training.seed, self.phase_index, self.number, self.ranks.rank

    def _begun(self, batch: SequenceBatch) -> tuple[torch.Generator, SequenceBatch]:
        """Seed what is random in the step; give its generator, and the batch with what is added to sequences."""
        generator = step_generator(*self._key)
        _seed_global(generator.initial_seed())  # dropout draws from the global generator
        if self.training.augment != "none":
            batch = augmented(batch, self.training.augment, step_generator(AUGMENT_KEY, *self._key))
        return generator, batch

    def _summed(self, losses: dict[str, Loss]) -> StepLosses:
        """What a step minimises; DivergedError where it is not finite."""
        everywhere = losses
        if self.ranks.number > 1:
            losses, everywhere = self._over_ranks(losses)
        total, value = self._weighted(losses), self._weighted(everywhere).detach()
        if not torch.isfinite(value):
            terms = ", ".join(f"{name} {float(loss.mean.detach()):.4g}" for name, loss in everywhere.items())
            raise self._diverged(f"the loss is not finite ({terms})")
        parts = {name: Loss(loss.total.detach(), loss.count, loss.tally) for name, loss in everywhere.items()}
        return StepLosses(total, value, parts)

    def _beside(self, unlabelled: SequenceData, losses: dict[str, Loss], share: float) -> dict[str, Loss]:
        """The auxiliary losses with those of as many unlabelled sequences, drawn anew for every step."""
        generator = step_generator(UNLABELLED_KEY, *self._key)
        rows = torch.randint(len(unlabelled), (self.training.batch_size,), generator=generator)
        batch = unlabelled.batch(rows, lazy=True).to(self.weights[0].device)
        names = [name for name in losses if name != "supervised"]
        more = self.model.losses(batch, names, share, generator)
        return {name: losses[name] + more[name] for name in names}

    def _weighted(self, losses: dict[str, Loss]) -> Tensor:
        return torch.stack(
            [loss.mean * (1.0 if name == "supervised" else self.aux.weight) for name, loss in losses.items()]
        ).sum()

    def _over_ranks(self, losses: dict[str, Loss]) -> tuple[dict[str, Loss], dict[str, Loss]]:
        """The losses whose gradients, averaged over the ranks, are those of one batch; and their values in that batch.

        Each rank's sum counts `number` times and is divided by the tokens of all ranks: the average is then the mean
        over all tokens, however unequal the shares.
        """
        sent = [float(value) for loss in losses.values() for value in (loss.total.detach(), loss.count)]
        sent += [value for loss in losses.values() if loss.tally is not None for value in loss.tally.tolist()]
        received = iter(self.ranks.sum(sent))
        sums = {name: (next(received), int(next(received))) for name in losses}
        tallies = {
            name: None
            if loss.tally is None
            else torch.tensor([next(received) for _ in loss.tally], dtype=torch.float64)
            for name, loss in losses.items()
        }
        mine = {name: Loss(loss.total * self.ranks.number, sums[name][1]) for name, loss in losses.items()}
        everywhere = {name: Loss(torch.tensor(total), count, tallies[name]) for name, (total, count) in sums.items()}
        return mine, everywhere

    def clip_gradient(self, *, scaled: bool = False) -> None:
        """Clip the norm of the gradient; DivergedError where it is not finite.

        Of weights that this phase does not train none counts, whatever gradient a caller has left there.

        scaled: the loss was scaled for half precision. Too high a scale gives infinite gradients; the scaler then skips
        the step and scales less.
        """
        weights = [weight for weight in self.weights if weight.grad is not None]
        limit = self.training.gradient_clip
        norm = nn.utils.clip_grad_norm_(weights, math.inf if limit is None else limit)
        if torch.isfinite(norm):
            self.gradient_norm = float(norm)
        elif not scaled:
            raise self._diverged(f"the gradient of norm {float(norm):.4g} is not finite")

    def check_weights(self) -> None:
        """DivergedError where a step too large has left infinite weights: to be asked before they are kept."""
        bad = [name for name, weight in self.model.named_parameters() if not torch.isfinite(weight).all()]
        if bad:
            raise self._diverged(f"the weights are not finite ({', '.join(bad)})")

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"Stopped in phase {self.phase.name} at step {self.number}: {what}; the norm of the last good gradient was "
            f"{self.gradient_norm:.4g}. Try a smaller lr, or gradient_clip."
        )


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


def _seed_global(seed: int) -> None:
    """As `torch.manual_seed`, which formats a stack trace at every call where CUDA is there to be woken, but is not."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
