"""Whatever holds numbers becomes the array of the same numbers, or is named."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.sources.array_likes import as_array, as_numbers


class NAType:
    """Like pandas' NA, which cannot be compared."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


NUMBERS = torch.tensor([[1.0, -2.5], [0.25, 4.0]])


@pytest.mark.parametrize(
    "value",
    [
        NUMBERS,
        NUMBERS.clone().requires_grad_(),
        NUMBERS.bfloat16(),
        NUMBERS.double(),
        torch.complex(torch.zeros(2, 2), -NUMBERS).conj().imag,  # negated lazily
        NUMBERS.tolist(),
        [row.clone() for row in NUMBERS],
    ],
)
def test_the_same_numbers(value: Any) -> None:
    np.testing.assert_array_equal(as_array(value, "X"), NUMBERS.numpy())


def test_bfloat16_is_float32_and_other_types_stay() -> None:
    assert as_array(NUMBERS.bfloat16(), "X").dtype == np.float32
    assert as_array(NUMBERS.half(), "X").dtype == np.float16
    assert as_array(torch.tensor([1]), "X").dtype == np.int64
    assert as_array(np.ma.masked_array([1, 2], mask=[False, False]), "X").tolist() == [1, 2]


def test_missing_values_of_pandas_are_nan() -> None:
    found = as_array(np.array([1, NAType(), "a"], dtype=object), "X")
    assert (found[0], found[2]) == (1, "a")
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (NUMBERS.to_sparse(), r"X: expected dense numbers, .* Convert it: \.to_dense\(\)"),
        (np.ma.masked_array([1.0, 2.0], mask=[False, True]), r"X: expected numbers throughout, got a masked array"),
        ([[NUMBERS[0, 0].requires_grad_()]], "X: expected numbers, got tensors that numpy cannot read within a list"),
        (torch.nested.nested_tensor([NUMBERS], layout=torch.jagged), "X: expected dense numbers, got .*Convert it"),
        (NUMBERS.to("meta"), "X: expected numbers, got a tensor on the device meta, which holds none"),
    ],
)
def test_what_has_no_such_array_is_named(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_array(value, "X")


def test_objects_are_float64() -> None:
    mixed = np.array([Fraction(1, 4), Decimal("2.5"), 10**30, True, NAType()], dtype=object)
    np.testing.assert_array_equal(as_numbers(mixed, "X"), [0.25, 2.5, 1e30, 1.0, np.nan])
    assert as_numbers(np.array([1, 2], dtype=np.uint8), "X").dtype == np.uint8


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([10**400], "X: expected numbers that float64 holds, got: int too large"),
        (np.array([1, "3_1"], dtype=object), "X: expected numbers, got a text, '3_1'. Convert it first."),  # not 31
    ],
)
def test_objects_that_are_no_numbers(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_numbers(value, "X")
