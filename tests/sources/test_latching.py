"""The latching problem: where its class stands, how far the end is, and that the same index is the same sequence."""

import math

import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.sources.latching import EVENT, load_latching
from auxrnn.sources.options import DataOptions
from auxrnn.sources.published import load


def test_the_class_is_the_mean_of_the_first_steps_and_nothing_else() -> None:
    data = load_latching("train", 30)
    inputs = torch.stack(list(data.inputs)).squeeze(2)
    assert inputs.shape == (2000, EVENT + 30)
    signs = 2.0 * data.labels - 1
    by_class = (inputs * signs.unsqueeze(1)).mean(0)  # deviation 1 / root(2000) = 0.022
    assert by_class[:EVENT].tolist() == pytest.approx([1.0] * EVENT, abs=0.1)
    assert by_class[EVENT:].tolist() == pytest.approx([0.0] * 30, abs=0.1)
    assert inputs[:, EVENT:].std() == pytest.approx(1, abs=0.02)
    right = (inputs[:, :EVENT].sum(1) * signs > 0).double().mean()
    assert right == pytest.approx(0.5 * (1 + math.erf(math.sqrt(EVENT / 2))), abs=0.002)


def test_a_sequence_is_a_function_of_its_split_and_index_and_grows_with_the_distance() -> None:
    near, far, test = load_latching("train", 30), load_latching("train", 300), load_latching("test", 30)
    assert torch.equal(near.inputs[7], near.inputs[7])
    assert not torch.equal(near.inputs[7], test.inputs[7])
    assert torch.equal(near.subset(torch.tensor([7, 9])).inputs[1], near.inputs[9])
    assert len(far.inputs[0]) == EVENT + 300
    assert len(load_latching("test").inputs[0]) == EVENT + 200


def test_it_is_loaded_by_name_with_its_distance() -> None:
    found = load("latching", options=DataOptions(distance=50, limit_train=12, limit_test=6))
    assert (len(found.train), len(found.test)) == (12, 6)
    assert found.train.lengths.tolist() == [60] * 12
    assert torch.bincount(found.train.labels).tolist() == [6, 6]


@pytest.mark.parametrize("name", ["digits", "dbpedia"])
def test_others_have_no_distance(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: expected no distance"):
        load(name, options=DataOptions(distance=50))
    with pytest.raises(InputError, match="latching: expected no image_size"):
        load("latching", options=DataOptions(image_size=5))
