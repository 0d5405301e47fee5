"""Settings chosen from a person's own data, each with its reason. What they set themselves stays as it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.data.dataset import SequenceData
from auxrnn.runs.forecast import FLOATS_PER_UNIT

LONGEST_WINDOW = 300  # the paper's truncation
LONGEST_SEGMENT = 100
MOST_ANCHORS = 10
STEP_BYTES = 2**30  # what one training step may hold
STEPS_AN_EPOCH = 100  # fewer learn little in the 25 epochs of the default; on a CPU a small batch costs hardly more


def sensible_settings(config: RunConfig, train: SequenceData, given: Collection[str]) -> tuple[RunConfig, list[str]]:
    """The configuration with `bptt`, `segment_length`, `num_anchors` and `batch_size` chosen where they are not among
    `given`, and a line for each that was, with its reason.

    The paper's own sizes (truncation 300, one segment of 600, batch 128) are for images of 784 and more steps; these
    keep its proportions on shorter sequences and bound memory. Rules of thumb of ours, not measured optima.
    """
    lengths = train.lengths
    median, longest = max(int(lengths.median()), 1), int(lengths.max())
    chosen: dict[str, Any] = {}
    lines: list[str] = []

    def choose(name: str, value: int, reason: str) -> None:
        if name not in given:
            chosen[name] = value
            lines.append(f"Chosen      --{name} {value}: {reason}")

    window = longest if longest <= LONGEST_WINDOW else min(LONGEST_WINDOW, max(median // 2, 1))
    choose(
        "bptt",
        window,
        f"the longest sequence has {longest:,} steps, so all of it carries gradient"
        if window == longest
        else f"half of the median length of {median:,} steps, at most {LONGEST_WINDOW} as in the paper",
    )
    bptt = chosen.get("bptt", config.bptt)
    if config.auxiliaries:
        least = config.shortest_segment
        segment = max(min(LONGEST_SEGMENT, median // 4, longest if bptt == "full" else bptt), least)
        bounds = f"at most {LONGEST_SEGMENT} and bptt, at least {least}"
        choose("segment_length", segment, f"a quarter of the median length, {bounds}")
        segment = chosen.get("segment_length", config.segment_length)
        anchors = max(min(MOST_ANCHORS, median // (2 * segment)), 1)
        choose("num_anchors", anchors, f"segments cover half of the median length, at most {MOST_ANCHORS} of them")
    anchors = chosen.get("num_anchors", config.num_anchors) if config.auxiliaries else 0
    segment = chosen.get("segment_length", config.segment_length)
    # Each anchor has its window in the main network and its segment in every layer of the decoder.
    aux = config.auxiliary_options
    layers = {"reconstruct": aux.decoder_layers or 0, "predict": aux.prediction_layers or 0}
    depth = sum(1 + layers[name] for name in config.auxiliaries)
    steps = (longest if bptt == "full" else min(bptt, longest)) + depth * anchors * segment
    bytes_a_row = 4 * FLOATS_PER_UNIT * config.hidden_size * steps + 4 * train.spec.size * longest
    by_memory = max(STEP_BYTES // bytes_a_row, 1)
    by_epoch = max(len(train) // STEPS_AN_EPOCH, 8)
    size = 2 ** (min(128, by_memory, by_epoch).bit_length() - 1)
    choose(
        "batch_size",
        size,
        f"at most 128, {by_memory:,} for 1 GiB a step, and {by_epoch:,} for at least {STEPS_AN_EPOCH} steps an epoch",
    )
    return replace(config, **chosen), lines
