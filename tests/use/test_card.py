"""The card tells what is known, with an interval that statistics books give."""

import pytest

from auxrnn.config import ModelConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.use.card import model_card, wilson_interval

SPEC = InputSpec("pixels", 1)


@pytest.mark.parametrize(
    ("share", "number", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0 / 20, 20, 0.0, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_newcombe(share, number, low, high):
    assert wilson_interval(share, number) == pytest.approx((low, high), abs=5e-5)


def test_no_interval_of_nothing():
    with pytest.raises(ValueError, match="at least one trial"):
        wilson_interval(0.5, 0)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        wilson_interval(1.5, 3)


def test_a_whole_card():
    facts = {
        "data": "mnist",
        "test_sequences": 263,
        "test_accuracy": 81 / 263,
        "validation_accuracy": 0.5,
        "seed": 3,
        "data_options": {"grey": True},
    }
    card = model_card(ModelConfig(), SPEC, ClassTarget(("a", "b")), facts)
    assert "Test accuracy 30.80 %, 95 % interval 25.53 to 36.62 % (Wilson) over 263 test sequences" in card
    data, training = card.split("## Training")
    assert "- data: mnist" in data
    assert '- data options: `{"grey": true}`' in data
    assert "- seed: 3" in training
    assert "2 classes: a, b." in card


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "r-lstm with 128 LSTM cells, truncation 300, trained by"),
        ({"stem": "conv", "stride": 8, "bptt": 50}, "on tokens of 8 steps, truncation 50 tokens = 400 steps, trained"),
        ({"stem": "conv", "stride": 1, "bptt": "full"}, "on tokens of 1 step, truncation full, trained by"),
        ({"readout": "stats", "bptt": 5}, "cells, reading mean and deviation of its outputs, truncation 5, trained"),
        (
            {"stem": "logmel", "sample_rate": 8000, "readout": "stats-max", "bptt": 50},
            "sound at 8000 Hz, reading mean, deviation and greatest of its outputs, truncation 50 tokens = 4,000 steps",
        ),
    ],
)
def test_tokens_and_readout_are_told(changes, told):
    assert told in model_card(ModelConfig(**changes), SPEC, ClassTarget(("a", "b")), {})


def test_the_verdict_stands_in_the_card():
    findings = [{"state": "floor", "words": "like the floor", "next": "do"}, {"state": "first", "words": "too early"}]
    facts = {"verdict": {"summary": "test accuracy 9 %", "findings": findings}, "floors": {"mean": {"test": 0.5}}}
    card = model_card(ModelConfig(), SPEC, ClassTarget(("a", "b")), facts)
    assert "## Verdict\n\nTest accuracy 9 %.\n\n- like the floor\n- too early\n\n## Use" in card
    training = card.split("## Training")[1].split("## Accuracy")[0]
    assert "verdict" not in training
    assert "floors" not in training
    assert "## Verdict\n\nNot judged.\n" in model_card(ModelConfig(), SPEC, ClassTarget(("a", "b")), {})


@pytest.mark.parametrize("facts", [{}, {"test_accuracy": None}, {"test_accuracy": "high", "test_sequences": 5}])
def test_what_is_not_known_is_not_told(facts):
    assert "Not measured." in model_card(ModelConfig(), SPEC, ClassTarget(("a",)), facts)


def test_accuracy_without_the_size_of_the_test_set():
    assert "Test accuracy 50.00 %.\n" in model_card(ModelConfig(), SPEC, ClassTarget(("a",)), {"test_accuracy": 0.5})


def test_many_classes_are_cut():
    card = model_card(ModelConfig(), SPEC, ClassTarget(tuple(f"c{index}" for index in range(60))), {})
    assert "60 classes: c0, " in card
    assert "c49, ..." in card


@pytest.mark.parametrize(
    ("target", "score"), [(ClassesTarget, "micro_f1"), (ValueTarget, "r2"), (TagsTarget, "step_accuracy")]
)
def test_no_word_of_an_interval_where_there_is_none(target, score):
    card = model_card(ModelConfig(), SPEC, target(("a", "b")), {f"test_{score}": 0.5, "test_sequences": 50})
    assert "interval" not in card
    assert "worse than its scores say" in card


@pytest.mark.parametrize("interval", [None, 3, [1], [0.1, "b"], [0.1, None], {"a": 1, "b": 2}])
def test_an_interval_that_is_none_is_not_told(interval):
    facts = {"test_r2": 0.5, "test_sequences": 50, "test_interval": interval}
    assert "interval" not in model_card(ModelConfig(), SPEC, ValueTarget(("a",)), facts)


def test_the_interval_of_a_score_in_its_own_units():
    facts = {"test_r2": 0.51234, "test_rmse": 2.0, "test_sequences": 1234, "test_interval": [0.4, 0.61239]}
    card = model_card(ModelConfig(), SPEC, ValueTarget(("a",)), facts)
    assert "Test R2 0.5123, 95 % interval 0.4 to 0.6124 (bootstrap) over 1,234 test sequences, which were" in card
    assert "Test RMSE 2." in card
    assert "The interval is for the drawing of test sequences alone." in card


def test_the_limits_speak_of_the_interval_that_is_there():
    card = model_card(ModelConfig(), SPEC, ClassTarget(("a", "b")), {"test_accuracy": 0.5, "test_sequences": 50})
    assert "The interval is for the drawing of test sequences alone." in card


def test_how_own_files_were_read():
    own = {
        "form": {"description": "long-form table (id 'id')", "channels": 2},
        "reading": ReadingOptions(target="value", label="mass").to_dict(),
        "limit_train": 9,
    }
    card = model_card(ModelConfig(), SPEC, ClassTarget(("a",)), {"own": own})
    told = "- options of reading: `--label mass`, `--target value`, `--limit_train 9`\n"
    assert "- read as: long-form table (id 'id')\n" + told in card


@pytest.mark.parametrize("own", ["hi", {"form": 3}, {"form": {"description": "x"}, "reading": None}, None])
def test_what_was_recorded_otherwise_is_told_as_it_is(own):
    assert "- own: " in model_card(ModelConfig(), SPEC, ClassTarget(("a",)), {"own": own})
