"""The auxiliary loss of the p-LSTM: each next step predicted from an anchor on."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from auxrnn.config.choices import Anchors
from auxrnn.core.anchors import prediction_segments
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.decoders import PredictionDecoder
from auxrnn.core.encoder import core_sizes
from auxrnn.core.objectives.base import Draw, Objective, checked_bptt, spec_and_example
from auxrnn.core.objectives.tokens import cell_of, no_tokens, steps_at, token_loss
from auxrnn.core.truncation import WindowPlan, Windows
from auxrnn.targets.losses import Loss


class Prediction(Objective):
    """The auxiliary loss of the p-LSTM: from random anchors on, a net on the core's outputs predicts each next step.

    The gradient stops at the anchor. No gradient path through the core is longer than `bptt`: a longer segment is cut
    into pieces of `bptt` steps, with the state carried on as a constant.

    Parameters
    ----------
    core : Module
        Whose outputs are read; only its sizes are taken here, it is not kept.
    spec : InputSpec, optional
        What the core's inputs are; an `Encoder` knows.
    num_anchors : int
        Anchors a sequence and training step (n), at least 1.
    segment_length : int
        Steps that are predicted at each anchor (l), at least 1.
    bptt : int or None
        Truncation length (K) in steps of the core, at least 0; None for no truncation. At 0 only the predictor learns.
    anchors : {"uniform", "end", "late", "stratified"}
        Where anchors lie; see `anchors.prediction_segments`.
    **decoder
        Options of `decoders.PredictionDecoder`.

    Raises
    ------
    ValueError
        For values outside these ranges or names, or a core without a known input.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), section 3. The paper is silent on the distribution of anchors; we chose uniform.
    """

    def __init__(
        self,
        core: nn.Module,
        spec: InputSpec | None = None,
        *,
        num_anchors: int = 1,
        segment_length: int = 600,
        bptt: int | None = 300,
        anchors: Anchors = "uniform",
        **decoder: Any,
    ) -> None:
        super().__init__()
        if anchors not in get_args(Anchors):
            raise ValueError(f"Expected anchors of {', '.join(get_args(Anchors))}, got {anchors!r}.")
        spec, example = spec_and_example(core, spec)
        self.num_anchors, self.segment_length, self.bptt = num_anchors, segment_length, checked_bptt(bptt)
        self.anchors: Anchors = anchors
        decoder.setdefault("cell", cell_of(core))
        self.decoder = PredictionDecoder(spec, core_sizes(core, example)[0], **decoder)

    def draw(self, lengths: Tensor, generator: torch.Generator) -> Draw:
        found = prediction_segments(lengths, self.num_anchors, self.segment_length, generator, anchors=self.anchors)
        longest = max(int(found.length.max()), 1)
        piece = min(self.bptt or longest, longest)
        first = torch.arange(0, longest, piece)  # (P,)
        end = found.length.unsqueeze(-1)  # (B, n, 1)
        start = found.anchor.unsqueeze(-1) + torch.minimum(first, end)  # (B, n, P)
        stop = found.anchor.unsqueeze(-1) + torch.minimum(first + piece, end)
        return Draw(WindowPlan(start.flatten(1), stop.flatten(1)), found)

    def loss(self, batch: SequenceBatch, draw: Draw, windows: Windows, truth_share: float) -> Loss:
        assert draw.segments is not None
        found, length = draw.segments, draw.segments.length.flatten()  # (R,)
        longest = int(length.max())
        if longest < 1:
            return no_tokens(self)
        pieces = windows.outputs.unflatten(1, (self.num_anchors, -1))  # (B, n, P, piece, H)
        hidden = pieces.flatten(2, 3).flatten(0, 1)[:, :longest]  # (R, l, H)
        outputs = self.decoder(hidden.detach() if self.bptt == 0 else hidden)  # (R, l, ...)
        following = steps_at(batch, found.anchor.unsqueeze(-1) + 1 + torch.arange(longest))
        return token_loss(self.decoder.head, outputs, following, length)
