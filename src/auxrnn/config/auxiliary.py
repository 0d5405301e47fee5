"""The finer options of the auxiliary losses, and their defaults, which some models have of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from auxrnn.config.checks import MOST_LAYERS, MOST_NUMBERED, at_least, at_most, check_types, within
from auxrnn.config.choices import Anchors, Bptt, Direction, Order, Placement, Reach, StepTarget, TruthSchedule, Unfed

AUXILIARY_DEFAULTS: dict[str, Any] = {
    "anchors": "uniform",
    "reach": "segment",
    "truth_schedule": "linear",
    "decoder_layers": 2,
    "prediction_layers": 1,
    "joint": True,
}
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "sa-lstm": {"anchors": "end", "reach": "bptt", "truth_schedule": "constant", "decoder_layers": 1, "joint": False},
    "lm-lstm": {"prediction_layers": 0, "joint": False},
}
"""What stands for an option of the auxiliary losses that is left out, and where a model has its own."""


@dataclass(frozen=True)
class AuxiliaryConfig:
    """The finer options of the auxiliary losses. The paper is silent on every one marked (?).

    Where an option has two defaults, the second is that of sa-lstm or lm-lstm (Dai & Le 2015).

    Parameters
    ----------
    weight
        factor of the auxiliary loss in the sum, at least 0 (the paper: 1).
    joint
        whether the auxiliary losses go on after pretraining, beside the labels (the paper: yes); yes when left
        out, no for sa-lstm and lm-lstm.
    bptt
        truncation of the auxiliary losses in steps of the core, at least 0; the model's own `bptt` when left out.
    anchors
        where anchors lie among the positions that fit: "uniform"; "end", all at the last; "late", the later
        the likelier; "stratified", one in each of `num_anchors` equal stretches. Uniform when left out, end for
        sa-lstm (?).
    direction
        whether a reconstructed segment lies before its anchor ("past") or behind it ("future").
    placement
        where a reconstructed segment lies: it touches the anchor, or anywhere on that side of it (?).
    order
        the order in which a segment is reproduced.
    reach
        how far the reconstruction gradient goes back: min(bptt, segment) steps ("segment"), bptt steps, or what
        the decoder's own steps leave of bptt ("shared"). Segment when left out, bptt for sa-lstm (?).
    target
        softmax over levels or characters, or squared error; softmax where defined when left out (?).
    unfed
        what stands where a true input is withheld: the decoder's own step ("model"), or nothing ("blank") (?).
    truth_start
        share of true inputs fed to the reconstruction decoder at the start of training, 0 to 1 (?).
    truth_end
        the share at the end, 0 to 1 (?).
    truth_schedule
        how it moves in between (Bengio et al. 2015): linear, inverse_sigmoid, exponential, or constant
        at its start. Linear when left out, constant for sa-lstm (?).
    decoder_layers
        layers of the reconstruction decoder, at least 1; 2 (the paper) when left out, 1 for sa-lstm.
    prediction_layers
        layers of the net that predicts; at 0 its head reads the main network itself. 1 when left
        out, 0 for lm-lstm (?).
    decoder_hidden_size
        units of the decoders, at least 1; the model's own hidden size when left out.
    """

    weight: float = 1.0
    joint: bool | None = None
    bptt: Bptt | None = None
    anchors: Anchors | None = None
    direction: Direction = "past"
    placement: Placement = "near"
    order: Order = "forward"
    reach: Reach | None = None
    target: StepTarget | None = None
    unfed: Unfed = "model"
    truth_start: float = 1.0
    truth_end: float = 0.0
    truth_schedule: TruthSchedule | None = None
    decoder_layers: int | None = None
    prediction_layers: int | None = None
    decoder_hidden_size: int | None = None

    def __post_init__(self) -> None:
        check_types(self, AuxiliaryConfig, "aux.")
        at_least("aux.weight", self.weight, 0)
        at_least("aux.bptt", self.bptt, 0)
        for name, least in (("decoder_layers", 1), ("prediction_layers", 0)):
            at_least(f"aux.{name}", getattr(self, name), least)
            at_most(f"aux.{name}", getattr(self, name), MOST_LAYERS)
        at_least("aux.decoder_hidden_size", self.decoder_hidden_size, 1)
        at_most("aux.decoder_hidden_size", self.decoder_hidden_size, MOST_NUMBERED)
        for name in ("truth_start", "truth_end"):
            within(f"aux.{name}", getattr(self, name), 0, 1)

    def filled(self, model: str) -> AuxiliaryConfig:
        """The options as they are in effect for a model of that name: what is left out has its default."""
        defaults = {**AUXILIARY_DEFAULTS, **MODEL_DEFAULTS.get(model, {})}
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})
