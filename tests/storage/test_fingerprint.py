"""A fingerprint changes with anything that it is of, and with nothing else."""

import pytest
import torch

from auxrnn.storage.fingerprint import fingerprint

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(1)}


def test_the_same_in_any_order_and_layout():
    turned = WEIGHTS["a"].t().contiguous().t()
    assert not turned.is_contiguous()
    assert fingerprint({"b": WEIGHTS["b"].clone(), "a": turned}) == fingerprint(WEIGHTS)


@pytest.mark.parametrize(
    "change",
    [
        {"a": torch.arange(6.0).view(3, 2)},
        {"a": torch.arange(6.0).view(2, 3).double()},
        {"a": torch.arange(6.0).view(2, 3) + torch.tensor([0, 0, 1e-6])},
        {"c": torch.tensor(1)},
    ],
)
def test_another_for_other_weights(change):
    assert fingerprint(WEIGHTS | change) != fingerprint(WEIGHTS)


def test_another_for_another_text_beside_them():
    assert fingerprint(WEIGHTS, "x") != fingerprint(WEIGHTS)
