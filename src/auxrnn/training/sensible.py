"""Settings chosen from the data, each with its reason. What a person says stays as it is.

Rules of thumb of ours, tried on the sets that `benchmarks/peers.py` names; not measured optima.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from auxrnn.config import RunConfig, steps_or_none
from auxrnn.core.gradients import piece_steps
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData

FLOATS_PER_UNIT = 14
"""Floats that one LSTM unit leaves a step for the backward pass, with its gradients (measured with torch on a CPU)."""

LONGEST_WINDOW = 300  # the paper's truncation
LONGEST_SEGMENT = 100
MOST_ANCHORS = 10
STEP_BYTES = 2**30  # what one training step may hold
STEPS_AN_EPOCH = 100  # fewer learn little in the 25 epochs of the default; on a CPU a small batch costs hardly more

USUAL_STRIDE = 8
LEAST_TOKENS = 28  # about; fewer would leave a recurrent network little to do
LONGEST_STRIDE = 64
LEAST_RATE = 4000  # Hz; a frame of 25 ms has fewer than 100 samples below, too few for 40 bands
EPOCH_STEPS = 40  # of the recipe modern: fewer would cost more in validation than in training
TRAINING_STEPS = 2400  # of the recipe modern, in all: a minute or two on two cores, for most data
MOST_STEPS = 4800
LEAST_PASSES = 3  # over many sequences


class _Chosen:
    """Settings that were not said, with a line for each."""

    def __init__(self, given: Collection[str]) -> None:
        self.given = given
        self.settings: dict[str, Any] = {}
        self.lines: list[str] = []

    def __call__(self, name: str, value: Any, reason: str) -> None:
        if name not in self.given:
            self.settings[name] = value
            self.lines.append(f"Chosen      --{name} {value}: {reason}")


def sensible_settings(config: RunConfig, train: SequenceData, given: Collection[str]) -> tuple[RunConfig, list[str]]:
    """The configuration with what its recipe leaves to the data, and a line for each choice with its reason.

    given: the settings that a person has said, which stay. InputError for another rate of sound than the data have.
    """
    config, stem = _with_stem_of_sound(config, train, given)
    config, rate = _with_rate(config, train)
    if config.gradient in ("checkpointed", "exact"):
        given = {*given, "bptt"}  # it is full
    config, lines = (_modern if config.recipe == "modern" else _paper)(config, train, given)
    return config, [*stem, *rate, *lines]


def _with_stem_of_sound(config: RunConfig, train: SequenceData, given: Collection[str]) -> tuple[RunConfig, list[str]]:
    """Mel bands for recordings under the recipe modern, unless anything of another stem was said."""
    said = not {"stem", "stride", "kernel"}.isdisjoint(given)
    if config.recipe != "modern" or config.stem != "conv" or train.target.per_step or said:
        return config, []
    if train.rate is None or train.rate < LEAST_RATE:
        return config, []
    line = "Chosen      --stem logmel: recordings by bands of the mel scale; --stem conv takes raw samples"
    return replace(config, stem="logmel"), [line]


def _with_rate(config: RunConfig, train: SequenceData) -> tuple[RunConfig, list[str]]:
    """The rate of the recordings for mel bands, which a frame in seconds needs."""
    if config.stem != "logmel" or train.rate is None or config.sample_rate == train.rate:
        return config, []
    if config.sample_rate is not None:
        raise InputError(
            f"{train.name}: expected sample_rate {train.rate} as the recordings are read, got {config.sample_rate}; "
            f"--rate {config.sample_rate} reads them so."
        )
    line = f"Chosen      --sample_rate {train.rate}: that of the recordings"
    return replace(config, sample_rate=train.rate), [line]


def _modern(config: RunConfig, train: SequenceData, given: Collection[str]) -> tuple[RunConfig, list[str]]:
    """Stride, truncation, epochs."""
    choose = _Chosen(given)
    median, longest = max(int(train.lengths.median()), 1), int(train.lengths.max())
    if config.stem == "conv":
        choose("stride", *_stride(train, median))
    stride = replace(config, **choose.settings).token_steps
    tokens = -(-longest // stride)
    if config.stem == "none" or config.readout == "last":
        window = min(LONGEST_WINDOW, tokens)
        choose("bptt", window, f"at most {LONGEST_WINDOW} steps as in the paper")
    elif config.bptt != "full" and tokens <= config.bptt:
        choose("bptt", tokens, f"all {tokens} tokens of the longest sequence")
    if config.auxiliaries:
        segment = segment_of_tokens(replace(config, **choose.settings), train)
        choose("segment_length", segment, "half of the median length in tokens, at most 50")
    if len(train) < 4 * config.batch_size:
        size = 2 ** max((len(train) // 4).bit_length() - 1, 2)
        choose("batch_size", min(size, config.batch_size), f"a quarter of {len(train)} sequences, at least 4")
    batch = choose.settings.get("batch_size", config.batch_size) * config.devices * config.num_nodes
    a_pass = math.ceil(len(train) / batch)
    choose("epoch_passes", max(round(EPOCH_STEPS / a_pass), 1), f"an epoch of about {EPOCH_STEPS} steps or more")
    passes = choose.settings.get("epoch_passes", config.epoch_passes)
    steps = min(max(TRAINING_STEPS, LEAST_PASSES * a_pass), MOST_STEPS)
    epochs = max(round(steps / (a_pass * passes)), 1)
    longer = "; --budget 10m trains for that long" if config.devices * config.num_nodes == 1 else ""
    choose("max_epochs", epochs, f"about {steps:,} steps{longer}")
    return replace(config, **choose.settings), choose.lines


def segment_of_tokens(config: RunConfig, train: SequenceData) -> int:
    """Tokens of a segment: half of the median length, at most `config.segment_length`."""
    tokens = -(-max(int(train.lengths.median()), 1) // config.token_steps)
    return max(min(config.segment_length, tokens // 2), config.shortest_segment)


def _stride(train: SequenceData, median: int) -> tuple[int, str]:
    """Raw steps of a token."""
    if train.target.per_step:
        return 1, "every step has a label"
    if train.image_shape is not None:
        return train.image_shape[1], "a row of pixels a token"
    wanted = max(math.sqrt(median) / 5, min(USUAL_STRIDE, median / LEAST_TOKENS), 1)
    stride = min(2 ** round(math.log2(wanted)), LONGEST_STRIDE)
    return stride, f"about {-(-median // stride):,} tokens from a median of {median:,} steps"


def _paper(config: RunConfig, train: SequenceData, given: Collection[str]) -> tuple[RunConfig, list[str]]:
    """`bptt`, `segment_length`, `num_anchors` and `batch_size`.

    The paper's own sizes (truncation 300, one segment of 600, batch 128) are for images of 784 and more steps; these
    keep its proportions on shorter sequences and bound memory.
    """
    choose = _Chosen(given)
    median, longest = max(int(train.lengths.median()), 1), int(train.lengths.max())
    window = longest if longest <= LONGEST_WINDOW else min(LONGEST_WINDOW, max(median // 2, 1))
    choose(
        "bptt",
        window,
        f"the longest sequence has {longest:,} steps, so all of it carries gradient"
        if window == longest
        else f"half of the median length of {median:,} steps, at most {LONGEST_WINDOW} as in the paper",
    )
    bptt = choose.settings.get("bptt", config.bptt)
    if config.auxiliaries:
        least = config.shortest_segment
        segment = max(min(LONGEST_SEGMENT, median // 4, longest if bptt == "full" else bptt), least)
        bounds = f"at most {LONGEST_SEGMENT} and bptt, at least {least}"
        choose("segment_length", segment, f"a quarter of the median length, {bounds}")
        segment = choose.settings.get("segment_length", config.segment_length)
        anchors = max(min(MOST_ANCHORS, median // (2 * segment)), 1)
        choose("num_anchors", anchors, f"segments cover half of the median length, at most {MOST_ANCHORS} of them")
    anchors = choose.settings.get("num_anchors", config.num_anchors) if config.auxiliaries else 0
    segment = choose.settings.get("segment_length", config.segment_length)
    # Each anchor has its window in the main network and its segment in every layer of the decoder.
    aux = config.auxiliary_options
    layers = {"reconstruct": aux.decoder_layers or 0, "predict": aux.prediction_layers or 0}
    depth = sum(1 + layers[name] for name in config.auxiliaries)
    reach = longest if bptt == "full" else min(bptt, longest)
    reach = reach if config.gradient == "truncated" else piece_steps(config.gradient, longest, steps_or_none(bptt))
    steps = reach + depth * anchors * segment
    bytes_a_row = 4 * FLOATS_PER_UNIT * config.hidden_size * steps + 4 * train.spec.size * longest
    by_memory = max(STEP_BYTES // bytes_a_row, 1)
    by_epoch = max(len(train) // STEPS_AN_EPOCH, 8)
    size = 2 ** (min(128, by_memory, by_epoch).bit_length() - 1)
    choose(
        "batch_size",
        size,
        f"at most 128, {by_memory:,} for 1 GiB a step, and {by_epoch:,} for at least {STEPS_AN_EPOCH} steps an epoch",
    )
    return replace(config, **choose.settings), choose.lines
