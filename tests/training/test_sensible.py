"""Settings chosen from the data against values worked out by hand; what was said stays."""

import pytest
import torch

from auxrnn.batch import InputSpec
from auxrnn.config import RunConfig
from auxrnn.data.dataset import SequenceData
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
