"""Integers alone: no network is needed to see whether anchors are where they should be."""

import pytest
import torch
from scipy import stats
from torch import Tensor

from auxrnn.core.anchors import Segments, prediction_segments, reconstruction_segments, step_generator

DRAWS = 6_000


def draw(kind: str, lengths: list[int], n: int, l: int, *key: int) -> Segments:
    generator = step_generator(*key)
    if kind.startswith("future"):
        placement = kind.partition(" ")[2] or "near"
        return reconstruction_segments(torch.tensor(lengths), n, l, generator, placement, direction="future")  # type: ignore[arg-type]
    if kind == "predict":
        return prediction_segments(torch.tensor(lengths), n, l, generator)
    return reconstruction_segments(torch.tensor(lengths), n, l, generator, kind)  # type: ignore[arg-type]


def fitting(kind: str, length: int, l: int) -> range:
    """Anchors that fit, by listing: the segment lies before the anchor, or after it and one more step to predict."""
    if kind.startswith("future"):
        return range(1, max(length - l, 1) + 1)
    if kind == "predict":
        positions = [a for a in range(length + 1) if a + min(l, length - 1) + 1 <= length]
    else:
        positions = [a for a in range(length + 1) if a - min(l, length) >= 0]
    return range(positions[0], positions[-1] + 1)


def assert_uniform(values: Tensor, support: range) -> None:
    """Every value of the support, none beside it, and evenly: a chi-square test that fails one run in 10,000."""
    assert set(values.tolist()) == set(support)
    if len(support) > 1:
        counts = torch.bincount(values - support.start, minlength=len(support))
        assert stats.chisquare(counts.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["near", "distant", "predict", "future", "future distant"])
def test_anchors_are_uniform_over_the_positions_that_fit_each_sequence(kind: str) -> None:
    lengths = [30, 11, 10, 9, 1, 2]
    found = draw(kind, lengths, DRAWS, 10, 0)
    for b, length in enumerate(lengths):
        assert_uniform(found.anchor[b], fitting(kind, length, 10))


@pytest.mark.parametrize("kind", ["near", "distant", "predict", "future", "future distant"])
def test_each_anchor_of_a_sequence_is_uniform(kind: str) -> None:
    found = draw(kind, [12] * DRAWS, 3, 5, 0)
    for anchor in found.anchor.unbind(1):
        assert_uniform(anchor, fitting(kind, 12, 5))
    assert (found.anchor[:, 0] != found.anchor[:, 1]).any()
    correlation = torch.corrcoef(found.anchor.double().T)[0, 1]  # standard deviation 1 / sqrt(6,000) = 0.013
    assert abs(float(correlation)) < 0.06


@pytest.mark.parametrize("kind", ["near", "distant", "predict"])
def test_segments_lie_where_they_belong_and_are_shortened_where_they_do_not_fit(kind: str) -> None:
    lengths = torch.tensor([1, 2, 3, 7, 8, 9, 40])
    for l in (1, 2, 8, 100):
        found = draw(kind, lengths.tolist(), 50, l, l)
        assert {part.dtype for part in (found.anchor, found.start, found.length)} == {torch.int64}
        assert {part.shape for part in (found.anchor, found.start, found.length)} == {(7, 50)}
        longest = lengths - 1 if kind == "predict" else lengths
        assert torch.equal(found.length, longest.clamp(max=l).unsqueeze(1).expand(-1, 50))
        assert (found.start >= 0).all()
        if kind == "predict":
            assert torch.equal(found.start, found.anchor)
            assert (found.start + found.length + 1 <= lengths.unsqueeze(1)).all()
        else:
            assert (found.start + found.length <= found.anchor).all()
            assert (found.anchor <= lengths.unsqueeze(1)).all()
        if kind == "near":
            assert torch.equal(found.start + found.length, found.anchor)


def test_distant_segments_begin_uniformly_before_their_anchor() -> None:
    found = draw("distant", [12], 8 * DRAWS, 5, 0)
    for anchor in range(5, 13):
        assert_uniform(found.start[found.anchor == anchor], range(anchor - 5 + 1))


def test_very_long_sequences() -> None:
    found = draw("near", [2**40], 1_000, 600, 0)
    assert 600 <= int(found.anchor.min()) <= int(found.anchor.max()) <= 2**40
    assert stats.kstest(found.anchor.flatten().numpy() / 2**40, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("kind", ["near", "distant", "predict"])
def test_a_key_repeats_and_every_part_of_it_matters(kind: str) -> None:
    def anchors(*key: int) -> Tensor:
        return draw(kind, [1_000] * 4, 5, 10, *key).anchor

    assert torch.equal(anchors(3, 0, 7), anchors(3, 0, 7))
    keys = [(3, 0, 7), (4, 0, 7), (3, 1, 7), (3, 0, 8), (7, 0, 3), (37, 0), (3, 7), (3,)]
    assert len({tuple(anchors(*key).flatten().tolist()) for key in keys}) == len(keys)


@pytest.mark.parametrize("kind", ["near", "distant", "predict"])
def test_anchors_are_fresh_every_step(kind: str) -> None:
    """One generator a step: over 3,000 steps each sequence meets every position, evenly."""
    seen = torch.cat([draw(kind, [12, 12], 1, 5, 0, step).anchor for step in range(3_000)], dim=1)
    for row in seen:
        assert_uniform(row, fitting(kind, 12, 5))
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("kind", ["near", "distant", "predict"])
def test_a_generator_gives_new_anchors_at_each_draw(kind: str) -> None:
    generator = step_generator(0)
    lengths = torch.tensor([1_000] * 8)

    def anchors() -> list[list[int]]:
        if kind == "predict":
            return prediction_segments(lengths, 1, 10, generator).anchor.tolist()
        return reconstruction_segments(lengths, 1, 10, generator, kind).anchor.tolist()  # type: ignore[arg-type]

    assert anchors() != anchors()


def test_global_random_numbers_neither_matter_nor_change() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = draw("near", [100] * 4, 3, 10, 5).anchor
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(draw("near", [100] * 4, 3, 10, 5).anchor, first)


@pytest.mark.parametrize("kind", ["near", "predict"])
def test_refuses_what_is_no_length_or_number(kind: str) -> None:
    for n, l in ((0, 5), (1, 0)):
        with pytest.raises(ValueError, match="at least one anchor and one step a segment"):
            draw(kind, [10], n, l, 0)
    with pytest.raises(ValueError, match="integers of at least 1"):
        draw(kind, [10, 0], 1, 5, 0)
    with pytest.raises(ValueError, match=r"lengths of shape \(B,\)"):
        draw(kind, [[10]], 1, 5, 0)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="integers"):
        draw(kind, [10.0], 1, 5, 0)  # type: ignore[list-item]


def test_refuses_an_unknown_placement() -> None:
    with pytest.raises(ValueError, match="'near' or 'distant', got 'far'"):
        draw("far", [10], 1, 5, 0)


@pytest.mark.parametrize("placement", ["near", "distant"])
def test_future_segments_lie_behind_an_anchor_that_has_read_something(placement: str) -> None:
    lengths = torch.tensor([1, 2, 3, 7, 8, 9, 40])
    for l in (1, 2, 8, 100):
        found = draw(f"future {placement}", lengths.tolist(), 50, l, l)
        assert torch.equal(found.length, (lengths - 1).clamp(max=l).unsqueeze(1).expand(-1, 50))
        assert (found.anchor >= 1).all()
        assert (found.start >= found.anchor).all()
        assert (found.start + found.length <= lengths.unsqueeze(1)).all()
        if placement == "near":
            assert torch.equal(found.start, found.anchor)


def test_distant_future_segments_begin_uniformly_behind_their_anchor() -> None:
    found = draw("future distant", [12], 8 * DRAWS, 5, 0)
    for anchor in range(1, 8):
        assert_uniform(found.start[found.anchor == anchor], range(anchor, 12 - 5 + 1))


def spread(anchors: str, n: int, kind: str = "near") -> Tensor:
    lengths, generator = torch.tensor([12] * DRAWS), step_generator(0)
    if kind == "predict":
        return prediction_segments(lengths, n, 5, generator, anchors=anchors).anchor  # type: ignore[arg-type]
    return reconstruction_segments(lengths, n, 5, generator, anchors=anchors).anchor  # type: ignore[arg-type]


def test_anchors_at_the_end() -> None:
    assert spread("end", 2).unique().tolist() == [12]
    assert spread("end", 2, "predict").unique().tolist() == [6]  # the last step is predicted


def test_late_anchors_are_the_likelier_the_later() -> None:
    """8 positions: the share of the i-th is ((i + 1)^2 - i^2) / 64."""
    counts = torch.bincount(spread("late", 1).flatten() - 5, minlength=8)
    expected = torch.tensor([2 * i + 1 for i in range(8)]) / 64 * DRAWS
    assert stats.chisquare(counts.numpy(), expected.numpy()).pvalue > 1e-4


def test_stratified_anchors_lie_one_in_each_stretch() -> None:
    found = spread("stratified", 4)
    for i in range(4):
        assert_uniform(found[:, i], range(5 + 2 * i, 7 + 2 * i))
    uneven = spread("stratified", 3)  # 8 positions in 3 stretches of 2 2/3: the second is 2/3 of the third position
    assert [sorted(set(column.tolist())) for column in uneven.unbind(1)] == [[5, 6, 7], [7, 8, 9, 10], [10, 11, 12]]


def test_refuses_an_unknown_spread_or_direction() -> None:
    with pytest.raises(ValueError, match="uniform, end, late, stratified, got 'first'"):
        spread("first", 1)
    with pytest.raises(ValueError, match="direction 'past' or 'future', got 'up'"):
        reconstruction_segments(torch.tensor([9]), 1, 5, step_generator(0), direction="up")  # type: ignore[arg-type]
