"""One phase of training as a Lightning module: a step, the optimiser, the clipped gradient. Knows no model by name.

Everything random in a step is a function of (seed, phase, step, rank): anchors and scheduled sampling draw from a
generator of that key, and torch's global generator, which dropout uses, is set from it. So a run that is resumed draws
what it would have drawn, and a checkpoint needs no random state.
"""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from auxrnn.anchors import step_generator
from auxrnn.batch import SequenceBatch
from auxrnn.config import AuxiliaryConfig, TrainingConfig
from auxrnn.model import Classifier
from auxrnn.objectives import Loss
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.augment import augmented
from auxrnn.training.optimizers import learning_rate_factor, make_optimizer
from auxrnn.training.phases import Phase, truth_share
from auxrnn.training.ranks import ALONE, Ranks

STEP_KEY = 2  # keeps these generators apart from those of other purposes
AUGMENT_KEY = 3
UNLABELLED_KEY = 4


class DivergedError(RuntimeError):
    """The loss, its gradient or a weight is no longer finite. No step was made from it, and it was not saved."""


class PhaseModule(L.LightningModule):
    """Minimises the losses of one phase.

    aux: the options in effect (`ModelConfig.auxiliary_options`). steps_before, total_steps: of the whole training (as
    far as auxiliary losses take part), for the schedule of scheduled sampling; phase_steps: of this phase, for the
    learning rate. ranks: over several, a loss is the mean over the batches of all of them. unlabelled: sequences that
    the auxiliary losses read beside each batch.
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
        phase_steps: int,
        total_steps: int,
        ranks: Ranks = ALONE,
        unlabelled: SequenceData | None = None,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # fewer sequences to validate than ranks
        self.model, self.phase, self.phase_index = model, phase, phase_index
        self.training_config, self.aux = training, aux
        self.steps_before, self.phase_steps, self.total_steps = steps_before, phase_steps, total_steps
        self.ranks, self.unlabelled = ranks, unlabelled
        self.wishes = {"save": False, "stop": False}  # of this rank before a step, of any rank after it
        self.gradient_norm = math.nan
        self._trainable: dict[nn.Parameter, bool] = {}  # as the caller has set it
        self._used = {id(weight) for part in model.parts(phase.objectives) for weight in part.parameters()}

    def training_step(self, batch: SequenceBatch, index: int) -> dict[str, Any]:
        """The summed loss, and what a reader of the curves wants to know of its terms."""
        step = self.trainer.global_step
        key = (STEP_KEY, self.training_config.seed, self.phase_index, step, self.trainer.global_rank)
        generator = step_generator(*key)
        _seed_global(generator.initial_seed())  # dropout draws from the global generator
        progress = (self.steps_before + step) / max(self.total_steps, 1)
        share = truth_share(self.aux.truth_start, self.aux.truth_end, progress, self.aux.truth_schedule or "linear")
        if self.training_config.augment != "none":
            batch = augmented(batch, self.training_config.augment, step_generator(AUGMENT_KEY, *key))
        losses = self.model.losses(batch, self.phase.objectives, share, generator)
        if self.unlabelled is not None and self.phase.auxiliary:
            losses |= self._beside(losses, share, key)
        everywhere = losses
        if self.ranks.number > 1:
            losses, everywhere = self._over_ranks(losses)
        total = self._weighted(losses)
        value = self._weighted(everywhere).detach()
        if not torch.isfinite(value):
            terms = ", ".join(f"{name} {float(loss.mean.detach()):.4g}" for name, loss in everywhere.items())
            raise DivergedError(self._diverged(f"the loss is not finite ({terms})"))
        parts = {name: (loss.total.detach(), loss.count, loss.tally) for name, loss in everywhere.items()}
        return {"loss": total, "value": value, "parts": parts}

    def _beside(self, losses: dict[str, Loss], share: float, key: tuple[int, ...]) -> dict[str, Loss]:
        """The auxiliary losses with those of as many unlabelled sequences, drawn anew for every step."""
        assert self.unlabelled is not None
        generator = step_generator(UNLABELLED_KEY, *key)
        rows = torch.randint(len(self.unlabelled), (self.training_config.batch_size,), generator=generator)
        batch = self.unlabelled.batch(rows).to(self.device)
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
        over all tokens, however unequal the shares. One exchange a step carries the wishes too.
        """
        sent = [float(value) for loss in losses.values() for value in (loss.total.detach(), loss.count)]
        sent += [value for loss in losses.values() if loss.tally is not None for value in loss.tally.tolist()]
        sent += [float(wish) for wish in self.wishes.values()]
        received = iter(self.ranks.sum(sent))
        sums = {name: (next(received), int(next(received))) for name in losses}
        tallies = {
            name: None
            if loss.tally is None
            else torch.tensor([next(received) for _ in loss.tally], dtype=torch.float64)
            for name, loss in losses.items()
        }
        self.wishes = {name: next(received) > 0 for name in self.wishes}
        mine = {name: Loss(loss.total * self.ranks.number, sums[name][1]) for name, loss in losses.items()}
        everywhere = {name: Loss(torch.tensor(total), count, tallies[name]) for name, (total, count) in sums.items()}
        return mine, everywhere

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Called between the backward pass and the optimiser's step: clip the norm, or stop where it is not finite."""
        weights = [weight for weight in self.parameters() if weight.grad is not None]
        limit = self.training_config.gradient_clip
        norm = nn.utils.clip_grad_norm_(weights, math.inf if limit is None else limit)
        if not torch.isfinite(norm):
            if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
                return  # 16-mixed: the loss was scaled too high; the scaler skips this step and scales less
            raise DivergedError(self._diverged(f"the gradient of norm {float(norm):.4g} is not finite"))
        self.gradient_norm = float(norm)

    def check_weights(self) -> None:
        """Before the weights are kept: a step too large may have left them infinite."""
        bad = [name for name, weight in self.model.named_parameters() if not torch.isfinite(weight).all()]
        if bad:
            raise DivergedError(self._diverged(f"the weights are not finite ({', '.join(bad)})"))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["gradient_norm"] = self.gradient_norm

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.gradient_norm = checkpoint["gradient_norm"]

    def _diverged(self, what: str) -> str:
        return (
            f"Stopped in phase {self.phase.name} at step {self.trainer.global_step}: {what}; the norm of the last good "
            f"gradient was {self.gradient_norm:.4g}. Try a smaller lr, or gradient_clip."
        )

    def validation_step(self, batch: SequenceBatch, index: int) -> dict[str, Any]:
        """The supervised loss of a batch with labels, summed, and the sums that its scores need."""
        loss = self.model.measured(batch)
        return {"total": loss.total, "count": loss.count, "tally": loss.tally}

    def configure_optimizers(self) -> Any:
        weights = [weight for weight in self.model.parameters() if id(weight) in self._used]
        config = self.training_config
        optimizer = make_optimizer(config.optimizer, weights, config.lr, config.weight_decay)
        schedule = learning_rate_factor(config.lr_schedule, self.phase_steps, config.lr_warmup)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def setup(self, stage: str) -> None:
        """Weights that this phase does not train take no gradient (a weight without one would hang several devices)."""
        self._trainable = {weight: weight.requires_grad for weight in self.model.parameters()}
        for weight, before in self._trainable.items():
            weight.requires_grad_(before and id(weight) in self._used)

    def teardown(self, stage: str) -> None:
        for weight, before in self._trainable.items():
            weight.requires_grad_(before)

    def transfer_batch_to_device(
        self, batch: SequenceBatch, device: torch.device, dataloader_idx: int
    ) -> SequenceBatch:
        return batch.to(device, non_blocking=True)


def _seed_global(seed: int) -> None:
    """As `torch.manual_seed`, which formats a stack trace at every call where CUDA is there to be woken, but is not."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
