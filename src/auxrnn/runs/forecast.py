"""Describe a run before it starts: data, windows, parameters, memory, device."""

from __future__ import annotations

import torch

from auxrnn.config import RunConfig, steps_or_none
from auxrnn.core.gradients import piece_steps
from auxrnn.core.heads import FeedForward, StepHead
from auxrnn.core.model import Classifier, SequenceClassifier
from auxrnn.core.objectives import Objective
from auxrnn.core.stems import Stem
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import Target
from auxrnn.training.phases import plan_phases
from auxrnn.training.precision import find_device
from auxrnn.training.sensible import FLOATS_PER_UNIT
from auxrnn.use.card import described

FLOATS_PER_WIDTH = 11
"""Floats a step that one layer of a transformer keeps for the backward pass, for each unit of its width, beside 3 for
each unit of its feed-forward net (counted from what autograd keeps)."""


FLOATS_PER_FEATURE = 3
"""Floats that one feature of a stem leaves a token for the backward pass (counted): linear map, norm, and GELU."""


def describe_run(
    config: RunConfig,
    train: SequenceData,
    validation: SequenceData,
    test: SequenceData,
    network: Classifier,
) -> list[str]:
    """The first lines of a run."""
    lengths = train.lengths
    weights = sum(weight.numel() for weight in network.parameters())
    device = _device(config.accelerator)
    note = f" ({train.note})" if train.note else ""
    return [
        f"Task        {config.data}{note}: {train.target.described()}, {described(config, train.target)}",
        f"Sequences   {len(train):,} to train, {len(validation):,} to validate, {len(test):,} to test, read at the end",
        f"Lengths     min {int(lengths.min())}, median {int(lengths.median())}, max {int(lengths.max())} steps "
        f"of {train.spec.size} {train.spec.kind}{_tokens(network, int(lengths.max()))}",
        f"Windows     {_windows(config, network, train.target, int(lengths.max()))}",
        f"Training    {_phases(config)}, batch {config.batch_size}, {config.optimizer} {config.lr:g}",
        f"Parameters  {weights:,} trainable",
        f"Memory      about {expected_bytes(network, train, config) / 2**20:,.0f} MiB for a step, beside torch itself",
        f"Device      {device}, {_count(config.num_threads or torch.get_num_threads(), 'thread')}",
    ]


def expected_bytes(network: Classifier, train: SequenceData, config: RunConfig) -> float:
    """A rough count of what one training step holds: windows with gradient, decoders, their outputs, the weights."""
    longest = int(train.lengths.max())
    rows = min(config.batch_size, len(train))
    weights = 4 * sum(weight.numel() for weight in network.parameters())
    if not isinstance(network, SequenceClassifier):
        sizes = config.transformer
        return 4.0 * (
            rows * longest * sizes.layers * (FLOATS_PER_WIDTH * sizes.width + 3 * sizes.feed_forward) + weights
        )
    encoder, supervised = network.encoder, network.supervised
    longest = _in_tokens(network, longest)
    lengths = train.lengths[:1].new_full((rows,), longest)
    objectives: list[Objective] = [supervised, *network.auxiliaries.values()]  # type: ignore[list-item]
    encoder_steps = 0
    if network.gradient != "truncated":
        piece = piece_steps(network.gradient, longest, steps_or_none(config.bptt))
        encoder_steps, objectives = rows * piece, objectives[1:]
    encoder_steps += sum(
        int((draw.windows.stop - draw.windows.start).sum())
        for draw in (objective.draw(lengths, torch.Generator().manual_seed(0)) for objective in objectives)
    )
    if supervised.reads_all and config.readout == "stats-max" and config.bptt != "full":
        encoder_steps += rows * min(config.top_windows * config.bptt, longest)
    floats = float(encoder_steps * config.hidden_size * FLOATS_PER_UNIT)
    if isinstance(encoder.features, Stem):
        floats += encoder_steps * (
            encoder.features.convolution.in_features + FLOATS_PER_FEATURE * encoder.features.size
        )
    if network.auxiliaries:
        tokens = rows * config.num_anchors * min(config.segment_length, longest)
        aux = config.auxiliary_options
        hidden = aux.decoder_hidden_size or config.hidden_size
        depth = {"reconstruct": aux.decoder_layers or 0, "predict": aux.prediction_layers or 0}
        layers = sum(depth[name] for name in config.auxiliaries)
        wide = sum(net.first.out_features + net.second.out_features for net in _output_nets(network))
        floats += tokens * (layers * hidden * FLOATS_PER_UNIT + 3 * wide)
    return 4 * (floats + weights)


def _output_nets(network: SequenceClassifier) -> list[FeedForward]:
    """The feed-forward nets that decoders speak through."""
    return [module.net for module in network.auxiliaries.modules() if isinstance(module, StepHead)]


def _in_tokens(network: Classifier, steps: int) -> int:
    """Steps of the core in so many raw steps."""
    return -(-steps // _stride(network))


def _stride(network: Classifier) -> int:
    return network.encoder.stride if isinstance(network, SequenceClassifier) else 1


def _tokens(network: Classifier, longest: int) -> str:
    """What a token is, where it is not a raw step."""
    stride = _stride(network)
    return "" if stride == 1 else f"; {_count(_in_tokens(network, longest), 'token')} of {stride} steps at most"


def _amount(number: int, network: Classifier) -> str:
    """So many steps of the core, in raw steps too."""
    stride = _stride(network)
    return f"{number} steps" if stride == 1 else f"{_count(number, 'token')} = {number * stride:,} steps"


def _windows(config: RunConfig, network: Classifier, target: Target, longest: int) -> str:
    longest = _in_tokens(network, longest)
    supervised = _labelled(config, network, target, longest)
    if not config.auxiliaries:
        return f"gradient over {supervised}"
    names = " and ".join(config.auxiliaries)
    length = min(config.segment_length, longest)
    shortened = f" (shortened from {config.segment_length})" if length < config.segment_length else ""
    return f"gradient over {supervised}; {names} {config.num_anchors} x {_amount(length, network)}{shortened}"


def _labelled(config: RunConfig, network: Classifier, target: Target, longest: int) -> str:
    """The windows of the supervised loss, of sequences of at most `longest` steps of the core."""
    if config.gradient in ("checkpointed", "exact"):
        return f"all steps ({config.gradient})"
    if config.gradient == "fptt":
        return f"pieces of {_amount(int(config.bptt), network)}, the optimiser stepping after each (fptt)"
    if not isinstance(network, SequenceClassifier):
        return "all steps"
    bptt = steps_or_none(config.bptt)
    if bptt == 0:
        return "none, the classifier alone"
    if not network.supervised.reads_all:
        return "all steps" if bptt is None else target.window.format(_amount(bptt, network))
    asked = f", the label asked at the end of each too ({config.anchor_labels:g})" if config.anchor_labels else ""
    if bptt is None or bptt >= longest:
        return f"all steps{asked}"
    number = min(config.num_windows, -(-longest // bptt))
    greatest = f" and {config.top_windows} more at the greatest outputs" if config.readout == "stats-max" else ""
    return f"{_count(number, 'window')} of {_amount(bptt, network)}{asked}{greatest}"


def _phases(config: RunConfig) -> str:
    pretraining = f"{_count(config.pretrain_epochs, 'epoch')} of pretraining, then " if config.auxiliaries else ""
    nothing = "" if plan_phases(config, config) else ": nothing is trained"
    return f"{pretraining}{_count(config.max_epochs, 'epoch')}{nothing}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _device(accelerator: str) -> str:
    device = find_device(accelerator)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
