"""What a run says before it starts is what it will do."""

from dataclasses import replace

import pytest
import torch

from auxrnn.config import AuxiliaryConfig, RunConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.runs.forecast import describe_run, expected_bytes
from auxrnn.sources.dataset import SequenceData

CONFIG = RunConfig(
    model="rp-lstm", hidden_size=8, projection_size=None, bptt=5, num_anchors=2, segment_length=6, accelerator="cpu"
)
SPEC = InputSpec("pixels", 1, levels=9)


def some_set(lengths, note=""):
    sequences = [torch.zeros(length, 1, dtype=torch.uint8) for length in lengths]
    return SequenceData("some", SPEC, sequences, torch.zeros(len(lengths), dtype=torch.int64), ("a", "b"), note)


def described(config=CONFIG, lengths=(3, 9, 30, 20), note="", held_out=2):
    train = some_set(lengths, note)
    network = build_model(config, SPEC, 2)
    return dict(
        line.split(maxsplit=1)
        for line in describe_run(config, train, some_set([4] * held_out), some_set([4] * 7), network)
    ), network


def test_task_sizes_and_lengths():
    found, network = described(note="permutation seed 0")
    assert found["Task"] == "digits (permutation seed 0): 2 classes, rp-lstm with 8 LSTM cells"
    assert found["Sequences"] == "4 to train, 2 to validate, 7 to test, read at the end"
    assert found["Lengths"] == "min 3, median 9, max 30 steps of 1 pixels"
    assert found["Parameters"] == f"{sum(weight.numel() for weight in network.parameters()):,} trainable"
    assert found["Device"] == "CPU, 1 thread"
    assert found["Memory"].startswith("about ")


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({}, "gradient over the last 5 steps; reconstruct and predict 2 x 6 steps"),
        ({"model": "lstm"}, "gradient over the last 5 steps"),
        ({"model": "p-lstm", "bptt": "full"}, "gradient over all steps; predict 2 x 6 steps"),
        ({"model": "r-lstm", "bptt": 0}, "gradient over none, the classifier alone; reconstruct 2 x 6 steps"),
    ],
)
def test_windows(changes, windows):
    assert described(replace(CONFIG, **changes))[0]["Windows"] == windows


STEM = {"model": "lstm", "stem": "conv", "stride": 4, "kernel": 2}


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({}, "gradient over the last 5 tokens = 20 steps"),
        ({"bptt": "full"}, "gradient over all steps"),
        ({"gradient": "fptt"}, "gradient over pieces of 5 tokens = 20 steps, the optimiser stepping after each (fptt)"),
        ({"readout": "stats", "bptt": 3, "num_windows": 2}, "gradient over 2 windows of 3 tokens = 12 steps"),
        ({"readout": "stats", "bptt": 3, "num_windows": 9}, "gradient over 3 windows of 3 tokens = 12 steps"),
        (
            {"readout": "stats-max", "bptt": 5, "anchor_labels": 0.5},
            "gradient over 2 windows of 5 tokens = 20 steps, the label asked at the end of each too (0.5) and 3 "
            "more at the greatest outputs",
        ),
        ({"readout": "stats", "bptt": 8}, "gradient over all steps"),
        ({"readout": "stats", "bptt": 0}, "gradient over none, the classifier alone"),
        (
            {"model": "r-lstm", "segment_length": 9},
            "gradient over the last 5 tokens = 20 steps; reconstruct 2 x 8 tokens = 32 steps (shortened from 9)",
        ),
        ({"stem": "none", "stride": 1, "readout": "stats", "num_windows": 1}, "gradient over 1 window of 5 steps"),
    ],
)
def test_windows_are_told_in_tokens_and_raw_steps(changes, windows):
    found, _ = described(replace(CONFIG, **{**STEM, **changes}))
    assert found["Windows"] == windows
    tokens = "" if changes.get("stem") == "none" else "; 8 tokens of 4 steps at most"
    assert found["Lengths"] == f"min 3, median 9, max 30 steps of 1 pixels{tokens}"


def test_memory_counts_tokens():
    """With a stem of stride 4 over 400 steps of all windows the core keeps a quarter, beside the stem's own."""
    train = some_set([400] * 4)
    plain = replace(CONFIG, model="lstm", bptt="full", hidden_size=64, projection_size=64)
    config = replace(plain, stem="conv", stride=4, kernel=2)

    def windows(config):
        network = build_model(config, SPEC, 2)
        of_weights = 16 * sum(weight.numel() for weight in network.parameters())  # with gradient and optimiser
        return expected_bytes(network, train, config) - of_weights

    assert windows(plain) == 4 * 4 * 400 * 64 * 14
    assert windows(config) == 4 * 4 * 100 * (64 * 14 + 3 * 64 + 8)
    sampled = replace(config, bptt=10, readout="stats-max", num_windows=2, top_windows=3)
    assert windows(sampled) == 4 * 4 * 50 * (64 * 14 + 3 * 64 + 8)


def test_training():
    assert described()[0]["Training"] == "5 epochs of pretraining, then 20 epochs, batch 128, rmsprop_tf 0.001"
    assert described(replace(CONFIG, model="lstm"))[0]["Training"].startswith("20 epochs, batch 128")


def test_nothing_to_validate_and_one_sequence():
    found, _ = described(lengths=(4,), held_out=0)
    assert found["Sequences"].startswith("1 to train, 0 to validate")


def memory(config, steps=4000, sequences=200):
    data = some_set([steps] * sequences)
    return expected_bytes(build_model(config, SPEC, 2), data, config)


def test_expected_memory_does_not_grow_with_the_length_unless_all_steps_carry_gradient():
    assert memory(CONFIG, 4000) == memory(CONFIG, 400)
    full = replace(CONFIG, model="lstm", bptt="full")
    assert memory(full, 4000) > 8 * memory(full, 400)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ({"batch_size": 16}, {"batch_size": 64}),
        ({"bptt": 50}, {"bptt": 400}),
        ({"segment_length": 20}, {"segment_length": 200}),
        ({"num_anchors": 1}, {"num_anchors": 4}),
        ({"model": "r-lstm"}, {"model": "rp-lstm"}),
        ({"aux": AuxiliaryConfig(decoder_layers=1)}, {"aux": AuxiliaryConfig(decoder_layers=3)}),
    ],
)
def test_expected_memory_grows_with_what_is_kept(small, large):
    assert memory(replace(CONFIG, **large)) > memory(replace(CONFIG, **small))
