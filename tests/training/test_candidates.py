"""Which settings are tried; against sets that are written by hand."""

from dataclasses import replace

import torch

from auxrnn.config import RunConfig
from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.candidates import EXACT, candidates
from easy_data import MODERN, make_data


def test_no_candidate_touches_what_was_said():
    config, data = RunConfig(**MODERN, stride=4), make_data(steps=1001)
    every, _ = candidates(config, data, ())
    assert len(every) == 5
    assert all(every[index] not in every[:index] for index in range(5))
    for name in ("anchor_labels", "readout", "augment", "stride", "residual", "stem_norm"):
        assert any(name in one for one in every)
        assert not any(name in one for one in candidates(config, data, (name,))[0])
    said = ("anchor_labels", "readout", "augment", "stride", "residual", "stem_norm", "bptt")
    assert candidates(config, data, said) == ([{}], None)


def test_the_norm_is_left_out_in_long_sequences_alone_and_never_of_bands_of_sound():
    def norms(steps, given=(), **settings):
        config = RunConfig(**MODERN | {"stride": 4} | settings)
        return [one.get("stem_norm") for one in candidates(config, make_data(steps=steps), given)[0][1:3]]

    assert norms(1000) == [None, None]
    assert norms(1001) == norms(1001, ("bptt",)) == ["none", "none"]
    assert norms(5000, ("stem_norm",)) == norms(5000, bptt="full") == [None, None]
    assert norms(5000, stem="logmel", stride=1, sample_rate=400) == [None, None]
    pixels = torch.zeros(4, 5000, 1, dtype=torch.uint8)
    of_pixels = SequenceData("x", InputSpec("pixels", 1), pixels, torch.arange(4), tuple("abcd"))
    assert not any("stem_norm" in one for one in candidates(RunConfig(**MODERN, stride=4), of_pixels, ())[0])


def test_windows_are_short_where_they_leave_a_part_of_a_sequence_out():
    """Five windows of 50 tokens of 4 steps cover 1,000 steps."""
    config = RunConfig(**MODERN, stride=4)

    def windows(steps, given=(), **settings):
        one = candidates(replace(config, **settings), make_data(steps=steps), given)[0][1]
        return one.get("bptt", 50), one.get("top_windows", 3)

    assert windows(1000) == (50, 3)
    assert windows(1001) == (10, 16)
    assert windows(1001, ("bptt",)) == windows(1001, ("top_windows",)) == (50, 3)
    assert windows(1001, model="r-lstm", segment_length=5) == windows(1001, gradient="fptt") == (50, 3)
    assert windows(1001, ("readout",), readout="stats") == (50, 3)
    assert windows(1001, bptt="full") == (50, 3)


def test_raw_steps_are_tried_with_the_exact_gradient_too():
    config, data = RunConfig(**MODERN | {"stem": "none", "stride": 1}), make_data()
    assert candidates(config, data, ())[0][1] == EXACT
    assert replace(config, **EXACT).gradient == "exact"
    for said in EXACT:
        assert EXACT not in candidates(config, data, (said,))[0]
    for other in (
        {"model": "r-lstm"}, {"model": "irnn", "initialisation": "torch"}, {"precision": "16-mixed"}, {"stem": "conv"},
        {"lstm_backend": "persistent"},
    ):  # fmt: skip
        assert EXACT not in candidates(replace(config, **other), data, ())[0]


def test_pixels_get_no_noise_and_images_keep_their_rows():
    pixels = SequenceData(
        "x", InputSpec("pixels", 1), torch.zeros(4, 16, 1, dtype=torch.uint8), torch.arange(4), tuple("abcd"),
        image_shape=(4, 4),
    )  # fmt: skip
    every, _ = candidates(RunConfig(**MODERN, stride=4), pixels, ())
    assert {one.get("augment", "none") for one in every} <= {"none", "turn"}
    assert not any("stride" in one for one in every)


def test_the_patient_candidate_is_known_only_where_it_is_offered():
    config, data = RunConfig(**MODERN, stride=4), make_data(steps=1001)
    sets, patient = candidates(config, data, ())
    assert patient is not None
    assert sets[patient]["readout"] == "stats-max"
    for settings in ({"readout": "last", "residual": False, "augment": "none"}, {"candidates": 1}):
        assert candidates(replace(config, **settings), data, tuple(settings))[1] is None
