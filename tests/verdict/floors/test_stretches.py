"""Stretches against one slice after the other, in pieces of any size."""

import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.verdict.floors import stretches as room
from auxrnn.verdict.floors.stretches import cut, read_stretches


def slow(sequence, stretches):
    """(S, 6): sum, squares, squared jumps, least, greatest, count of each stretch of a sequence (T,)."""
    steps, found = len(sequence), []
    for index in range(stretches):
        start = index * steps // stretches
        stop = max((index + 1) * steps // stretches, start + 1)
        part = sequence[start:stop]
        jumps = [0.0 if place == 0 else sequence[place] - sequence[place - 1] for place in range(start, stop)]
        found.append([part.sum(), (part**2).sum(), (np.array(jumps) ** 2).sum(), part.min(), part.max(), stop - start])
    return np.array(found)


def flat(found, row, channel):
    parts = (found.total, found.squares, found.jumps, found.least, found.greatest)
    return np.stack([*(part[row, :, channel] for part in parts), found.count[row, :, 0]], axis=1)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 31, 64])
@pytest.mark.parametrize("piece", [1, 7, 2**20])
def test_a_block_is_cut_like_one_slice_after_the_other(monkeypatch, steps, piece):
    monkeypatch.setattr(room, "PIECE", piece)
    block = np.random.default_rng(steps).normal(size=(3, steps, 2))
    found = cut(block, 4)
    for row in range(3):
        for channel in range(2):
            np.testing.assert_allclose(flat(found, row, channel), slow(block[row, :, channel], 4), atol=1e-12)
    assert found.steps.tolist() == [steps] * 3


def test_merged_is_as_cut_into_fewer():
    block = np.random.default_rng(0).normal(size=(2, 37, 3))
    found, expected = cut(block, 8).merged(2), cut(block, 2)
    for name in ("mean", "deviation", "roughness", "least", "greatest"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12)


def test_mean_and_deviation_are_numpy_s():
    block = np.random.default_rng(0).normal(7, 2, size=(1, 40, 1))
    found = cut(block, 4)
    for index in range(4):
        part = block[0, 10 * index : 10 * index + 10, 0]
        assert found.mean[0, index, 0] == pytest.approx(part.mean())
        assert found.deviation[0, index, 0] == pytest.approx(part.std())


def test_pixels_do_not_overflow():
    found = cut(np.full((1, 4, 1), 255, np.uint8), 2)
    assert found.squares[0, :, 0].tolist() == [2 * 255**2] * 2


@pytest.mark.parametrize("form", ["tensor", "list"])
def test_all_sequences_come_in_their_order(monkeypatch, form):
    monkeypatch.setattr(room, "LEAST_ROWS", 3)
    monkeypatch.setattr(room, "PIECE", 20)
    draw = np.random.default_rng(0)
    lengths = [6] * 7 if form == "tensor" else [5, 9, 3, 4, 12, 1, 8]
    parts = [torch.from_numpy(draw.normal(size=(length, 2)).astype(np.float32)) for length in lengths]
    inputs = torch.stack(parts) if form == "tensor" else parts
    batches = list(read_stretches(SequenceData("x", InputSpec("values", 2), inputs), 1))
    assert len(batches) > 1
    mean = np.concatenate([batch.mean[:, 0] for batch in batches])
    np.testing.assert_allclose(mean, [part.mean(0).numpy() for part in parts], rtol=1e-5)
    assert np.concatenate([batch.steps for batch in batches]).tolist() == lengths


def test_many_channels_are_mixed_down(monkeypatch):
    monkeypatch.setattr(room, "MOST_CHANNELS", 2)
    block = np.random.default_rng(0).normal(size=(2, 9, 5))
    found = cut(block, 3)
    assert found.total.shape == (2, 3, 2)
    plain = cut(block @ room._signs(5), 3)
    np.testing.assert_allclose(found.jumps, plain.jumps)
