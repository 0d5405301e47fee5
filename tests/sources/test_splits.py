"""Shares by class against exact fractions; same seed, same indices."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.sources.splits import limit_stratified, stratified_split


def labels_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def test_split_is_a_partition_and_sorted():
    labels = labels_of([50, 30, 20])
    train, validation = stratified_split(labels, 0.1, seed=3)
    assert train.dtype == validation.dtype == torch.int64
    assert train.tolist() == sorted(train.tolist())
    assert validation.tolist() == sorted(validation.tolist())
    assert sorted(train.tolist() + validation.tolist()) == list(range(100))


def test_shares_by_hand():
    """Quotas 1.3, 2.6, 6.1 of 13, 26, 61: ten in all, the largest remainder is the second class's."""
    labels = labels_of([13, 26, 61])
    _, validation = stratified_split(labels, 0.1, seed=0)
    assert np.bincount(labels[validation]).tolist() == [1, 3, 6]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9])
@pytest.mark.parametrize("counts", [[10, 10, 10], [7, 93, 25, 2], [997, 3]])
def test_no_class_is_a_whole_sequence_away_from_its_share(counts, fraction):
    labels = labels_of(counts)
    _, validation = stratified_split(labels, fraction, seed=1)
    taken = np.bincount(labels[validation], minlength=len(counts))
    for count, number in zip(counts, taken, strict=True):
        assert abs(Fraction(fraction) * count - int(number)) < 1
        assert number < count
    assert abs(len(validation) - fraction * len(labels)) <= 1


def test_a_single_member_stays_in_train():
    labels = np.array([0, 1, 2, 2, 2, 2])
    for seed in range(5):
        _, validation = stratified_split(labels, 0.5, seed)
        assert labels[validation].tolist() == [2, 2]


def test_fraction_zero_gives_no_validation():
    train, validation = stratified_split(torch.tensor([0, 1, 1]), 0.0, seed=0)
    assert train.tolist() == [0, 1, 2]
    assert validation.shape == (0,)


@pytest.mark.parametrize(
    "draw", [lambda seed: stratified_split(LABELS, 0.2, seed)[1], lambda seed: limit_stratified(LABELS, 20, seed)]
)
def test_the_seed_matters(draw):
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


LABELS = labels_of([40, 60])


def test_limit_and_split_do_not_share_random_numbers():
    assert not torch.equal(limit_stratified(LABELS, 20, 0), stratified_split(LABELS, 0.2, 0)[1])


def test_every_member_can_be_drawn():
    drawn = {index for seed in range(60) for index in stratified_split(LABELS, 0.2, seed)[1].tolist()}
    assert drawn == set(range(100))


@pytest.mark.parametrize(
    ("counts", "number", "expected"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        ([50, 30, 20], 100, [50, 30, 20]),
        ([13, 26, 61], 10, [1, 3, 6]),
        ([997, 2, 1], 10, [8, 1, 1]),  # the two rare classes get one each, the rest is the first's
        ([997, 2, 1], 3, [1, 1, 1]),
        ([1, 1, 98, 100], 10, [1, 1, 4, 4]),
    ],
)
def test_limit_by_hand(counts, number, expected):
    labels = labels_of(counts)
    chosen = limit_stratified(labels, number, seed=2)
    assert len(set(chosen.tolist())) == number
    assert chosen.tolist() == sorted(chosen.tolist())
    assert np.bincount(labels[chosen], minlength=len(counts)).tolist() == expected


def test_labels_may_be_tensors_lists_or_arrays_with_gaps():
    labels = [5, 5, 9, 9]
    expected = limit_stratified(labels, 2, 0)
    assert torch.equal(limit_stratified(torch.tensor(labels), 2, 0), expected)
    assert torch.equal(limit_stratified(np.array(labels, dtype=np.uint8), 2, 0), expected)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_bad_fraction(fraction):
    with pytest.raises(InputError, match="fraction of at least 0 and below 1"):
        stratified_split([0, 1], fraction, 0)


def test_bad_limits_labels_and_seeds():
    with pytest.raises(InputError, match="at most the 100 sequences there are, got 101"):
        limit_stratified(LABELS, 101, 0)
    with pytest.raises(InputError, match="at least 2, one sequence for each class, got 1"):
        limit_stratified(LABELS, 1, 0)
    with pytest.raises(InputError, match="seed of at least 0, got -1"):
        limit_stratified(LABELS, 10, -1)
    with pytest.raises(InputError, match=r"shape \(N,\) and a whole-number type, got \(2,\) of float64"):
        stratified_split(np.array([0.0, 1.0]), 0.5, 0)
