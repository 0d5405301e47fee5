"""What the network is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from auxrnn.config.auxiliary import AuxiliaryConfig
from auxrnn.config.checks import MOST_LAYERS, MOST_NUMBERED, at_least, at_most, check_types, within
from auxrnn.config.choices import (
    Bptt,
    Cell,
    Gradient,
    Initialisation,
    Model,
    PositionKind,
    ReadoutKind,
    Regulariser,
    StemKind,
    StemNorm,
)
from auxrnn.errors import InputError

MODELS: dict[Model, tuple[str, ...]] = {
    "lstm": (),
    "r-lstm": ("reconstruct",),
    "p-lstm": ("predict",),
    "rp-lstm": ("reconstruct", "predict"),
    "sa-lstm": ("reconstruct",),
    "lm-lstm": ("predict",),
    "transformer": (),
    "irnn": (),
    "urnn": (),
}
"""Models by name, and the auxiliary objectives of each."""

MEL_HOP = 0.01
"""Seconds between two frames of the stem logmel."""

OWN_CORE = ("transformer", "irnn", "urnn")
"""Models that are no matter of `cell`."""

TRACED: tuple[Cell, ...] = ("lru", "mingru")
"""Cells that know eligibility traces."""


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes of a transformer. The paper says no more of them than "comparable size".

    The defaults have about the weights of an LSTM of 128 cells with its projection to 128.

    Parameters
    ----------
    layers
        encoder layers, at least 1.
    width
        size of a step within it, at least 1; even with sinusoidal positions.
    heads
        attention heads, at least 1; they share the width.
    feed_forward
        units of each layer's feed-forward net, at least 1.
    positions
        sinusoidal, for any length; or learned, up to the longest training sequence.
    causal
        whether a step sees only those before it; the last step answers then, else the mean of all.
    dropout
        the share dropped behind attention and feed-forward nets, and of the inputs, 0 to 0.95.
    """

    layers: int = 3
    width: int = 64
    heads: int = 4
    feed_forward: int = 256
    positions: PositionKind = "sinusoidal"
    causal: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_types(self, TransformerConfig, "transformer.")
        for name in ("layers", "width", "heads", "feed_forward"):
            at_least(f"transformer.{name}", getattr(self, name), 1)
        at_most("transformer.layers", self.layers, MOST_LAYERS)
        for name in ("width", "feed_forward"):
            at_most(f"transformer.{name}", getattr(self, name), MOST_NUMBERED)
        within("transformer.dropout", self.dropout, 0, 0.95)
        if self.width % self.heads:
            raise InputError(
                f"Expected transformer.width to be a multiple of transformer.heads, got {self.width} and {self.heads}."
            )
        if self.positions == "sinusoidal" and self.width % 2:
            raise InputError(f"Expected an even transformer.width with sinusoidal positions, got {self.width}.")


@dataclass(frozen=True)
class ModelConfig:
    """What the network is.

    Parameters
    ----------
    model
        lstm, or with reconstruction (r-lstm), prediction (p-lstm) or both (rp-lstm); pretrained as a sequence
        autoencoder (sa-lstm) or a language model (lm-lstm) and then trained on the labels alone (Dai & Le 2015);
        transformer; irnn (Le et al. 2015); urnn (Arjovsky et al. 2016).
    bptt
        truncation of the supervised loss in steps of the core, at least 0; "full" for all of them, 0 trains the head
        alone. A transformer always reads all steps.
    gradient
        how the supervised loss has its gradient: through the last bptt steps or windows of them ("truncated"), or
        through all steps, with bptt "full": by states kept at distances of the root of the length ("checkpointed"),
        or at constant memory by eligibility traces ("exact"), which lru and mingru have. The latter is exact for
        one layer without a stem or characters, and leaves a part out else. Auxiliary losses keep their windows.
        "fptt" cuts sequences into pieces of bptt steps and steps the optimiser after each (Kag & Saligrama 2021).
    cell
        recurrent cell of the main network; transformer, irnn and urnn have their own. Diagonal linear recurrences
        are lru (Orvieto et al. 2023) and mingru (Feng et al. 2024); ur-lstm refines the forget gate (Gu et al. 2020).
        Decoders have the same cell where it is lstm, gru or rnn, else lstm.
    hidden_size
        units of the main network, at least 1; a urnn's are complex. A transformer's size is its `width`.
    projection_size
        size to which a step is projected, at least 1; null for no projection.
    num_layers
        layers of the main network, at least 1.
    stem
        what turns raw steps into tokens, which the recurrent network then reads; bptt, segment_length and
        anchors count tokens. A strided convolution ("conv"), the logarithm of mel bands of sound
        in frames of 25 ms every 10 ms ("logmel"), or nothing ("none", the paper's).
    stride
        raw steps of a token, at least 1; of logmel the rate decides.
    sample_rate
        raw steps a second, in Hz, for logmel; that of the recordings when left out.
    kernel
        width of the stem's convolution in strides, at least 1.
    stem_norm
        how a stem normalises the features of a token: by layer norm, which takes the amplitude of a token away, or
        not at all, so that an event of great amplitude stands out; needs a stem.
    residual
        whether each output of the recurrent network gets its token added (He et al. 2016), so that what one token shows
        reaches the readout directly; needs a stem and a readout of all tokens.
    readout
        what the head reads: the last output ("last", the paper's), mean and deviation of the outputs over
        all tokens ("stats"), or the greatest output of each unit too ("stats-max"). A class a step has its own.
    num_windows
        windows of bptt tokens a sequence and step, at least 1, through which a readout of all tokens has its gradient.
    top_windows
        further windows, at least 1, where the greatest outputs lie, for stats-max.
    anchor_labels
        weight, at least 0, of the label asked at the end of each of those windows too, of what it alone gives.
    initialisation
        TensorFlow 1's default, which the paper's authors had; torch's own; torch's with a forget bias
        of 1 ("forget") or with gates whose time scales are drawn: uniform ("chrono", Tallec & Ollivier 2018) or
        uniform in their logarithm ("log_uniform") up to the longest training sequence, or from uniform gates
        ("uniform_gate", Gu et al. 2020); or TensorFlow's with chrono gates (?). The ring of an lru and the gates
        of an ur-lstm begin as their papers have it under torch and tensorflow.
    max_phase
        of an lru: its factors begin with phases up to this, in radians a step, above 0 and at most 2 pi; slowly
        varying inputs want less than 2 pi, the paper's.
    identity_scale
        of an irnn: the recurrent weights begin as the identity times this, at least 0.
    num_anchors
        random anchors a sequence and step (n), at least 1.
    segment_length
        steps reconstructed (at least 2) or predicted (at least 1) at each anchor (l).
    regulariser
        what is dropped on the second layer of the output nets.
    dropout
        the share dropped there, 0 to 0.95.
    aux
        finer options of the auxiliary losses.
    transformer
        sizes of a transformer.
    """

    model: Model = "r-lstm"
    bptt: Bptt = 300
    gradient: Gradient = "truncated"
    cell: Cell = "lstm"
    hidden_size: int = 128
    projection_size: int | None = 128
    num_layers: int = 1
    stem: StemKind = "none"
    stride: int = 1
    sample_rate: int | None = None
    kernel: int = 4
    stem_norm: StemNorm = "layer"
    residual: bool = False
    readout: ReadoutKind = "last"
    num_windows: int = 5
    top_windows: int = 3
    anchor_labels: float = 0.0
    initialisation: Initialisation = "tensorflow"
    max_phase: float = 2 * math.pi
    identity_scale: float = 1.0
    num_anchors: int = 1
    segment_length: int = 600
    regulariser: Regulariser = "dropconnect"
    dropout: float = 0.5
    aux: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    transformer: TransformerConfig = field(default_factory=TransformerConfig)

    @property
    def has_gates(self) -> bool:
        """Whether there are gates for an initialisation to open or close."""
        return self.cell != "rnn" and self.model not in OWN_CORE

    def __post_init__(self) -> None:
        check_types(self, ModelConfig)
        at_least("bptt", self.bptt, 0)
        for name in (
            "hidden_size", "projection_size", "num_layers", "num_anchors", "segment_length", "stride", "kernel",
            "num_windows", "top_windows",
        ):  # fmt: skip
            at_least(name, getattr(self, name), 1)
        at_least("sample_rate", self.sample_rate, 1)
        for name in ("stride", "kernel", "num_windows", "top_windows", "sample_rate"):
            at_most(name, getattr(self, name), MOST_NUMBERED)
        at_least("anchor_labels", self.anchor_labels, 0)
        if self.stem == "none" and self.stem_norm != "layer":
            raise InputError(f"Expected a stem with stem_norm {self.stem_norm}, got stem none; take --stem conv.")
        if self.stem != "conv" and self.stride > 1:
            raise InputError(f"Expected stride 1 with stem {self.stem}, got {self.stride}; take --stem conv.")
        if self.anchor_labels and self.readout == "last":
            raise InputError("Expected readout stats or stats-max with anchor_labels, got last.")
        if self.residual and (not self.has_like_tokens or self.readout == "last"):  # a state has no such last output
            raise InputError(
                "Expected a stem, readout stats or stats-max, a cell and no projection but to hidden_size "
                f"{self.hidden_size} with residual, got stem {self.stem}, readout {self.readout}, model {self.model} "
                f"and projection_size {self.projection_size}."
            )
        if self.model == "transformer" and (self.stem != "none" or self.readout != "last"):
            raise InputError("Expected no stem and readout last with model transformer, which reads all steps.")
        if self.segment_length < self.shortest_segment:
            raise InputError(
                f"Expected segment_length of at least 2 with model {self.model}, got {self.segment_length}: "
                "a reconstruction is given the first step of its segment."
            )
        at_most("num_layers", self.num_layers, MOST_LAYERS)
        for name in ("hidden_size", "projection_size", "num_anchors"):
            at_most(name, getattr(self, name), MOST_NUMBERED)
        within("dropout", self.dropout, 0, 0.95)
        at_least("identity_scale", self.identity_scale, 0)
        if not 0 < self.max_phase < 6.284:  # 2 pi, rounded up too
            raise InputError(f"Expected max_phase above 0 and at most 2 pi, got {self.max_phase}.")
        if self.max_phase < 2 * math.pi and self.cell != "lru":
            raise InputError(f"Expected cell lru with max_phase, got {self.cell}.")
        if self.model in OWN_CORE and self.cell != "lstm":
            raise InputError(f"Expected no cell with model {self.model}, which has its own, got {self.cell}.")
        if self.model == "urnn" and self.num_layers > 1:
            raise InputError(f"Expected num_layers 1 with model urnn, got {self.num_layers}.")
        if self.gradient != "truncated":
            self._check_gradient()
        if self.initialisation not in ("torch", "tensorflow") and not self.has_gates:
            got = self.model if self.model in OWN_CORE else self.cell
            raise InputError(
                f"Expected a cell with gates with initialisation {self.initialisation}, got {got}: no gates."
            )

    def _check_gradient(self) -> None:
        """InputError where the gradient cannot go through all steps."""
        if self.model == "transformer":
            raise InputError(
                f"Expected gradient truncated with model transformer, which reads all steps, got {self.gradient}."
            )
        if self.gradient == "fptt":
            self._check_forward()
        elif self.bptt != "full":
            raise InputError(
                f"Expected bptt full with gradient {self.gradient}, which goes through all steps, "
                f"got {self.bptt}; leave bptt out."
            )
        if self.gradient == "exact" and (self.cell not in TRACED or self.model in OWN_CORE):
            got = self.model if self.model in OWN_CORE else self.cell
            raise InputError(
                f"Expected cell {' or '.join(TRACED)} with gradient exact, got {got}; take gradient checkpointed."
            )

    def _check_forward(self) -> None:
        """InputError for what forward propagation through time has no pieces of."""
        if self.bptt in ("full", 0):
            raise InputError(
                f"Expected bptt of at least 1 with gradient fptt, the steps of a piece, got {self.bptt}; "
                "a tenth of the steps is the authors' choice."
            )
        if self.auxiliaries or self.anchor_labels:
            got = f"model {self.model} and anchor_labels {self.anchor_labels:g}"
            raise InputError(f"Expected the labels as the only loss with gradient fptt, got {got}; take model lstm.")

    @property
    def has_like_tokens(self) -> bool:
        """Whether tokens may be added to outputs: there are some, of one size."""
        size = self.projection_size or self.hidden_size
        return self.stem != "none" and self.model not in OWN_CORE and size == self.hidden_size

    @property
    def token_steps(self) -> int:
        """Raw steps of a token; 1 where every raw step is one, or where the rate of sound is not known yet."""
        return self.stride if self.stem != "logmel" else max(round((self.sample_rate or 0) * MEL_HOP), 1)

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        return MODELS[self.model]

    @property
    def shortest_segment(self) -> int:
        """Steps; a reconstruction is given the first one, and so has nothing to say of a segment of one step."""
        return 2 if "reconstruct" in self.auxiliaries else 1

    @property
    def auxiliary_options(self) -> AuxiliaryConfig:
        """`aux` as it is in effect for this model."""
        return self.aux.filled(self.model)

    def model_config(self) -> ModelConfig:
        """This part of a larger config, alone."""
        return ModelConfig(**{item.name: getattr(self, item.name) for item in fields(ModelConfig)})


def steps_or_none(bptt: Bptt) -> int | None:
    """A truncation length as the components take it: None for "full"."""
    return None if bptt == "full" else bptt
