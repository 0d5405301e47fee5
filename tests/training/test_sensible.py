"""Settings chosen from the data against values worked out by hand; what was said stays."""

from dataclasses import replace

import pytest
import torch

from auxrnn.config import RECIPES, RunConfig
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import TagsTarget
from auxrnn.training.sensible import sensible_settings


def data_of(*lengths, channels=1):
    return SequenceData("x", InputSpec("values", channels), [torch.zeros(length, channels) for length in lengths])


def chosen(data, given=(), **settings):
    config, lines = sensible_settings(RunConfig(**settings), data, given)
    assert len(lines) == (4 if config.auxiliaries else 2) - len(given)
    return config.bptt, config.num_anchors, config.segment_length, config.batch_size


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([40] * 6400, (40, 2, 10, 64)),  # all of it; 40 / 4; 40 / 20; 6,400 / 100
        ([400] * 3300, (200, 2, 100, 32)),  # half of it; at most 100; 400 / 200
        ([8000] * 100, (300, 10, 100, 8)),  # the paper's; at most 10 anchors; at least 8
        ([7] * 100, (7, 1, 2, 8)),  # a reconstruction of one step would have nothing to say
        ([1] * 100, (1, 1, 2, 8)),
    ],
)
def test_by_hand(lengths, expected):
    assert chosen(data_of(*lengths)) == expected


def test_memory_bounds_the_batch():
    """4 bytes * 14 * 2,000 cells * (300 + 3 * 1,000) steps = 370 MB a row: 2 rows to 1 GiB. The 3: a window in the
    main network and two layers of the decoder; the prediction's net has one layer.
    """
    assert chosen(data_of(*[8000] * 400), hidden_size=2000)[3] == 2
    assert chosen(data_of(*[8000] * 400), hidden_size=2000, model="p-lstm")[3] == 4
    assert chosen(data_of(*[8000] * 400), hidden_size=2000, model="rp-lstm")[3] == 1


def test_a_prediction_may_be_of_one_step():
    assert chosen(data_of(*[7] * 100), model="p-lstm")[2] == 1


def test_what_was_said_stays():
    data = data_of(*[400] * 640)
    assert chosen(data, ("bptt", "batch_size"), bptt=50, batch_size=3) == (50, 4, 50, 3)


def test_a_model_without_auxiliary_losses_has_no_segments():
    config, lines = sensible_settings(RunConfig(model="lstm"), data_of(*[400] * 640), ())
    assert (config.bptt, config.num_anchors, config.segment_length) == (200, 1, 600)
    assert len(lines) == 2


# Of the recipe modern -------------------------------------------------------------------------------------------------


def modern(data, given=(), **settings):
    return sensible_settings(RunConfig(**{"recipe": "modern", **RECIPES["modern"], **settings}), data, given)[0]


@pytest.mark.parametrize(
    ("steps", "stride"), [(1, 1), (24, 1), (29, 1), (100, 4), (150, 4), (251, 8), (427, 8), (1460, 8), (3100, 8),
                          (5000, 16), (20000, 32), (65536, 64), (262144, 64), (10**7, 64)]
)  # fmt: skip
def test_stride_by_the_median(steps, stride):
    """8, less where few tokens would be left, sqrt(steps) / 5 where that is more; the nearest power of two."""
    assert modern(data_of(*[steps] * 3)).stride == stride


def test_windows_hold_all_of_short_sequences():
    assert modern(data_of(*[30] * 100)).bptt == 30
    assert modern(data_of(*[5000] * 10)).bptt == 50


def test_full_back_propagation_stays_in_the_recipe_modern():
    assert modern(data_of(*[40] * 100), given=["bptt"], bptt="full").bptt == "full"


def test_steps_make_about_twenty_four_hundred():
    for number in (20, 50, 240, 2700):
        config = modern(data_of(*[40] * number))
        steps = -(-number // config.batch_size) * config.epoch_passes * config.max_epochs
        assert 2200 <= steps <= 2600
        assert config.batch_size == (4 if number == 20 else 8 if number == 50 else 16)


def test_many_sequences_are_read_thrice_within_bounds():
    many = SequenceData("x", InputSpec("values", 1), torch.zeros(200_000, 4, 1))
    config = modern(replace(many, inputs=many.inputs[:19_200]))
    assert (config.epoch_passes, config.max_epochs) == (1, 3)
    assert modern(many).max_epochs == 1


def test_a_row_of_pixels_is_a_token_and_a_labelled_step_too():
    image = SequenceData("x", InputSpec("pixels", 1), torch.zeros(9, 12, 1, dtype=torch.uint8), image_shape=(3, 4))
    assert modern(image).stride == 4
    tags = SequenceData("x", InputSpec("values", 1), torch.zeros(9, 900, 1), None, target=TagsTarget(("a", "b")))
    assert modern(tags).stride == 1


def test_what_was_said_stays_in_the_recipe_modern():
    config = modern(data_of(*[5000] * 10), ("stride", "max_epochs"), stride=3, max_epochs=7)
    assert (config.stride, config.max_epochs) == (3, 7)


# Sound ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["modern", "paper"])
def test_mel_bands_take_the_rate_of_the_recordings(recipe):
    data = SequenceData("x", InputSpec("values", 1), [torch.zeros(900, 1)] * 20, rate=16_000)
    config = RunConfig(**{"recipe": recipe, **RECIPES[recipe], "stem": "logmel"})
    found, lines = sensible_settings(config, data, ["stem"])
    assert (found.sample_rate, found.token_steps) == (16_000, 160)
    assert lines[0] == "Chosen      --sample_rate 16000: that of the recordings"
    same = replace(config, sample_rate=16_000)
    assert sensible_settings(same, data, ["stem"])[0].sample_rate == 16_000
    with pytest.raises(
        InputError, match="expected sample_rate 16000 as the recordings are read, got 8000; --rate 8000"
    ):
        sensible_settings(replace(config, sample_rate=8000), data, ["stem"])
    assert sensible_settings(replace(config, stem="none"), data, ["stem"])[0].sample_rate is None


@pytest.mark.parametrize(
    ("rate", "given", "settings", "stem"),
    [
        (8000, (), {}, "logmel"),
        (4000, (), {"model": "p-lstm"}, "logmel"),
        (3999, (), {}, "conv"),
        (None, (), {}, "conv"),
        (8000, ("stem",), {}, "conv"),
        (8000, ("stride",), {"stride": 8}, "conv"),
        (8000, ("kernel",), {"kernel": 4}, "conv"),
        (
            8000,
            (),
            {
                "model": "transformer",
                "stem": "none",
                "readout": "last",
                "residual": False,
                "initialisation": "tensorflow",
            },
            "none",
        ),
    ],
)
def test_recordings_are_read_by_mel_bands_unless_something_else_is_said(rate, given, settings, stem):
    data = SequenceData("x", InputSpec("values", 1), [torch.zeros(900, 1)] * 20, rate=rate)
    found, lines = sensible_settings(RunConfig(**{"recipe": "modern", **RECIPES["modern"], **settings}), data, given)
    assert found.stem == stem
    assert found.sample_rate == (rate if stem == "logmel" else None)
    assert any("--stem logmel" in line for line in lines) == (stem == "logmel")
