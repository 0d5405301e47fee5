"""What is changed, what stays, and that a seed decides it."""

import pytest
import torch

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.lazy_steps import LazySteps
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import TagsTarget
from auxrnn.training.augment import NOISE, NOISE_BLOCK, SCALE, augmented, check_augmentation


def make_batch(rows=4, steps=7):
    inputs = torch.arange(rows * steps, dtype=torch.float32).view(rows, steps, 1)
    return SequenceBatch(inputs, torch.tensor([7, 5, 1, 3][:rows]), torch.arange(rows))


def test_nothing_is_changed_without():
    batch = make_batch()
    assert augmented(batch, "none", step_generator(0)) is batch


def test_a_turned_sequence_goes_on_at_its_beginning_and_padding_stays():
    batch = make_batch()
    seen = set()
    for seed in range(200):
        found = augmented(batch, "turn", step_generator(seed)).inputs
        for row, length in enumerate(batch.lengths.tolist()):
            own = batch.inputs[row, :length, 0].tolist()
            shift = own.index(found[row, 0, 0].item())
            assert found[row, :length, 0].tolist() == own[shift:] + own[:shift]
            assert torch.equal(found[row, length:], batch.inputs[row, length:])
            seen.add((row, shift))
    assert len(seen) == 7 + 5 + 1 + 3  # every turn there is


def test_characters_and_pixels_can_be_turned():
    batch = SequenceBatch(torch.tensor([[3, 1, 2]]), torch.tensor([3]))
    assert sorted(augmented(batch, "turn", step_generator(0)).inputs[0].tolist()) == [1, 2, 3]


def test_noise_and_scale_have_the_sizes_that_they_say():
    batch = SequenceBatch(torch.ones(4000, 5, 2), torch.full((4000,), 5))
    noise = augmented(batch, "noise", step_generator(0)).inputs - 1
    assert abs(float(noise.std()) - NOISE) < 0.01
    assert abs(float(noise.mean())) < 0.01
    factor = augmented(batch, "scale", step_generator(0)).inputs
    assert torch.equal(factor, factor[:, :1, :1].expand_as(factor))  # one for a sequence
    assert abs(float(factor[:, 0, 0].log().std()) - SCALE) < 0.01


@pytest.mark.parametrize("kind", ["turn", "noise", "scale"])
def test_the_seed_decides_and_labels_and_lengths_stay(kind):
    batch = make_batch()
    one, same, other = (augmented(batch, kind, step_generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.inputs, same.inputs)
    assert not torch.equal(one.inputs, other.inputs)
    assert one.labels is batch.labels
    assert one.lengths is batch.lengths


def make_lazy(batch):
    rows = [row[:length] for row, length in zip(batch.inputs, batch.lengths.tolist(), strict=True)]
    return SequenceBatch(LazySteps([lambda a, b, row=row: row[a:b] for row in rows], batch.lengths), batch.lengths)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("kind", ["turn", "scale", "noise"])
def test_long_sequences_that_are_read_lazily_are_changed_alike(kind, dtype):
    """A resumed run may read its batches in workers, which cannot be lazy: it sees the same bits."""
    whole = make_batch()
    batch = SequenceBatch(whole.inputs.to(dtype), whole.lengths)
    inside = torch.arange(7) < batch.lengths.unsqueeze(1)
    for seed in range(50):
        dense, lazy = (augmented(one, kind, step_generator(seed)).inputs for one in (batch, make_lazy(batch)))
        assert isinstance(lazy, LazySteps)
        assert torch.equal(dense[inside], lazy[:, :][inside])
        assert torch.equal(dense[:2, 2:5], lazy[:2, 2:5])


def test_noise_of_lazy_steps_is_the_same_however_they_are_read():
    steps = 3 * NOISE_BLOCK + 100
    batch = make_lazy(SequenceBatch(torch.ones(20, steps, 2), torch.full((20,), steps)))
    noisy = augmented(batch, "noise", step_generator(0)).inputs
    whole = noisy[:, :]
    assert abs(float((whole - 1).std()) - NOISE) < 0.01
    assert abs(float((whole - 1).mean())) < 0.01
    assert len(whole.flatten().unique()) > 0.99 * whole.numel()  # no block like another
    at = torch.tensor([[0], [NOISE_BLOCK - 3], [steps - 5]]) + torch.arange(5)
    rows = torch.tensor([[4], [19], [7]])
    assert torch.equal(noisy[rows, at], whole[rows, at])
    assert torch.equal(noisy[3:5][:, NOISE_BLOCK - 1 : NOISE_BLOCK + 2], whole[3:5, NOISE_BLOCK - 1 : NOISE_BLOCK + 2])
    assert torch.equal(augmented(batch, "noise", step_generator(0)).inputs[:, :], whole)
    assert not torch.equal(augmented(batch, "noise", step_generator(1)).inputs[:, :], whole)


def test_what_would_be_untrue_is_refused():
    spec = InputSpec("pixels", 1)
    pixels = SequenceData("x", spec, torch.zeros(1, 2, 1, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64), ("a",))
    with pytest.raises(InputError, match="Expected augment turn or none for pixels, got noise"):
        check_augmentation("noise", pixels)
    check_augmentation("turn", pixels)
    tags = SequenceData("x", InputSpec("values", 1), torch.zeros(1, 2, 1), None, target=TagsTarget(("a", "b")))
    with pytest.raises(InputError, match="Expected augment none for a label a step, got turn"):
        check_augmentation("turn", tags)
    with pytest.raises(ValueError, match="Expected float values to change by noise"):
        augmented(SequenceBatch(torch.tensor([[1, 2]]), torch.tensor([2])), "noise", step_generator(0))
    with pytest.raises(ValueError, match="Expected an augmentation of none, turn, noise, scale, got 'flip'"):
        augmented(make_batch(), "flip", step_generator(0))
