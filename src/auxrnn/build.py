"""From a `ModelConfig` to the network."""

from __future__ import annotations

from typing import Any

from auxrnn.batch import InputSpec
from auxrnn.config import ModelConfig, steps_or_none
from auxrnn.encoder import Encoder
from auxrnn.initialisation import chrono_, forget_bias_
from auxrnn.model import SequenceClassifier
from auxrnn.objectives import Objective, Prediction, Reconstruction


def build_model(
    config: ModelConfig, spec: InputSpec, num_classes: int, longest: int | None = None
) -> SequenceClassifier:
    """The network, freshly initialised from torch's global generator.

    longest: steps of the longest training sequence, for the chrono initialisation; leave it out where weights are
    loaded afterwards.
    """
    aux = config.aux
    encoder = Encoder(
        spec,
        cell=config.cell,
        hidden_size=config.hidden_size,
        projection_size=config.projection_size,
        num_layers=config.num_layers,
    )
    if config.initialisation == "forget":
        forget_bias_(encoder.core)
    if config.initialisation == "chrono" and longest is not None:
        chrono_(encoder.core, max(longest, 3))
    shared: dict[str, Any] = {
        "num_anchors": config.num_anchors,
        "segment_length": config.segment_length,
        "bptt": steps_or_none(config.bptt if aux.bptt is None else aux.bptt),
        "hidden_size": aux.decoder_hidden_size or config.hidden_size,
        "target": aux.target,
        "regulariser": config.regulariser,
        "rate": config.dropout,
    }
    auxiliaries: dict[str, Objective] = {}
    if "reconstruct" in config.auxiliaries:
        auxiliaries["reconstruct"] = Reconstruction(
            encoder,
            placement=aux.placement,
            order=aux.order,
            reach=aux.reach,
            num_layers=aux.decoder_layers,
            unfed=aux.unfed,
            **shared,
        )
    if "predict" in config.auxiliaries:
        auxiliaries["predict"] = Prediction(encoder, **shared)
    return SequenceClassifier(
        encoder,
        num_classes,
        auxiliaries,
        bptt=steps_or_none(config.bptt),
        regulariser=config.regulariser,
        rate=config.dropout,
    )
