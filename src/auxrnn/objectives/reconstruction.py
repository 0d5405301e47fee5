"""The auxiliary loss of the r-LSTM: a segment reproduced from the state at an anchor."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from auxrnn.anchors import Segments, reconstruction_segments
from auxrnn.batch import InputSpec, SequenceBatch
from auxrnn.config.choices import Anchors, Direction, Order, Placement, Reach
from auxrnn.decoders import ReconstructionDecoder
from auxrnn.encoder import core_sizes
from auxrnn.losses import Loss
from auxrnn.objectives.base import Draw, Objective, checked_bptt, spec_and_example
from auxrnn.objectives.tokens import cell_of, no_tokens, steps_at, token_loss
from auxrnn.recurrent import Core
from auxrnn.truncation import WindowPlan, Windows, encode_plans


class Reconstruction(Objective):
    """r-LSTM: from the state at random anchors, reproduce a segment that came before (Trinh et al. 2018, section 3).

    core: what the states come from, to learn its sizes (it is not kept). spec: what its inputs are; an `Encoder` knows.
    The gradient goes `min(bptt, segment_length)` steps of the core back from the anchor: the decoder's own steps are a
    separate, constant cost, and n segments cost n * l in all ("fixed BPTT cost"). reach="bptt" lets it go `bptt` steps
    back; "shared" counts the decoder's steps too and leaves `max(bptt - l, 0)`. order: the segment is reproduced
    forward (the paper) or reversed. placement, direction, anchors: where segments and anchors lie, see
    `anchors.reconstruction_segments`. Everything else goes to `ReconstructionDecoder`. The paper is silent on the count
    of K and on the distribution of anchors.
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
        """How many steps of the core before each anchor carry gradient, (B, n)."""
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
        """The raw steps of each segment in the order in which they are reproduced, (R, l, ...)."""
        assert draw.segments is not None
        found, steps = draw.segments, torch.arange(int(draw.segments.length.max()))
        if self.order == "reversed":
            steps = (found.length.unsqueeze(-1) - 1 - steps).clamp(min=0)  # (B, n, l)
        return steps_at(batch, found.start.unsqueeze(-1) + steps)

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
