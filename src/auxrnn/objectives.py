"""What is learned: the supervised loss and the auxiliary ones, each naming the windows it needs; and their one walk.

```
SequenceBatch -> draw anchors -> windows that the losses need -> prefix without gradient -> all windows in one batched
pass with gradient -> decoders on the anchor states -> token losses
```

`bptt` is the truncation length K in steps of the main network; None is full back-propagation. Knows nothing of phases,
optimisers or epochs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.anchors import Placement, Segments, prediction_segments, reconstruction_segments, step_generator
from auxrnn.batch import InputSpec, SequenceBatch, as_batch
from auxrnn.decoders import PredictionDecoder, ReconstructionDecoder
from auxrnn.encoder import CELLS, core_sizes
from auxrnn.heads import FeedForward, StepHead
from auxrnn.recurrent import Core
from auxrnn.truncation import WindowPlan, Windows, encode_plans

Order = Literal["forward", "reversed"]
Reach = Literal["segment", "bptt"]


@dataclass(frozen=True)
class Draw:
    """What an objective asks of one batch: its windows, and the segments that it drew (None where it draws none)."""

    windows: WindowPlan
    segments: Segments | None = None


@dataclass(frozen=True)
class Loss:
    """A summed loss (scalar), over how many tokens or labels, and how many labels were right (None without labels)."""

    total: Tensor
    count: int
    correct: Tensor | None = None

    @property
    def mean(self) -> Tensor:
        """`sum_i L_i / sum_i l_i`; 0 for a batch whose sequences are too short to have a token to say."""
        return self.total / max(self.count, 1)


class Objective(nn.Module, ABC):
    """A loss on chosen windows of a core's run over a batch."""

    @abstractmethod
    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        """The windows needed for sequences of `lengths` (B,)."""

    @abstractmethod
    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        """The loss from what the core gave on those windows."""

    def forward(
        self,
        core: Core,
        inputs: Tensor | SequenceBatch,
        lengths: Tensor | None = None,
        *,
        truth_share: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The loss in a loop of your own: inputs (B, T, ...) as the core takes them, lengths (B,) where they differ.

        truth_share: share of true inputs that a reconstruction decoder is fed. generator: on the CPU; one drawn from
        torch's global generator where none is given.
        """
        if generator is None:
            generator = step_generator(int(torch.randint(2**62, ())))
        return objective_losses(core, as_batch(inputs, lengths), [self], truth_share, generator)[0].mean


def objective_losses(
    core: Core, batch: SequenceBatch, objectives: Sequence[Objective], truth_share: float, generator: torch.Generator
) -> list[Loss]:
    """One loss an objective, from one prefix and one batched pass over the windows of them all."""
    draws = [objective.draw(batch.lengths, generator) for objective in objectives]
    encoded = encode_plans(core, batch.inputs, [draw.windows for draw in draws])
    return [
        objective.loss(batch, draw, windows, truth_share, generator)
        for objective, draw, windows in zip(objectives, draws, encoded, strict=True)
    ]


class Supervised(Objective):
    """Cross-entropy of a head on the last output, truncated to the last `bptt` steps.

    0 trains the head alone. head: a module (B, H) -> (B, classes).
    """

    def __init__(self, head: nn.Module, *, bptt: int | None = 300) -> None:
        super().__init__()
        self.head, self.bptt = head, _checked_bptt(bptt)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        reach = lengths if self.bptt is None else lengths.clamp(max=max(self.bptt, 1))  # the last output needs a step
        stop = lengths.unsqueeze(1)
        return Draw(WindowPlan(stop - reach.unsqueeze(1), stop))

    def logits(self, draw: Draw, windows: Windows) -> Tensor:
        """(B, classes), from the output of each sequence's own last step."""
        last = (draw.windows.stop - draw.windows.start - 1).squeeze(1).to(windows.outputs.device)  # (B,)
        hidden = windows.outputs[torch.arange(len(last), device=last.device), 0, last]  # (B, H)
        return self.head(hidden.detach() if self.bptt == 0 else hidden)

    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        if batch.labels is None:
            raise ValueError("Expected a batch with labels for the supervised loss, got none.")
        logits = self.logits(draw, windows)  # (B, classes)
        total = functional.cross_entropy(logits, batch.labels, reduction="sum")
        return Loss(total, len(batch), (logits.detach().argmax(1) == batch.labels).sum())


class Reconstruction(Objective):
    """r-LSTM: from the state at random anchors, reproduce a segment that came before (Trinh et al. 2018, section 3).

    core: what the states come from, to learn its sizes (it is not kept). spec: what its inputs are; an `Encoder` knows.
    The gradient goes `min(bptt, segment_length)` steps of the core back from the anchor: the decoder's own steps are a
    separate, constant cost, and n segments cost n * l in all ("fixed BPTT cost"). reach="bptt" lets it go `bptt` steps
    back. order: the segment is reproduced forward (the paper) or reversed. Everything else goes to
    `ReconstructionDecoder`. The paper is silent on the count of K and on the distribution of anchors.
    """

    def __init__(
        self,
        core: nn.Module,
        spec: InputSpec | None = None,
        *,
        num_anchors: int = 1,
        segment_length: int = 600,
        bptt: int | None = 300,
        placement: Placement = "near",
        order: Order = "forward",
        reach: Reach = "segment",
        **decoder: Any,
    ) -> None:
        super().__init__()
        for value, allowed in ((placement, Placement), (order, Order), (reach, Reach)):
            if value not in get_args(allowed):
                raise ValueError(f"Expected one of {', '.join(get_args(allowed))}, got {value!r}.")
        spec, example = _spec_and_example(core, spec)
        self.num_anchors, self.segment_length, self.bptt = num_anchors, segment_length, _checked_bptt(bptt)
        self.placement, self.order, self.reach = placement, order, reach
        decoder.setdefault("cell", _kind(core))
        self.decoder = ReconstructionDecoder(spec, core_sizes(core, example)[1], **decoder)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        found = reconstruction_segments(lengths, self.num_anchors, self.segment_length, generator, self.placement)
        back = found.length if self.reach == "segment" else found.anchor  # (B, n)
        if self.bptt is not None:
            back = back.clamp(max=self.bptt)
        return Draw(WindowPlan(found.anchor - back, found.anchor, outputs=False), found)

    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        assert draw.segments is not None
        length = draw.segments.length.flatten()  # (R,)
        if int(length.max()) < 2:
            return _nothing(self)
        segment = self.segment(batch, draw)
        outputs = self.decoder(segment, windows.state, truth_share, generator)  # (R, l - 1, ...)
        return _token_loss(self.decoder.head, outputs, segment[:, 1:], length - 1)

    def segment(self, batch: SequenceBatch, draw: Draw) -> Tensor:
        """The raw steps of each segment in the order in which they are reproduced, (R, l, ...)."""
        assert draw.segments is not None
        found, steps = draw.segments, torch.arange(int(draw.segments.length.max()))
        if self.order == "reversed":
            steps = (found.length.unsqueeze(-1) - 1 - steps).clamp(min=0)  # (B, n, l)
        return _steps(batch, found.start.unsqueeze(-1) + steps)

    @torch.no_grad()
    def recall(self, core: Core, batch: SequenceBatch, segments: Segments) -> Tensor:
        """What the state at each anchor still holds of its segment: raw steps (R, l, ...), the first one given.

        Segments of one length, at least 2 steps; in the order in which they are reproduced. Use the modules in
        evaluation mode.
        """
        windows = WindowPlan(segments.anchor, segments.anchor, outputs=False)
        state = encode_plans(core, batch.inputs, [windows])[0].state
        true = self.segment(batch, Draw(windows, segments))  # (R, l, ...)
        said = self.decoder.generate(true[:, :1], state, true.shape[1] - 1)
        return torch.cat([true[:, :1], said.to(true.dtype)], dim=1)


class Prediction(Objective):
    """p-LSTM: from random anchors on, a net on the outputs predicts each next step (Trinh et al. 2018, section 3).

    The gradient stops at the anchor. No gradient path through the core is longer than `bptt`: a longer segment is cut
    into pieces of `bptt` steps with the state carried on as a constant. With bptt = 0 only the predictor learns.
    Everything else goes to `PredictionDecoder`; core and spec as in `Reconstruction`.
    """

    def __init__(
        self,
        core: nn.Module,
        spec: InputSpec | None = None,
        *,
        num_anchors: int = 1,
        segment_length: int = 600,
        bptt: int | None = 300,
        **decoder: Any,
    ) -> None:
        super().__init__()
        spec, example = _spec_and_example(core, spec)
        self.num_anchors, self.segment_length, self.bptt = num_anchors, segment_length, _checked_bptt(bptt)
        decoder.setdefault("cell", _kind(core))
        self.decoder = PredictionDecoder(spec, core_sizes(core, example)[0], **decoder)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        found = prediction_segments(lengths, self.num_anchors, self.segment_length, generator)
        longest = max(int(found.length.max()), 1)
        piece = min(self.bptt or longest, longest)
        first = torch.arange(0, longest, piece)  # (P,)
        end = found.length.unsqueeze(-1)  # (B, n, 1)
        start = found.anchor.unsqueeze(-1) + torch.minimum(first, end)  # (B, n, P)
        stop = found.anchor.unsqueeze(-1) + torch.minimum(first + piece, end)
        return Draw(WindowPlan(start.flatten(1), stop.flatten(1)), found)

    def loss(
        self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float, generator: torch.Generator
    ) -> Loss:
        assert draw.segments is not None
        found, length = draw.segments, draw.segments.length.flatten()  # (R,)
        longest = int(length.max())
        if longest < 1:
            return _nothing(self)
        pieces = windows.outputs.unflatten(1, (self.num_anchors, -1))  # (B, n, P, piece, H)
        hidden = pieces.flatten(2, 3).flatten(0, 1)[:, :longest]  # (R, l, H)
        outputs = self.decoder(hidden.detach() if self.bptt == 0 else hidden)  # (R, l, ...)
        following = _steps(batch, found.anchor.unsqueeze(-1) + 1 + torch.arange(longest))
        return _token_loss(self.decoder.head, outputs, following, length)


def classifier_head(core: nn.Module, num_classes: int, **options: Any) -> FeedForward:
    """The paper's feed-forward head on a core that knows its inputs (an `Encoder`); options go to `FeedForward`."""
    return FeedForward(core_sizes(core, _spec_and_example(core, None)[1])[0], num_classes, **options)


def _spec_and_example(core: nn.Module, spec: InputSpec | None) -> tuple[InputSpec, Tensor]:
    own = getattr(core, "spec", None)
    if own is not None:
        return own, core.example()  # type: ignore[operator]
    if spec is None:
        raise ValueError("Expected spec=InputSpec(kind, size) beside a core that does not know its inputs, got none.")
    weight = next(core.parameters(), torch.zeros(()))
    if spec.kind == "characters":
        return spec, torch.zeros(1, 1, dtype=torch.int64, device=weight.device)
    return spec, weight.new_zeros(1, 1, spec.size)


def _kind(core: nn.Module) -> str:
    """The decoder's cell: the core's own where it is one of torch's, else an LSTM."""
    inner = getattr(core, "core", core)
    return next((name for name, kind in CELLS.items() if isinstance(inner, kind)), "lstm")


def _steps(batch: SequenceBatch, at: Tensor) -> Tensor:
    """The raw steps at positions (B, n, l) as (B * n, l, ...); positions past the end give the last step, to be masked.

    The padding is never read: whatever stands there, NaN included, changes no gradient.
    """
    at = torch.minimum(at, batch.lengths.view(-1, 1, 1) - 1).to(batch.inputs.device)
    rows = torch.arange(len(at), device=at.device).view(-1, 1, 1)
    return batch.inputs[rows, at].flatten(0, 1)


def _token_loss(head: StepHead, outputs: Tensor, targets: Tensor, length: Tensor) -> Loss:
    """The summed token loss over all rows; what lies past a row's length (R,) is left out."""
    losses = head.loss(outputs, targets)  # (R, l)
    inside = torch.arange(losses.shape[1]) < length.unsqueeze(1)
    return Loss(losses.masked_fill(~inside.to(losses.device), 0.0).sum(), int(length.sum()))


def _nothing(module: nn.Module) -> Loss:
    """No tokens, and a zero that reaches every parameter, so that a step of the optimiser still works."""
    return Loss(torch.stack([parameter.sum() for parameter in module.parameters()]).sum() * 0.0, 0)


def _checked_bptt(bptt: int | None) -> int | None:
    if bptt is not None and bptt < 0:
        raise ValueError(f"Expected a truncation length of at least 0, or None for full back-propagation, got {bptt}.")
    return bptt
