"""From a `ModelConfig` to the network."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from auxrnn.config import OWN_CORE, ModelConfig, steps_or_none
from auxrnn.core.baselines.irnn import identity_rnn
from auxrnn.core.baselines.transformer import TransformerClassifier
from auxrnn.core.baselines.urnn import UnitaryRNN
from auxrnn.core.batch import InputSpec
from auxrnn.core.cells.lru import LRU
from auxrnn.core.encoder import Encoder
from auxrnn.core.initialisation import chrono_, forget_bias_, log_uniform_, tensorflow_, uniform_gate_
from auxrnn.core.model import Classifier, SequenceClassifier
from auxrnn.core.objectives import Objective, Prediction, Reconstruction
from auxrnn.core.stems import ConvStem, LogMelStem, Stem
from auxrnn.errors import InputError, is_full_memory
from auxrnn.targets import Target

MODEST = 2**28
"""Bytes of weights that are no size to speak of: where these are too many, it is the memory that is too small."""


def build_model(config: ModelConfig, spec: InputSpec, target: Target | int, longest: int | None = None) -> Classifier:
    """Build the network, freshly initialised from torch's global generator.

    Parameters
    ----------
    config : ModelConfig
        What the network is.
    spec : InputSpec
        What a raw step is.
    target : Target or int
        What the outputs stand for; a number is so many classes, one a sequence.
    longest : int, optional
        Steps of the longest training sequence, for the chrono initialisation and for learned positions. For a saved
        model, its network's own `longest`.

    Returns
    -------
    Classifier
        On the CPU, in training mode.

    Raises
    ------
    InputError
        For sizes beyond any memory.
    RuntimeError
        Torch's own, where the sizes are modest and the memory does not hold them all the same.
    """
    try:
        return _network(config, spec, target, longest)
    except RuntimeError as error:  # what torch makes of them
        if is_full_memory(error) and _is_modest(config, spec, target, longest):
            raise
        sizes = {name: getattr(config, name) or 0 for name in ("hidden_size", "projection_size")}
        sizes |= {"aux.decoder_hidden_size": config.aux.decoder_hidden_size or 0, "size of input": spec.size}
        sizes |= {f"transformer.{name}": getattr(config.transformer, name) for name in ("width", "feed_forward")}
        largest = max(sizes, key=sizes.__getitem__)
        raise InputError(
            f"Expected a network that fits into memory, got {largest} {sizes[largest]}: {str(error).splitlines()[0]}"
        ) from error


def _is_modest(config: ModelConfig, spec: InputSpec, target: Target | int, longest: int | None) -> bool:
    with torch.device("meta"):
        network = _network(config, spec, target, longest)
    return sum(weight.nbytes for weight in network.parameters()) <= MODEST


def _network(config: ModelConfig, spec: InputSpec, target: Target | int, longest: int | None) -> Classifier:
    head: dict[str, Any] = {"regulariser": config.regulariser, "rate": config.dropout}
    if config.model == "transformer":
        if config.transformer.positions == "learned" and longest is None:
            raise InputError("Expected the length of the longest sequence for learned positions, got none.")
        network: Classifier = TransformerClassifier(spec, target, longest=longest, **asdict(config.transformer), **head)
    else:
        encoder = Encoder(
            spec,
            cell=_core(config, spec),
            hidden_size=config.hidden_size,
            projection_size=config.projection_size,
            num_layers=config.num_layers,
            stem=_stem(config, spec),
            residual=config.residual,
        )
        network = SequenceClassifier(
            encoder,
            target,
            _auxiliaries(config, encoder),
            bptt=steps_or_none(config.bptt),
            gradient=config.gradient,
            readout=config.readout,
            windows={
                "num_windows": config.num_windows,
                "top_windows": config.top_windows,
                "anchor_weight": config.anchor_labels,
            },
            **head,
        )
    _initialise(network, config, longest)
    return network


def _initialise(network: Classifier, config: ModelConfig, longest: int | None) -> None:
    """Initialise as `config.initialisation` says, over torch's own; irnn, urnn and lru keep the core of their paper."""
    core, stride = None, 1
    if isinstance(network, SequenceClassifier):
        core, stride = network.encoder.core, network.encoder.stride
    if config.initialisation.startswith("tensorflow"):
        as_published = config.model in OWN_CORE or config.cell == "lru"
        tensorflow_(network, keep=[core] if core is not None and as_published else [])
    if core is None:
        return
    if isinstance(core, LRU):
        core.scale_phases_(config.max_phase / (2 * math.pi))
    if config.initialisation == "forget":
        forget_bias_(core)
    if config.initialisation == "uniform_gate" or (config.cell, config.initialisation) == ("ur-lstm", "tensorflow"):
        uniform_gate_(core)
    scales = {"chrono": chrono_, "tensorflow-chrono": chrono_, "log_uniform": log_uniform_}
    if config.initialisation in scales and longest is not None:
        scales[config.initialisation](core, max(-(-longest // stride), 3))  # in tokens


def _stem(config: ModelConfig, spec: InputSpec) -> Stem | None:
    size = config.projection_size or config.hidden_size
    if config.stem == "conv":
        return ConvStem(spec, size, stride=config.stride, kernel=config.kernel, norm=config.stem_norm)
    if config.stem == "logmel":
        if spec.kind != "values" or config.sample_rate is None:
            raise InputError(
                f"Expected sound with --sample_rate for stem logmel, got {spec.kind} at rate {config.sample_rate}; "
                "take stem conv."
            )
        return LogMelStem(spec, size, rate=config.sample_rate, norm=config.stem_norm)
    return None


def _core(config: ModelConfig, spec: InputSpec) -> str | nn.Module:
    """The cell by name, or the core that the model is."""
    embedded = spec.kind == "characters" or config.stem != "none"
    size = config.projection_size or (config.hidden_size if embedded else spec.size)
    if config.model == "irnn":
        return identity_rnn(size, config.hidden_size, config.num_layers, scale=config.identity_scale)
    if config.model == "urnn":
        return UnitaryRNN(size, config.hidden_size)
    return config.cell


def _auxiliaries(config: ModelConfig, encoder: Encoder) -> dict[str, Objective]:
    aux = config.auxiliary_options
    shared: dict[str, Any] = {
        "num_anchors": config.num_anchors,
        "segment_length": config.segment_length,
        "bptt": steps_or_none(config.bptt if aux.bptt is None else aux.bptt),
        "anchors": aux.anchors,
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
            direction=aux.direction,
            order=aux.order,
            reach=aux.reach,  # type: ignore[arg-type]
            num_layers=aux.decoder_layers,
            unfed=aux.unfed,
            **shared,
        )
    if "predict" in config.auxiliaries:
        auxiliaries["predict"] = Prediction(encoder, num_layers=aux.prediction_layers, **shared)
    return auxiliaries
