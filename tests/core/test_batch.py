import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec, SequenceBatch, as_batch


def test_spec_says_what_a_step_is() -> None:
    spec = InputSpec("pixels", 3, levels=17)
    assert InputSpec(**spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pixel", 3), "input kind of pixels, values, characters, got 'pixel'"),
        (("pixels", 0), "1 to 16,777,216 channels or characters, got size 0"),
        (("pixels", 1, 1), "2 to 256 pixel levels, got 1"),
        (("pixels", 1, 257), "2 to 256 pixel levels, got 257"),
    ],
)
def test_spec_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InputSpec(*arguments)


def test_batch_keeps_its_inputs_in_their_compact_type() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(2, 128, 1)
    batch = SequenceBatch(levels, torch.tensor([128, 5]), torch.tensor([1, 0])).to("cpu")
    assert len(batch) == 2
    assert batch.inputs.dtype == torch.uint8
    assert torch.equal(batch.inputs.flatten(), torch.arange(256, dtype=torch.uint8))
    assert batch.labels is not None
    assert batch.labels.tolist() == [1, 0]


@pytest.mark.gpu
def test_lengths_stay_on_the_cpu() -> None:
    batch = SequenceBatch(torch.zeros(2, 3, 1), torch.tensor([3, 1]), torch.tensor([1, 0])).to("cuda")
    assert batch.labels is not None
    assert (batch.inputs.device.type, batch.labels.device.type, batch.lengths.device.type) == ("cuda", "cuda", "cpu")


def test_as_batch_takes_all_steps_where_no_lengths_are_given() -> None:
    assert as_batch(torch.zeros(2, 7, 1)).lengths.tolist() == [7, 7]
    assert as_batch(torch.zeros(2, 7), torch.tensor([7, 1])).lengths.tolist() == [7, 1]
    batch = SequenceBatch(torch.zeros(2, 7), torch.tensor([7, 1]))
    assert as_batch(batch) is batch


def test_lists_and_arrays_become_tensors() -> None:
    batch = as_batch(np.zeros((2, 7, 1), np.float32), [7, 1])
    assert (batch.inputs.dtype, batch.lengths.dtype, batch.lengths.tolist()) == (torch.float32, torch.int64, [7, 1])
    labelled = SequenceBatch(torch.zeros(2, 7), (7, 1), [1, 0], np.array([0.5, 1.0]))
    assert labelled.labels is not None
    assert labelled.labels.tolist() == [1, 0]
    assert labelled.weights is not None
    assert labelled.weights.tolist() == [0.5, 1.0]
    with pytest.raises(ValueError, match="Expected lengths as a tensor, got dict"):
        as_batch(torch.zeros(2, 7), {"a": 7})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Expected lengths of shape"):
        as_batch(torch.zeros(2, 7), [7.0, 1.0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "lengths", "labels", "message"),
    [
        (torch.zeros(5), torch.tensor([5]), None, r"inputs of shape \(B, T, C\) or \(B, T\).* got \(5,\)"),
        (torch.zeros(2, 0, 1), torch.tensor([0, 0]), None, r"none of them 0, got \(2, 0, 1\)"),
        (torch.zeros(2, 5), torch.tensor([5]), None, r"lengths of shape \(2,\)"),
        (torch.zeros(2, 5), torch.tensor([5.0, 5.0]), None, "type int64, got .* torch.float32"),
        (torch.zeros(2, 5), torch.tensor([5, 6]), None, r"lengths in 1..5, got 5..6"),
        (torch.zeros(2, 5), torch.tensor([0, 5]), None, r"lengths in 1..5, got 0..5"),
        (torch.zeros(2, 5), torch.tensor([5, 5]), torch.zeros(3), r"one label a sequence \(2\), got \(3,\)"),
    ],
)
def test_batch_refuses(inputs: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceBatch(inputs, lengths, labels)


def test_as_batch_refuses_a_single_sequence() -> None:
    with pytest.raises(ValueError, match=r"\(B, T, C\) or \(B, T\)"):
        as_batch(torch.zeros(5))


def test_weights_go_along() -> None:
    batch = SequenceBatch(torch.zeros(2, 3, 1), torch.tensor([3, 2]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0]))
    moved = batch.to("cpu").weights
    assert moved is not None
    assert moved.tolist() == [1.0, 2.0]
