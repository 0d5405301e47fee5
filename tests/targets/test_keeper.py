"""Labels of every kind through the journal's state and their flat array to the target."""

from array import array

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.targets import KINDS

LABELS = {
    "class": ["b", "a", "b"],
    "classes": [("b", "a"), (), ("c",)],
    "value": [(1.5, 2.0), (0.0, -1.0), (1e9, 3.0)],
    "tags": [("b", None), ("a",), ("b", "c", "b")],
}
EXPECTED = {
    "class": (("a", "b"), [1, 0, 1]),
    "classes": (("a", "b", "c"), [[1, 1, 0], [0, 0, 0], [0, 0, 1]]),
    "value": (("x", "y"), [[1.5, 2.0], [0.0, -1.0], [1e9, 3.0]]),
    "tags": (("a", "b", "c"), [1, -1, 0, 1, 2, 1]),
}


def make(kind):
    return KINDS[kind].keeper(("x", "y") if kind == "value" else (), "auto")


@pytest.mark.parametrize("kind", KINDS)
def test_from_rows_to_the_target(kind):
    numbers = array(KINDS[kind].keeper.typecode)
    keeper = make(kind)
    for index, label in enumerate(LABELS[kind]):
        numbers.extend(keeper.numbers(label, f"row {index}", None))
    found, labels = keeper.finished(np.array(numbers))
    names, expected = EXPECTED[kind]
    assert found == names
    assert labels.tolist() == expected
    assert labels.shape == KINDS[kind].keeper.shape(3, 6, len(names))
    assert KINDS[kind].keeper.valid(labels, len(names))
    assert np.array_equal(labels, labels.astype(KINDS[kind].keeper.dtype))


def test_tags_of_steps_that_were_left_out():
    keeper = make("tags")
    assert keeper.numbers(("a", "b", None, "a"), "row", np.array([1, 2])) == [0, -1]


def test_classes_named_by_columns_keep_their_order():
    keeper = KINDS["classes"].keeper(("z", "a"), "auto")
    numbers = [*keeper.numbers(("a",), "row", None), *keeper.numbers((), "row", None)]
    names, labels = keeper.finished(np.array(numbers))
    assert (names, labels.tolist()) == (("z", "a"), [[0, 1], [0, 0]])


def test_too_little_to_learn():
    keeper = make("tags")
    keeper.numbers(("a", "a", None), "row", None)
    with pytest.raises(InputError, match="at least 2 classes, got 1 class, 'a'"):
        keeper.check()
    with pytest.raises(InputError, match="at least one class under --target classes"):
        make("classes").check()


def test_tags_of_mixed_type():
    with pytest.raises(InputError, match=r"row: expected a number as label.*got the word 'a'"):
        make("tags").numbers(("1", "a"), "row", None)


@pytest.mark.parametrize(
    ("kind", "labels"), [("class", [0, 3]), ("classes", [[2, 0]]), ("value", [[np.nan, 0.0]]), ("tags", [-2, 0])]
)
def test_damaged_labels(kind, labels):
    assert not KINDS[kind].keeper.valid(np.array(labels), 2)
