"""A set keeps its sequences as they are and names what does not fit."""

import pytest
import torch
from sklearn.utils.class_weight import compute_sample_weight

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData

PIXELS = InputSpec("pixels", size=1)
VALUES = InputSpec("values", size=2)
CHARACTERS = InputSpec("characters", size=5)


def images(number=4, steps=3):
    inputs = torch.arange(number * steps, dtype=torch.uint8).reshape(number, steps, 1)
    return SequenceData("images", PIXELS, inputs, torch.arange(number) % 2, ("even", "odd"))


def unequal():
    inputs = [torch.full((length, 2), float(length)) for length in (3, 1, 2)]
    return SequenceData("unequal", VALUES, inputs, torch.tensor([0, 1, 0]), ("a", "b"))


def test_lengths():
    assert len(images()) == 4
    assert images().lengths.tolist() == [3, 3, 3, 3]
    assert unequal().lengths.tolist() == [3, 1, 2]
    assert unequal().lengths.dtype == torch.int64


def test_batch_of_equal_lengths_stays_compact_and_in_order():
    batch = images().batch([2, 0])
    assert batch.inputs.dtype == torch.uint8
    assert batch.inputs[:, :, 0].tolist() == [[6, 7, 8], [0, 1, 2]]
    assert batch.labels.tolist() == [0, 0]


def test_batch_pads_to_its_own_longest():
    batch = unequal().batch(torch.tensor([1, 2]))
    assert batch.inputs.shape == (2, 2, 2)
    assert batch.lengths.tolist() == [1, 2]
    assert batch.inputs[0].tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert batch.inputs[1].tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert batch.labels.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_characters_become_int64_in_the_batch(dtype):
    data = SequenceData("text", CHARACTERS, [torch.tensor([4, 0, 1], dtype=dtype), torch.tensor([2], dtype=dtype)])
    batch = data.batch([0, 1])
    assert batch.inputs.dtype == torch.int64
    assert batch.inputs.tolist() == [[4, 0, 1], [2, 0, 0]]
    assert batch.labels is None


@pytest.mark.parametrize("data", [images(), unequal()], ids=["tensor", "list"])
def test_subset_is_a_batch_of_batches(data):
    subset = data.subset([2, 0])
    assert len(subset) == 2
    assert subset.labels.tolist() == data.labels[[2, 0]].tolist()
    assert torch.equal(subset.batch([1]).inputs, data.batch([0]).inputs)
    assert subset.classes == data.classes
    assert len(data.subset(torch.empty(0, dtype=torch.int64))) == 0


@pytest.mark.parametrize(
    ("indices", "message"),
    [([4], "from 0 to 3, got 4"), ([-1], "from 0 to 3, got -1"), ([0.5], "whole numbers"), ([[0]], "whole numbers")],
)
def test_bad_indices(indices, message):
    with pytest.raises(InputError, match=message):
        images().batch(indices)
    with pytest.raises(InputError, match=message):
        images().subset(indices)


def test_empty_batch():
    with pytest.raises(InputError, match="at least one sequence in a batch"):
        images().batch([])


FLOATS = torch.zeros(2, 3, 2)
WITH_NAN = FLOATS.clone()
WITH_NAN[1, 2, 0] = float("nan")

BAD_INPUTS = {
    "dimensions": (PIXELS, torch.zeros(2, 3, dtype=torch.uint8), r"shape \(N, T, C=1\), got \(2, 3\)"),
    "channels": (PIXELS, torch.zeros(2, 3, 3, dtype=torch.uint8), r"\(N, T, C=1\), got \(2, 3, 3\)"),
    "no step": (PIXELS, torch.zeros(2, 0, 1, dtype=torch.uint8), "at least one step"),
    "float pixels": (PIXELS, torch.zeros(2, 3, 1), r"torch\.uint8, got torch\.float32"),
    "level": (InputSpec("pixels", 1, 17), torch.full((1, 1, 1), 17, dtype=torch.uint8), "from 0 to 16, got 17"),
    "integer values": (VALUES, FLOATS.int(), r"floating-point type, got torch\.int32"),
    "nan": (VALUES, WITH_NAN, r"finite values, got nan at position \[1, 2, 0\]"),
    "infinite": (VALUES, FLOATS / 0 + torch.inf, "finite values"),
    "character": (CHARACTERS, torch.tensor([[0, 5]]), "characters from 0 to 4, got 5"),
    "negative character": (CHARACTERS, torch.tensor([[0, -1]]), "characters from 0 to 4, got -1"),
    "float characters": (CHARACTERS, torch.zeros(1, 2), "whole-number type"),
    "no step in a list": (VALUES, [torch.zeros(2, 2), torch.zeros(0, 2)], "sequence 1: expected at least one step"),
    "channels in a list": (VALUES, [torch.zeros(2, 2), torch.zeros(2, 3)], r"sequence 1: .*\(T, C=2\), got \(2, 3\)"),
    "dimensions in a list": (CHARACTERS, [torch.zeros(2, 2)], r"sequence 0: expected characters \(T,\)"),
    "types in a list": (VALUES, [torch.zeros(2, 2), torch.zeros(2, 2).double()], "type of sequence 0"),
    "no tensor": (VALUES, [[0.0, 1.0]], "sequence 0: expected a tensor"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_inputs(case):
    spec, inputs, message = BAD_INPUTS[case]
    with pytest.raises(InputError, match=message):
        SequenceData("bad", spec, inputs)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 2]), "labels from 0 to 1 for 2 classes, got 2 at sequence 1"),
        (torch.tensor([-1, 0]), "got -1 at sequence 0"),
        (torch.tensor([0]), "2 sequences and 1 labels"),
        (torch.tensor([0, 1], dtype=torch.int32), "int64"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(InputError, match=message):
        SequenceData("bad", VALUES, FLOATS, labels, ("a", "b"))


def test_image_shape_must_fit():
    with pytest.raises(InputError, match="at least 4 steps"):
        SequenceData("bad", PIXELS, torch.zeros(1, 3, 1, dtype=torch.uint8), image_shape=(2, 2))


def test_balanced_weights_are_scikit_learns():
    labels = torch.tensor([0, 0, 0, 1, 3, 3])
    data = SequenceData("x", InputSpec("values", 1), torch.zeros(6, 2, 1), labels, tuple("abcd"))
    assert data.batch([0, 3]).weights is None
    oracle = compute_sample_weight("balanced", labels.numpy())
    batch = data.balanced().batch(range(6))
    assert batch.weights.tolist() == pytest.approx(oracle.tolist())
    assert float(batch.weights.mean()) == pytest.approx(1)
    assert data.balanced().subset([3]).batch([0]).weights.tolist() == pytest.approx([2.0])
    with pytest.raises(InputError, match="expected labels to balance"):
        SequenceData("x", InputSpec("values", 1), torch.zeros(6, 2, 1)).balanced()
