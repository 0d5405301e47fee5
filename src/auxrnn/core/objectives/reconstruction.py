"""The auxiliary loss of the r-LSTM: a segment reproduced from the state at an anchor."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from auxrnn.config.choices import Anchors, Direction, Order, Placement, Reach
from auxrnn.core.anchors import Segments, reconstruction_segments
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.decoders import ReconstructionDecoder
from auxrnn.core.encoder import core_sizes
from auxrnn.core.objectives.base import Draw, Objective, checked_bptt, spec_and_example
from auxrnn.core.objectives.tokens import cell_of, no_tokens, steps_at, token_loss
from auxrnn.core.recurrent import Core
from auxrnn.core.truncation import WindowPlan, Windows, encode_plans
from auxrnn.targets.losses import Loss


class Reconstruction(Objective):
    """The auxiliary loss of the r-LSTM: the state at random anchors has to reproduce an earlier segment.

    The gradient goes `min(bptt, segment_length)` steps of the core back from the anchor. The decoder's own steps are a
    separate, constant cost; n segments cost n * l in all.

    Parameters
    ----------
    core : Module
        Whose states are read; only its sizes are taken here, it is not kept.
    spec : InputSpec, optional
        What the core's inputs are; an `Encoder` knows.
    num_anchors : int
        Anchors a sequence and training step (n), at least 1.
    segment_length : int
        Steps of each segment (l), at least 2 to have a loss: the first is given.
    bptt : int or None
        Truncation length (K) in steps of the core, at least 0; None for no truncation.
    placement, direction, anchors
        Where segments and anchors lie; see `anchors.reconstruction_segments`.
    order : {"forward", "reversed"}
        Order in which a segment is reproduced.
    reach : {"segment", "bptt", "shared"}
        How far the gradient goes back through the core: min(K, l) steps, K steps, or what the decoder's own steps leave
        of K, `max(K - l, 0)`.
    **decoder
        Options of `decoders.ReconstructionDecoder`.

    Raises
    ------
    ValueError
        For values outside these ranges or names, or a core without a known input.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), section 3: past segments, in forward order. The paper is silent on whether the
    decoder's steps count for K and on the distribution of anchors; we chose `reach="segment"` and uniform anchors.
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
        direction: Direction = "past",
        anchors: Anchors = "uniform",
        **decoder: Any,
    ) -> None:
        super().__init__()
        for value, allowed in (
            (placement, Placement),
            (order, Order),
            (reach, Reach),
            (direction, Direction),
            (anchors, Anchors),
        ):
            if value not in get_args(allowed):
                raise ValueError(f"Expected one of {', '.join(get_args(allowed))}, got {value!r}.")
        spec, example = spec_and_example(core, spec)
        self.num_anchors, self.segment_length, self.bptt = num_anchors, segment_length, checked_bptt(bptt)
        self.placement, self.order, self.reach = placement, order, reach
        self.direction, self.anchors = direction, anchors
        decoder.setdefault("cell", cell_of(core))
        self.decoder = ReconstructionDecoder(spec, core_sizes(core, example)[1], **decoder)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        found = reconstruction_segments(
            lengths,
            self.num_anchors,
            self.segment_length,
            generator,
            self.placement,
            direction=self.direction,
            anchors=self.anchors,
        )
        return Draw(WindowPlan(found.anchor - self._back(found), found.anchor, outputs=False), found)

    def _back(self, found: Segments) -> Tensor:
        """Count the steps of the core before each anchor that carry gradient, (B, n)."""
        back = torch.minimum(found.length, found.anchor) if self.reach == "segment" else found.anchor
        if self.bptt is None:
            return back
        if self.reach == "shared":
            return torch.minimum(back, (self.bptt - found.length).clamp(min=0))
        return back.clamp(max=self.bptt)

    def chances(self, draw: Draw, generator: torch.Generator) -> Tensor | None:
        assert draw.segments is not None
        longest = int(draw.segments.length.max())
        return torch.rand(draw.segments.length.numel(), longest - 1, generator=generator) if longest > 1 else None

    def loss(self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float) -> Loss:
        assert draw.segments is not None
        length = draw.segments.length.flatten()  # (R,)
        if int(length.max()) < 2:
            return no_tokens(self)
        segment = self.segment(batch, draw)
        chances = None if draw.chances is None else draw.chances[:, : segment.shape[1] - 1]
        outputs = self.decoder(segment, windows.state, truth_share, chances=chances)  # (R, l - 1, ...)
        return token_loss(self.decoder.head, outputs, segment[:, 1:], (length - 1).clamp(min=0))

    def segment(self, batch: SequenceBatch, draw: Draw) -> Tensor:
        """Give the raw steps of each segment in the order of reproduction, (R, l, ...)."""
        assert draw.segments is not None
        found, steps = draw.segments, torch.arange(int(draw.segments.length.max()))
        if self.order == "reversed":
            steps = (found.length.unsqueeze(-1) - 1 - steps).clamp(min=0)  # (B, n, l)
        return steps_at(batch, found.start.unsqueeze(-1) + steps)

    @torch.no_grad()
    def recall(self, core: Core, batch: SequenceBatch, segments: Segments) -> Tensor:
        """Reproduce each segment from the state at its anchor, to see what the state still holds.

        Parameters
        ----------
        core : Module
            In evaluation mode, as this objective.
        batch : SequenceBatch
            As the core reads it: tokens where there is a stem.
        segments : Segments
            Of one length, at least 2 steps.

        Returns
        -------
        Tensor
            Raw steps (R, l, ...) in the order of reproduction; the first is the true one.
        """
        windows = WindowPlan(segments.anchor, segments.anchor, outputs=False)
        state = encode_plans(core, batch.inputs, [windows])[0].state
        true = self.segment(batch, Draw(windows, segments))  # (R, l, ...)
        said = self.decoder.generate(true[:, :1], state, true.shape[1] - 1)
        return torch.cat([true[:, :1], said.to(true.dtype)], dim=1)
