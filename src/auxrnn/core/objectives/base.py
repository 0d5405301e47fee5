"""What an objective is, and the one walk over a batch that serves all objectives.

```
SequenceBatch -> each objective draws its windows -> prefix without gradient -> all windows in one batched pass with
gradient -> heads and decoders -> losses
```

`bptt` is the truncation length K in steps of the main network; None is full back-propagation. Knows nothing of phases,
optimisers or epochs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from auxrnn.core.anchors import Segments, step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch, as_batch
from auxrnn.core.encoder import Encoder
from auxrnn.core.heads import one_mask
from auxrnn.core.recurrent import Core, State, is_divisible, join_rows, select_rows
from auxrnn.core.tiles import PartedLoss, draw_by_row, sum_parts, tiles, treats_rows_alone
from auxrnn.core.totals import Totals, TotalsPlan
from auxrnn.core.truncation import WindowPlan, Windows, encode_from, run_prefix
from auxrnn.targets.losses import Loss


@dataclass(frozen=True)
class Draw:
    """What an objective asks of one batch.

    Parameters
    ----------
    windows : WindowPlan
        Where the core runs with gradient.
    segments : Segments, optional
        Anchors and segments that were drawn; None where the objective has none.
    chances : Tensor, optional
        Uniform numbers that its loss needs, (R, ...), drawn for the whole batch before parts of it are run.
    totals : TotalsPlan, optional
        What it needs of all steps; None for nothing.
    """

    windows: WindowPlan
    segments: Segments | None = None
    chances: Tensor | None = None
    totals: TotalsPlan | None = None

    @property
    def steps_each(self) -> int:
        """Steps of a sequence over all its windows or over all its segments, whichever are more; at most."""
        windows = self.windows.start.shape[1] * int((self.windows.stop - self.windows.start).max())
        segments = 0 if self.segments is None else self.segments.length.shape[1] * int(self.segments.length.max())
        return max(windows, segments)

    def of(self, sequences: slice) -> Draw:
        """The draw for some of the sequences."""
        rows = slice(*(bound * self.windows.start.shape[1] for bound in (sequences.start, sequences.stop)))
        return Draw(
            self.windows.of(sequences),
            None if self.segments is None else self.segments.of(sequences),
            None if self.chances is None else self.chances[rows],
            None if self.totals is None else self.totals.of(sequences),
        )

    def beside(self, more: WindowPlan, before: State, before_more: State) -> tuple[Draw, State]:
        """Add more windows behind its own; give the new draw and the states before all its windows."""
        own = self.windows
        plan = replace(own, start=torch.cat([own.start, more.start], 1), stop=torch.cat([own.stop, more.stop], 1))
        sequences, first, second = len(own.start), own.start.shape[1], more.start.shape[1]
        rows = torch.arange(sequences).unsqueeze(1)
        behind = sequences * first + rows * second + torch.arange(second)
        order = torch.cat([rows * first + torch.arange(first), behind], dim=1)  # (B, W)
        return replace(self, windows=plan), select_rows(join_rows([before, before_more]), order.flatten())


class Objective(nn.Module, ABC):
    """A loss on chosen windows of a core's run over a batch.

    To make one, write `draw` and `loss`. `draw` names the windows; the walk (`objective_losses`) runs the core there;
    `loss` turns what the core gave into a loss. Call an objective in a loop of your own, or hand it to a
    `SequenceClassifier` as an auxiliary.
    """

    @abstractmethod
    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        """Draw the windows, and the segments if any.

        Parameters
        ----------
        lengths : Tensor
            Steps of each sequence, (B,) int64 on the CPU.
        generator : torch.Generator
            On the CPU; every random number of the objective comes from it.

        Returns
        -------
        Draw
            At least the windows.
        """

    def chances(self, draw: Draw, generator: torch.Generator) -> Tensor | None:
        """Draw the uniform numbers that the loss on `draw` needs, (R, ...); None, the default, for none."""
        return None

    def completed(self, draw: Draw, before: State, totals: Totals | None) -> tuple[Draw, State]:
        """Add windows that only the totals can name, and the states before them; none by default."""
        return draw, before

    @abstractmethod
    def loss(self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float) -> Loss:
        """Compute the loss from what the core gave on the windows.

        Parameters
        ----------
        batch : SequenceBatch
            The sequences and labels. Those of a long batch are lazy: read `batch.steps[:, first:stop]`, or `steps_at`.
        draw : Draw
            As `draw` gave it.
        windows : Windows
            Outputs and states of the core on `draw.windows`.
        truth_share : float
            Share of true inputs that a reconstruction decoder is fed, in [0, 1].

        Returns
        -------
        Loss
            The summed loss, and how many tokens or labels it is over.
        """

    def forward(
        self,
        core: Core,
        inputs: Tensor | SequenceBatch,
        lengths: Tensor | None = None,
        *,
        truth_share: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the mean loss of one batch, in a loop of your own.

        Parameters
        ----------
        core : Module
            A core, or an `Encoder`.
        inputs : Tensor or SequenceBatch
            (B, T, ...) as the core takes them.
        lengths : Tensor, optional
            Steps of each sequence, (B,) int64 in 1..T; T where None.
        truth_share : float
            Share of true inputs that a reconstruction decoder is fed, in [0, 1].
        generator : torch.Generator, optional
            On the CPU; seeded from torch's global generator where None.

        Returns
        -------
        Tensor
            Scalar, with a gradient to the core and to the objective's own weights.
        """
        if generator is None:
            generator = step_generator(int(torch.randint(2**62, ())))
        return objective_losses(core, as_batch(inputs, lengths), [self], truth_share, generator)[0].mean


def objective_losses(
    core: Core, batch: SequenceBatch, objectives: Sequence[Objective], truth_share: float, generator: torch.Generator
) -> list[Loss]:
    """Compute one loss an objective, with one prefix over the batch that serves them all.

    The windows run in one batched pass; on the CPU they run in tiles where no layer looks at several rows at once.

    Parameters
    ----------
    core : Module
        A core, or an `Encoder`.
    batch : SequenceBatch
        Raw steps; an `Encoder` with a stem cuts them into tokens.
    objectives : sequence of Objective
        For example a `Supervised` and a `Reconstruction`.
    truth_share : float
        Share of true inputs that a reconstruction decoder is fed, in [0, 1].
    generator : torch.Generator
        On the CPU; every random number of the step comes from it.

    Returns
    -------
    list of Loss
        In the order of `objectives`.
    """
    batch = cut_into_tokens(core, batch)
    draws = [objective.draw(batch.lengths, generator) for objective in objectives]
    return losses_of_draws(core, batch, objectives, draws, truth_share, generator)


def losses_of_draws(
    core: Core,
    batch: SequenceBatch,
    objectives: Sequence[Objective],
    draws: Sequence[Draw],
    truth_share: float,
    generator: torch.Generator,
) -> list[Loss]:
    """Compute `objective_losses` where windows and segments are given, and the batch is cut into tokens already."""
    draws = [
        replace(draw, chances=objective.chances(draw, generator))
        for objective, draw in zip(objectives, draws, strict=True)
    ]
    wanted = next((draw.totals for draw in draws if draw.totals is not None), None)
    prefix = run_prefix(core, batch.inputs, [draw.windows for draw in draws], wanted)
    completed = [
        objective.completed(draw, before, None if draw.totals is None else prefix.totals)
        for objective, draw, before in zip(objectives, draws, prefix.states, strict=True)
    ]
    draws, states = [draw for draw, _ in completed], [before for _, before in completed]
    with one_mask(objectives):
        if _can_be_tiled(core, batch, objectives):
            return _tiled_losses(core, batch, objectives, draws, states, prefix.totals, truth_share)
        encoded = encode_from(core, batch.inputs, [draw.windows for draw in draws], states)
        return [
            objective.loss(batch, draw, replace(windows, totals=prefix.totals), truth_share)
            for objective, draw, windows in zip(objectives, draws, encoded, strict=True)
        ]


def cut_into_tokens(core: Core, batch: SequenceBatch) -> SequenceBatch:
    """Cut a batch of raw steps as an `Encoder` with a stem reads it; leave it as it is for any other core."""
    return core.cut(batch) if isinstance(core, Encoder) else batch


def _can_be_tiled(core: Core, batch: SequenceBatch, objectives: Sequence[Objective]) -> bool:
    """Say whether a batch may run in tiles: on the CPU, where no layer looks at several rows.

    On a GPU rows are free.
    """
    return (
        batch.inputs.device.type == "cpu"
        and torch.is_grad_enabled()
        and not batch.inputs.requires_grad
        and is_divisible(core)
        and treats_rows_alone(objectives)
    )


def _tiled_losses(
    core: Core,
    batch: SequenceBatch,
    objectives: Sequence[Objective],
    draws: Sequence[Draw],
    before: Sequence[State],
    totals: Totals | None,
    truth_share: float,
) -> list[Loss]:
    """Compute the losses from tiles of each objective's windows, with their gradients."""
    threads = 1 if draw_by_row(objectives) else torch.get_num_threads()  # one after the other, they draw in order
    numbers = batch.inputs.shape[2:].numel()

    def part(index: int, sequences: range) -> Loss:
        own, windows_each = slice(sequences.start, sequences.stop), draws[index].windows.start.shape[1]
        rows = torch.arange(own.start * windows_each, own.stop * windows_each)
        draw = draws[index].of(own)
        states = [select_rows(before[index], rows)]
        windows = encode_from(core, batch.inputs[own], [draw.windows], states)[0]
        windows = replace(windows, totals=None if totals is None else totals.of(own))
        return objectives[index].loss(batch.of(own), draw, windows, truth_share)

    parted = []
    for index, (objective, draw) in enumerate(zip(objectives, draws, strict=True)):
        cut = tiles(len(batch), draw.windows.start.shape[1], draw.steps_each, threads, numbers)
        parted.append(
            PartedLoss([partial(part, index, sequences) for sequences in cut], trained_weights(core, objective))
        )
    return sum_parts(parted, threads)


def trained_weights(core: Core, objective: Objective) -> list[nn.Parameter]:
    """List the weights that take a gradient, each once."""
    modules = [core, objective] if isinstance(core, nn.Module) else [objective]
    found = {id(weight): weight for module in modules for weight in module.parameters() if weight.requires_grad}
    return list(found.values())


def spec_and_example(core: nn.Module, spec: InputSpec | None) -> tuple[InputSpec, Tensor]:
    own = getattr(core, "step_spec", None)
    if own is not None:
        return own, core.example()  # type: ignore[operator]
    if spec is None:
        raise ValueError("Expected spec=InputSpec(kind, size) beside a core that does not know its inputs, got none.")
    weight = next(core.parameters(), torch.zeros(()))
    if spec.kind == "characters":
        return spec, torch.zeros(1, 1, dtype=torch.int64, device=weight.device)
    return spec, weight.new_zeros(1, 1, spec.size)


def checked_bptt(bptt: int | None) -> int | None:
    if bptt is not None and bptt < 0:
        raise ValueError(f"Expected a truncation length of at least 0, or None for full back-propagation, got {bptt}.")
    return bptt
