"""A transformer encoder as a classifier of sequences: torch's own layers over step features and positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from auxrnn.config.choices import PositionKind
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import StepFeatures
from auxrnn.core.heads import FeedForward
from auxrnn.core.model import Classifier
from auxrnn.core.objectives import Loss
from auxrnn.errors import InputError
from auxrnn.targets import Target, as_target


class Positions(nn.Module):
    """One vector a position, (T, width): learned, for at most `longest` steps, or sinusoidal (Vaswani et al. 2017)."""

    def __init__(self, kind: PositionKind, width: int, longest: int | None) -> None:
        super().__init__()
        if kind not in get_args(PositionKind):
            raise ValueError(f"Expected positions of {', '.join(get_args(PositionKind))}, got {kind!r}.")
        if kind == "learned" and longest is None:
            raise ValueError("Expected the length of the longest sequence for learned positions, got none.")
        if kind == "sinusoidal" and width % 2:
            raise ValueError(f"Expected an even width for sinusoidal positions, got {width}.")
        self.learned = nn.Parameter(torch.empty(longest, width)) if kind == "learned" and longest is not None else None
        if self.learned is not None:
            nn.init.normal_(self.learned, std=0.02)
        self.rates: Tensor  # follows the module's type and device
        halves = torch.arange(0, width, 2) / width
        self.register_buffer("rates", 10_000.0**-halves, persistent=False)

    def forward(self, steps: int) -> Tensor:
        if self.learned is not None:
            if steps > len(self.learned):
                raise InputError(
                    f"Expected sequences of at most {len(self.learned)} steps, the longest in training, got {steps}; "
                    f"train with sinusoidal positions to read longer ones."
                )
            return self.learned[:steps]
        angles = torch.arange(steps, device=self.rates.device).unsqueeze(1) * self.rates  # (T, width / 2)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class TransformerClassifier(Classifier):
    """A Transformer encoder as a classifier: step features, positions, layers, a mean over the steps, a head.

    It has the supervised loss alone, over all steps: truncation means nothing here. Attention weights are not dropped,
    so no (T, T) matrix is kept.

    Parameters
    ----------
    spec : InputSpec
        What a raw step is.
    num_classes : int or Target
        As for `SequenceClassifier`.
    layers, width, heads, feed_forward : int
        Layers, size of a step (a multiple of `heads`), attention heads, units of each feed-forward net; at least 1.
    positions : {"sinusoidal", "learned"}
        For any length (Vaswani et al. 2017), or up to `longest` steps.
    causal : bool
        Whether a step sees only those before it. The head then reads the last step, else the mean over each sequence's
        own steps; of a label a step it reads every step.
    dropout : float
        Share dropped behind attention and feed-forward nets, and of the inputs, in [0, 1).
    longest : int, optional
        Steps of the longest sequence, for learned positions.
    **head
        Options of `heads.FeedForward`.

    References
    ----------
    Trinh, Dai, Luong & Le (2018) compare with a Transformer "of comparable size" and are silent on the rest; we chose
    `nn.TransformerEncoderLayer` with the norm before each part, which trains without warm-up, GELU, and a norm at the
    end.
    """

    def __init__(
        self,
        spec: InputSpec,
        num_classes: int | Target,
        *,
        layers: int = 3,
        width: int = 64,
        heads: int = 4,
        feed_forward: int = 256,
        positions: PositionKind = "sinusoidal",
        causal: bool = False,
        dropout: float = 0.1,
        longest: int | None = None,
        **head: Any,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"Expected a width that is a multiple of the heads, got {width} and {heads}.")
        self.target, self.causal = as_target(num_classes), causal
        self.longest = longest if positions == "learned" else None
        self.features = StepFeatures(spec, width)
        self.projection = nn.Identity() if spec.kind == "characters" else nn.Linear(self.features.size, width)
        self.positions = Positions(positions, width, longest)
        self.scale = math.sqrt(width) if spec.kind == "characters" else 1.0
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            width, heads, feed_forward, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        for module in self.layers.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
        self.head = FeedForward(width, self.target.size, **head)

    def forward(self, batch: SequenceBatch) -> Tensor:
        """Give outputs (B, size), or (B, T, size) where every step has a label."""
        device = batch.inputs.device
        steps = int(batch.lengths.max())  # padding beyond the longest is not looked at
        lengths = batch.lengths.to(device)
        outside = None
        inputs = batch.inputs[:, :steps]
        if int(batch.lengths.min()) < steps:
            outside = torch.arange(steps, device=device) >= lengths.unsqueeze(1)  # (B, T)
            inputs = inputs.masked_fill(outside.view(*outside.shape, *[1] * (inputs.dim() - 2)), 0)
        hidden = self.projection(self.features(inputs))  # (B, T, width)
        hidden = self.dropout(hidden * self.scale + self.positions(steps).to(hidden.dtype))
        later = nn.Transformer.generate_square_subsequent_mask(steps, device, torch.bool) if self.causal else None
        hidden = self.layers(hidden, later, outside, is_causal=self.causal)
        return self.head(self._read(hidden, lengths, outside))

    def _read(self, hidden: Tensor, lengths: Tensor, outside: Tensor | None) -> Tensor:
        """What the head reads of the steps (B, T, width): the last of each, or the mean, (B, width); or all."""
        if self.target.per_step:
            return hidden
        if self.causal:
            return hidden[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        if outside is not None:
            hidden = hidden.masked_fill(outside.unsqueeze(-1), 0.0)
        return hidden.sum(1) / lengths.unsqueeze(1).to(hidden.dtype)

    def pieces(self, batch: SequenceBatch) -> Iterator[Tensor]:
        yield self(batch)  # it sees a sequence as a whole

    def losses(
        self, batch: SequenceBatch, names: Sequence[str], truth_share: float, generator: torch.Generator
    ) -> dict[str, Loss]:
        """The supervised loss; `truth_share` and `generator` are for models with auxiliary losses."""
        self.parts(names)
        return {"supervised": self.measured(batch)}

    def parts(self, names: Sequence[str]) -> list[nn.Module]:
        """The network itself: it has the supervised objective alone."""
        if list(names) != ["supervised"]:
            raise ValueError(f"Expected the supervised objective alone, got {', '.join(names) or 'none'}.")
        return [self]
